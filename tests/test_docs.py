"""The reference pages are made out of the code; what the code lacks to make good ones is an error here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

from selftaught_builder.cli.app import app
from selftaught_builder.recipe import Recipe
from selftaught_builder.store.schema import migrations
from support.command import environment

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_generate", DOCS / "_generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(command: Any, name: str = "selftaught") -> dict[str, Any]:
    """Return every command by its full name."""
    found = {name: command}
    for child, inner in getattr(command, "commands", {}).items():
        found |= commands(inner, f"{name} {child}")
    return found


COMMANDS = commands(get_command(app))


@pytest.mark.parametrize(
    "terminal", [{"COLUMNS": "40", "FORCE_COLOR": "1"}, {"COLUMNS": "300", "NO_COLOR": "1"}], ids=str
)
def test_the_pages_are_up_to_date_whatever_the_terminal(terminal: dict[str, str]) -> None:
    pages = [str(page.relative_to(ROOT)) for page in sorted(DOCS.glob("*.md"))]
    check = [sys.executable, "-m", "cogapp", "-I", "docs", "--check", *pages]
    done = subprocess.run(check, cwd=ROOT, env=environment(**terminal), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `just docs`: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_pages(generate: ModuleType, name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip(), "a command without help"
    assert [option.name for option in command.params if not getattr(option, "help", None)] == []
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert f"\n## `{name}`\n" in page
    assert generate.command_help()[name] in page


def test_every_key_of_the_recipe_says_what_it_means(generate: ModuleType) -> None:
    page = (DOCS / "recipe.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert {key for key, *_ in rows} >= set(Recipe.model_fields)
    assert [key for key, _, _, meaning in rows if not meaning.strip()] == []


def test_every_table_and_its_comments_stand_in_the_pages() -> None:
    page = (DOCS / "schema.md").read_text(encoding="utf-8")
    sql = "\n".join(migrations().values())
    tables = re.findall(r"CREATE TABLE (\w+)", sql)
    assert len(tables) > 10
    assert [table for table in tables if f"\n## `{table}`\n" not in page] == []
    comments = re.findall(r"--\s*(.+)$", sql, re.MULTILINE)
    column_comments = [text for text in comments if f"-- {text}" not in sql.splitlines()]
    assert [text for text in column_comments if text not in page] == []
    assert "## `attempts_wide` (view)" in page


@pytest.mark.parametrize(
    "page", [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "AGENTS.md"], ids=lambda page: page.name
)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    there = [
        file.as_posix() for part in ("builder", "verifiers", "tests", "train") for file in (ROOT / part).rglob("*.py")
    ]
    named = set(re.findall(r"`([\w/.]+\.py)`", page.read_text(encoding="utf-8")))
    assert not [name for name in named if not any(file.endswith(f"/{name}") for file in there)]
