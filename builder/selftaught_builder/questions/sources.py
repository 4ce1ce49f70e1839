"""Where questions come from: files, folders, the Hugging Face hub, an SQL query, or reasoning-gym.

Users read of them in `recipe/questions.py`, from which docs/recipe.md is made.
"""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from pathlib import Path

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.common.paths import expand
from selftaught_builder.questions.files import FILE_READERS
from selftaught_builder.questions.gym import read_gym
from selftaught_builder.questions.hub import read_folder, read_hub
from selftaught_builder.questions.rows import NumberedRows, Row, RowProblem
from selftaught_builder.questions.sql import read_query
from selftaught_builder.recipe import Questions

__all__ = ["RowProblem", "is_remote", "override_source", "read_rows"]

_DATABASES = (".duckdb", ".db")
_PLACE = "questions.source"
_PATHS_START = "Check the path: a recipe's starts at the recipe's folder, that of --questions at the working directory."


def read_rows(settings: Questions, room: Path) -> NumberedRows:
    """Yield (row number, row) lazily; where a row is broken, (row number, RowProblem) stands in its place.

    Numbers start at 1: the line in a JSON Lines file, the data row elsewhere. Over several files (`train-*.jsonl`, read
    in the order of their names) they run on, so that a number names one row.

    Args:
        settings: the recipe's `questions`.
        room: the recipe's folder, from which relative paths start.

    Raises:
        QuestionError: the source does not exist, cannot be reached or cannot be read.
    """
    source = settings.source or ""
    if settings.query is not None:
        return read_query(settings.query, _database(source, room), room)
    scheme, is_url, _ = source.partition("://")
    if not is_url:
        return _read_path(source, room, settings.split)
    if scheme == "hf":
        return read_hub(source, settings.split)
    if scheme == "gym":
        return read_gym(source)
    mend = "Use hf://, gym:// or a path; download what lies elsewhere."
    raise QuestionError(f"`{scheme}://` is no source of questions", place=_PLACE, mend=mend)


def is_remote(settings: Questions) -> bool:
    """Return whether reading the source costs network, so that one stops as soon as enough is read."""
    return settings.query is None and (settings.source or "").startswith("hf://")


def override_source(settings: Questions, path: Path) -> Questions:
    """Return the settings reading `path` (from the working directory) instead, with the same field mapping.

    The split is kept only for a folder: one file has none.
    """
    split = settings.split if path.is_dir() else None
    query = settings.query if path.suffix in _DATABASES else None
    return settings.model_copy(update={"source": str(path.absolute()), "query": query, "split": split})


def _database(source: str, room: Path) -> Path | None:
    if not source:
        return None
    path = room / expand(source)
    if path.suffix not in _DATABASES:
        mend = "Name the file in the query itself (FROM 'file.csv') and drop `source`, or drop `query`."
        raise QuestionError("`query` goes with no source but a DuckDB file", place=_PLACE, mend=mend)
    return path


def _read_path(source: str, room: Path, split: str | None) -> NumberedRows:
    path = room / expand(source)
    if path.is_dir():
        return read_folder(path, split)
    paths = [path] if path.is_file() else _glob(source, room)
    for path in paths:
        _check_suffix(path)
    return _read_files(paths)


def _glob(source: str, room: Path) -> list[Path]:
    pattern = str(expand(source))
    paths = [room / name for name in sorted(glob.glob(pattern, root_dir=room, recursive=True))]
    files = [path for path in paths if path.is_file()]
    if not files:
        path = room / pattern
        raise QuestionError("no such file", place=path, mend=_missing_mend(path))
    return files


def _missing_mend(path: Path) -> str:
    names = [found.name for found in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean `{close[0]}`?" if close else _PATHS_START


def _check_suffix(path: Path) -> None:
    if path.suffix in _DATABASES:
        raise QuestionError("a database needs a query", place=path, mend="Set `questions.query`.")
    if path.suffix not in FILE_READERS:
        mend = f"Question files are {', '.join(FILE_READERS)}; other formats come through `query`."
        raise QuestionError(f"unknown kind of file `{path.suffix}`", place=path, mend=mend)


def _read_files(paths: list[Path]) -> Iterator[tuple[int, Row | RowProblem]]:
    offset = number = 0
    for path in paths:
        offset = number
        for line, row in FILE_READERS[path.suffix](path):
            number = offset + line
            yield number, row
