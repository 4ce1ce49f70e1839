"""One definition of a row: the table, the journal and the sampler agree with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

from selftaught_builder.concurrency import Gate, Lane
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.sampling.recorder import Recorder
from selftaught_builder.sampling.task import SamplingContext, Task
from selftaught_builder.store import Store, open_store, rows
from selftaught_builder.store.records import frame
from selftaught_builder.store.rows import TABLES, columns_of
from selftaught_builder.store.schema import WIDE_COLUMNS
from support.attempts import attempt_row
from support.stores import WHO, Scripted

HELD_AS = {
    "VARCHAR": str,
    "JSON": str,
    "TIMESTAMP WITH TIME ZONE": str,
    "INTEGER": int,
    "BIGINT": int,
    "DOUBLE": float,
    "BOOLEAN": bool,
}
Described = list[tuple[str, type, bool]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store.duckdb", create=True)


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path / "sums")


def migrated(store: Store, table: str) -> Described:
    """Return the columns that the migrations give a table."""
    query = (
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index"
    )
    with store.read() as connection:
        found = connection.execute(query, [table]).fetchall()
    return [(name, HELD_AS[kind], nullable) for name, kind, nullable in found]


def defined(table: str) -> Described:
    """Return the columns that the table's row type has."""
    return [(column.name, column.type, column.nullable) for column in columns_of(table)]


@pytest.mark.parametrize("table", TABLES)
def test_a_row_has_the_columns_of_the_migrated_table(store: Store, table: str) -> None:
    assert defined(table) == migrated(store, table), "a column takes a migration and a line in rows.py"
    assert all(column.about for column in columns_of(table))


@pytest.mark.parametrize("kind", [Annotated[str, "new"], Annotated[int | None, "new"]])
def test_a_column_without_a_migration_is_noticed(store: Store, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    columns_of.cache_clear()
    wider = TypedDict("wider", {**rows.AttemptRow.__annotations__, "mood": kind})
    monkeypatch.setattr(rows, "TABLES", {**TABLES, "attempts": wider})
    try:
        assert "mood" in [name for name, _, _ in defined("attempts")]
        assert defined("attempts") != migrated(store, "attempts")
    finally:
        columns_of.cache_clear()


def test_the_journal_has_every_column_of_an_attempt(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    question = scripted.questions[0]
    prompt = scripted.room.prompter.ask(question)
    context = SamplingContext("sums", 1, {"temperature": 0.7}, 0, "recipe")
    appended: list[dict[str, Any]] = []
    monkeypatch.setattr(scripted.store.journal, "append", appended.append)
    recorder = Recorder(scripted.store.journal, context, remembered=4)
    recorder.prompt(prompt)
    recorder.prompt(prompt)
    reply = Reply("So 5.", finish_reason="stop", tokens_in=3, cost=0.5, latency=0.25)
    recorder.attempt(
        Task(question, prompt, "sampled", 0, "k" * 32, 2), Lane(None, WHO, Gate(1), asked_as="x"), reply, 3
    )
    made, attempt = appended
    assert list(made) == ["table", *(column.name for column in columns_of("prompts"))]
    assert list(attempt) == ["table", *(column.name for column in columns_of("attempts"))]
    assert (attempt["try"], attempt["id"], attempt["provider"]) == (3, "k" * 32 + ".3", '{"asked_as":"x"}')


def test_records_of_other_releases_are_read_columns_they_lack_are_null_and_more_are_passed_over(store: Store) -> None:
    usual = {"run": "r", "question": "q", "prompt": "p", "completion": "So 5.", "endpoint": "e", "weights": "w"}
    old = dict(attempt_row("k", model="m", model_replied="m", tokens_in=3, **usual))
    for name in ("recipe", "tokens_in", "parent"):
        del old[name]
    store.journal.append(old)
    store.journal.append({**old, "id": "newer", "mood": "cheerful"})
    store.commit_journal()
    found = store.sql("SELECT id, recipe, tokens_in, parent, completion FROM attempts ORDER BY id").rows()
    assert found == [("k.1", None, None, None, "So 5."), ("newer", None, None, None, "So 5.")]
    assert frame("attempts", [old])["recipe"].to_list() == [None]


def test_no_verifier_can_take_the_name_of_an_attempts_column() -> None:
    assert {column.name for column in columns_of("attempts")} <= WIDE_COLUMNS


def test_a_column_that_no_attempt_has_is_refused_in_a_test() -> None:
    with pytest.raises(TypeError, match="mood"):
        attempt_row("k", mood="cheerful")
