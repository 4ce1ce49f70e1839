"""The direction of imports: each contract of `pyproject.toml` sees what it forbids; and what must never stand where."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

# The contract, the file to plant an import in, and the import.
VIOLATIONS = [
    ("The builder's rooms", "builder/selftaught_builder/common/keys.py", "import selftaught_builder.cli.app"),
    (
        "The builder's rooms",
        "builder/selftaught_builder/store/journal.py",
        "import selftaught_builder.selection.filter",
    ),
    ("The builder's rooms", "builder/selftaught_builder/audit/why.py", "import selftaught_builder.export.version"),
    ("The builder's rooms", "builder/selftaught_builder/loose.py", "import json"),
    ("The verifiers' rooms", "verifiers/selftaught_verifiers/text/plain.py", "import selftaught_verifiers.hints.leak"),
    ("No circle", "builder/selftaught_builder/store/lock.py", "import selftaught_builder.store.database"),
    ("Verifiers are pure", "verifiers/selftaught_verifiers/answer/units.py", "import selftaught_builder.common.keys"),
    ("Verifiers are pure", "verifiers/selftaught_verifiers/answer/units.py", "from urllib import request"),
    ("Verifiers are pure", "verifiers/selftaught_verifiers/answer/units.py", "import duckdb"),
    ("The trainer is apart", "builder/selftaught_builder/training/launch.py", "import axolotl"),
    ("Only the store", "builder/selftaught_builder/report/collect.py", "import duckdb"),
    ("What `--help` imports", "builder/selftaught_builder/cli/status.py", "import polars"),
]


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts over the packages in a folder."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; sys.argv[1:] = ['--no-cache'];"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    places = [str(folder / "builder"), str(folder / "verifiers")]
    return subprocess.run(
        [sys.executable, "-c", code, *places], cwd=folder, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("builder/selftaught_builder", "verifiers/selftaught_verifiers"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_contracts_hold(copied: Path) -> None:
    done = linted(copied)
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("contract", "file", "planted"), VIOLATIONS)
def test_a_planted_violation_is_seen(copied: Path, contract: str, file: str, planted: str) -> None:
    path = copied / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{planted}\n", encoding="utf-8")
    try:
        done = linted(copied)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    seen = [line for line in done.stdout.splitlines() if "BROKEN" in line or "Missing layer" in line]
    assert any(contract in line for line in seen), done.stdout


def test_every_contract_has_a_violation_planted() -> None:
    for contract in CONTRACTS:
        assert any(contract["name"].startswith(name) for name, _, _ in VIOLATIONS), contract["name"]


def test_the_trainers_files_import_nothing_of_the_builder() -> None:
    files = list((ROOT / "train").rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in named if name.startswith("selftaught")], file


def test_rooms_hold_everything() -> None:
    for package in ("builder/selftaught_builder", "verifiers/selftaught_verifiers"):
        loose = {file.name for file in (ROOT / package).glob("*.py")}
        assert loose <= {"__init__.py", "__main__.py"}, package


def test_no_generated_or_secret_file_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in tracked if name.endswith((".duckdb", ".parquet", ".gguf", "uv.lock"))]
