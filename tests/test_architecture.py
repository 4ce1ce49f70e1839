"""The direction of imports, and what must never stand where."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_verifiers_import_nothing_of_the_builder_and_no_network_or_database() -> None:
    forbidden = {"selftaught_builder", "duckdb", "aiohttp", "openai", "httpx", "requests", "socket", "urllib"}
    files = list((ROOT / "verifiers").rglob("*.py"))
    assert files
    for file in files:
        assert not {name.split(".")[0] for name in imports(file)} & forbidden, file


def test_the_packages_folders_are_no_packages_themselves() -> None:
    assert not (ROOT / "builder" / "__init__.py").exists()
    assert not (ROOT / "verifiers" / "__init__.py").exists()


def test_only_the_store_package_opens_duckdb_files() -> None:
    for file in (ROOT / "builder").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "duckdb.connect(" in text:
            assert "store" in file.parts or file.name == "store.py" or "connect()" in text, file


def test_no_generated_or_secret_file_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in tracked if name.endswith((".duckdb", ".parquet", ".gguf", "uv.lock"))]
