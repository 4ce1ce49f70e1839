"""Questions by an SQL query: over files (`FROM 'train.parquet'`) or, with `source: FILE.duckdb`, over that database."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import duckdb

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.rows import NumberedRows, check_columns

_PLACE = "questions.query"


def read_query(query: str, database: Path | None, room: Path) -> NumberedRows:
    """Yield (row number, row) for each row of the result; numbers follow the result's order, so give it an ORDER BY.

    Args:
        query: one SELECT.
        database: a DuckDB file, opened read-only; None for an empty database in memory.
        room: the folder that relative paths in the query start from.

    Raises:
        QuestionError: the database cannot be opened, or refuses the query.
    """
    try:
        with _connect(database) as connection, contextlib.chdir(room):
            # DuckDB looks in the working directory before its `file_search_path`, so only a change of directory makes
            # relative paths start at the room. It lasts as long as the query; hence no streaming.
            names, rows = _fetch(connection, query)
    except duckdb.Error as error:
        mend = "Mend the SQL; paths in it start at the recipe's folder."
        raise QuestionError(str(error)[:400], place=_PLACE, mend=mend) from None
    check_columns(names, _PLACE)
    for number, row in enumerate(rows, start=1):
        yield number, dict(zip(names, row, strict=True))


def _connect(database: Path | None) -> duckdb.DuckDBPyConnection:
    if database is None:
        return duckdb.connect()
    if not database.is_file():
        raise QuestionError("no such database", place=database, mend="Check `questions.source`.")
    try:
        return duckdb.connect(str(database.resolve()), read_only=True)
    except duckdb.Error as error:
        mend = "It must be a DuckDB file that no other process is writing to."
        raise QuestionError(str(error)[:400], place=database, mend=mend) from None


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    statements = connection.extract_statements(query)
    if not statements or any(
        one.type != duckdb.StatementType.SELECT for one in statements
    ):  # a COPY or ATTACH would write files
        raise QuestionError("no SELECT: questions are asked for read-only", place=_PLACE, mend="Write one SELECT.")
    result = connection.execute(query)
    return [column[0] for column in result.description or []], result.fetchall()
