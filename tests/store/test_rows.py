"""A row's columns are those of its table, and what the journal carries of it comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught_builder.store import open_store
from selftaught_builder.store.empty import empty_store
from selftaught_builder.store.records import COLUMNS
from selftaught_builder.store.rows import ROWS, AttemptRow, about_columns, columns_of, record_of
from support.attempts import attempt_row


@pytest.mark.parametrize("table", ROWS)
def test_a_row_has_the_columns_of_its_table(table: str) -> None:
    with empty_store() as connection:
        there = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
        ).fetchall()
    assert [name for (name,) in there] == list(columns_of(ROWS[table])) == list(COLUMNS[table])
    assert all(about_columns(ROWS[table]).values()), "each says what it holds"


def test_an_attempt_comes_back_as_it_was_journalled(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.duckdb", create=True)
    row = attempt_row(
        "k" * 32, question="q" * 32, prompt="p" * 32, completion="2 + 3 = 5 \u2713", cost=0.25, **{"try": 2}
    )
    with store.writer():
        store.journal.append(record_of(row))
        store.commit_journal()
    (found,) = store.sql("SELECT * REPLACE (created_at::VARCHAR AS created_at) FROM attempts").to_dicts()
    assert found.pop("created_at")
    assert found == {name: value for name, value in record_of(row).items() if name not in ("table", "created_at")}


def test_a_column_may_have_a_name_that_python_keeps() -> None:
    assert columns_of(AttemptRow)["try"] == "try_"
