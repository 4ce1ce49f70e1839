"""What goes into a table as a frame comes back as it was: every type of column that the store uses, many rows, and NULLs.

DuckDB 2.0.0 could return wrong results when it scanned frames, by its release notes; `insert_frame` does nothing else.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.store import insert_frame
from selftaught_builder.store.empty import empty_store

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))
# Type in the store, type in the frame, values.
TYPES: dict[str, tuple[Any, st.SearchStrategy]] = {
    "VARCHAR": (pl.String, TEXT),
    "JSON": (pl.String, st.sampled_from(['{"a": [1, 2]}', "{}", "[]", '"\u2713"', "null"])),
    "INTEGER": (pl.Int64, st.integers(-(2**31), 2**31 - 1)),
    "BIGINT": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "DOUBLE": (pl.Float64, st.floats(allow_nan=False)),
    "BOOLEAN": (pl.Boolean, st.booleans()),
    "VARCHAR[]": (pl.List(pl.String), st.lists(TEXT, max_size=4)),
    "TIMESTAMP WITH TIME ZONE": (pl.Datetime("us", "UTC"), MOMENTS),
}


def through(kinds: list[str], columns: list[list[Any]]) -> list[list[Any]]:
    """Put columns into a table of these types as a frame; return them as they come out, in order."""
    names = [f"c{place}" for place in range(len(kinds))]
    frame = pl.DataFrame(
        {"place": range(len(columns[0]))} | dict(zip(names, columns, strict=True)),
        schema={"place": pl.Int64} | {name: TYPES[kind][0] for name, kind in zip(names, kinds, strict=True)},
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns_sql = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
        connection.execute(f"CREATE TABLE there (place BIGINT, {columns_sql})")
        insert_frame(connection, "there", frame)
        found = connection.sql("SELECT * FROM there ORDER BY place").pl()
    return [found[name].to_list() for name in names]


def test_all_types_of_the_store_are_tried() -> None:
    with empty_store() as connection:
        tables = "duckdb_columns() c JOIN duckdb_tables() t USING (table_name)"
        query = f"SELECT DISTINCT data_type FROM {tables} WHERE NOT c.internal"
        used = {kind for (kind,) in connection.execute(query).fetchall()}
    assert used <= set(TYPES)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_goes_in_comes_out(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))
    height = data.draw(st.integers(1, 30))
    repeats = data.draw(st.sampled_from([1, 1, 1, 300]))
    columns = [data.draw(st.lists(st.none() | TYPES[kind][1], min_size=height, max_size=height)) for kind in kinds]
    many = [column * repeats for column in columns]
    assert through(kinds, many) == many


@pytest.mark.parametrize("height", [2047, 2048, 2049, 122_880, 250_001])
def test_many_rows_come_out_in_their_order(height: int) -> None:
    drawn = random.Random(height)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    columns: list[list[Any]] = [
        [f"{n}\u2713" * (n % 5) if n % 7 else None for n in range(height)],
        [drawn.randrange(-(2**63), 2**63) if n % 3 else None for n in range(height)],
        [drawn.random() if n % 11 else None for n in range(height)],
        [[str(n)] * (n % 3) if n % 5 else None for n in range(height)],
        [start + timedelta(microseconds=n) for n in range(height)],
    ]
    kinds = ["VARCHAR", "BIGINT", "DOUBLE", "VARCHAR[]", "TIMESTAMP WITH TIME ZONE"]
    assert through(kinds, columns) == columns


def test_a_row_that_is_there_is_not_put_in_twice() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE prompts (hash VARCHAR, style VARCHAR, messages VARCHAR)")
        for rows in (range(5000), range(2500, 7500)):
            frame = pl.DataFrame({"hash": [str(n) for n in rows], "style": "chat", "messages": [str(n) for n in rows]})
            insert_frame(connection, "prompts", pl.concat([frame, frame]))
        assert connection.execute(
            "SELECT count(*), count(DISTINCT hash), bool_and(hash = messages) FROM prompts"
        ).fetchall() == [(7500, 7500, True)]
