"""Journal records as polars frames, for DuckDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from selftaught_builder.common.errors import StoreError
from selftaught_builder.store.rows import TABLES, columns_of

_TYPES: Mapping[type, Any] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    table: {column.name: _TYPES[column.type] for column in columns_of(table)} for table in TABLES
}
"""Each journalled table's columns with their polars types."""


def frames(blocks: Iterable[list[dict[str, Any]]], most: int = 5000) -> Iterator[dict[str, pl.DataFrame]]:
    """Gather blocks of journal records into frames, one a table, of about `most` records together.

    A record is {"table": NAME, **columns}; columns that a record lacks are NULL. Blocks become columns one at a time, since
    records as dictionaries take several times the memory.
    """
    parts: dict[str, list[pl.DataFrame]] = defaultdict(list)
    held = 0
    for records in blocks:
        for table in dict.fromkeys(record["table"] for record in records):
            parts[table].append(frame(table, [record for record in records if record["table"] == table]))
        held += len(records)
        if held >= most:
            yield {table: pl.concat(some) for table, some in parts.items()}
            parts, held = defaultdict(list), 0
    if held:
        yield {table: pl.concat(some) for table, some in parts.items()}


def frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame with the table's columns and types; raises StoreError for a table of a newer release."""
    if table not in COLUMNS:
        raise StoreError(
            f"a journal record is for a table `{table}`, which this selftaught does not know",
            place="journal",
            mend="Upgrade selftaught: `pip install -U selftaught`.",
        )
    columns = COLUMNS[table]
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, schema=dict(columns))
