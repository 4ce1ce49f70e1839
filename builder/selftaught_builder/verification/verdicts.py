"""Verdicts on their way into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import duckdb
import polars as pl

from selftaught_builder.store import insert_frame
from selftaught_builder.verification.chosen import Chosen
from selftaught_verifiers.judging import Said

_SAID = {
    "attempt": pl.String,
    "verifier": pl.String,
    "version": pl.String,
    "seen": pl.String,
    "outcome": pl.String,
    "reason": pl.String,
    "answer": pl.String,
    "score": pl.Float64,
    "detail": pl.String,
    "elapsed": pl.Float64,
}


def insert_verdicts(
    connection: duckdb.DuckDBPyConnection, said: Iterable[tuple[str, Chosen, str, Said]]
) -> Counter[tuple[str, str]]:
    """Store verdicts: (attempt, verifier, what it saw, what it said). Returns how many, by verifier and outcome."""
    rows = [(attempt, one.name, one.version, seen, *verdict) for attempt, one, seen, verdict in said]
    frame = pl.DataFrame(rows, schema=_SAID, orient="row")
    insert_frame(connection, "verdicts", frame.with_columns(pl.lit(datetime.now(UTC)).alias("created_at")))
    return Counter((row[1], row[4]) for row in rows)
