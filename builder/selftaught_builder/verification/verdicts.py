"""Verdicts on their way into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from selftaught_builder.store import Connection, insert_frame
from selftaught_builder.verification.chosen import Chosen
from selftaught_verifiers.judging.judging import Said

Counted = Counter[tuple[str, str]]
"""Verdicts by verifier and outcome."""

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


def insert_verdicts(connection: Connection, said: Sequence[tuple[str, Chosen, str, Said]]) -> Counted:
    """Store verdicts: (attempt, verifier, what it saw, what it said). Returns how many, by verifier and outcome."""
    if not said:
        return Counter()
    attempts, verifiers, seen, verdicts = zip(*said, strict=True)
    names, versions = [one.name for one in verifiers], [one.version for one in verifiers]
    columns = (attempts, names, versions, seen, *zip(*verdicts, strict=True))
    frame = pl.DataFrame(dict(zip(_SAID, columns, strict=True)), schema=_SAID)
    insert_frame(connection, "verdicts", frame.with_columns(pl.lit(datetime.now(UTC)).alias("created_at")))
    return Counter(zip(names, frame["outcome"], strict=True))
