"""Journal records and their tables: which columns a record carries, as polars frames for DuckDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

TEXT, INT, REAL, BOOL = pl.String, pl.Int64, pl.Float64, pl.Boolean

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "prompts": {"hash": TEXT, "style": TEXT, "messages": TEXT},
    "attempts": {
        "id": TEXT,
        "key": TEXT,
        "try": INT,
        "run": TEXT,
        "round": INT,
        "question": TEXT,
        "kind": TEXT,
        "sample_index": INT,
        "parent": TEXT,
        "prompt": TEXT,
        "completion": TEXT,
        "reasoning": TEXT,
        "finish_reason": TEXT,
        "endpoint": TEXT,
        "model": TEXT,
        "model_replied": TEXT,
        "weights": TEXT,
        "parameters": TEXT,
        "seed": INT,
        "seed_honoured": BOOL,
        "tokens_in": INT,
        "tokens_out": INT,
        "tokens_cached": INT,
        "cost": REAL,
        "price_source": TEXT,
        "latency": REAL,
        "error": TEXT,
        "error_text": TEXT,
        "provider": TEXT,
        "created_at": TEXT,
    },
}


def frames(records: Iterable[Mapping[str, Any]]) -> dict[str, pl.DataFrame]:
    """Group journal records by table and return one frame each.

    A record is {"table": NAME, **columns}; columns that a record lacks are NULL.
    """
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["table"]].append(record)
    return {table: frame(table, rows) for table, rows in groups.items()}


def frame(table: str, rows: list[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame with the table's columns and types."""
    columns = COLUMNS[table]
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, schema=dict(columns))
