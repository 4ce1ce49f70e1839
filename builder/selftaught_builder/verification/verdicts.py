"""Verdicts on their way into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl

from selftaught_builder.store import Connection, insert_frame
from selftaught_builder.verification.chosen import Chosen
from selftaught_verifiers.judging.judging import Judgement

Counted = Counter[tuple[str, str]]
"""Verdicts by verifier and outcome."""

_WHAT = {"attempt": pl.String, "verifier": pl.String, "version": pl.String, "seen": pl.String}
_VERDICT = {
    "outcome": pl.String,
    "reason": pl.String,
    "answer": pl.String,
    "score": pl.Float64,
    "detail": pl.String,
    "elapsed": pl.Float64,
}


class VerdictRow(NamedTuple):
    """What a verifier says of an attempt.

    Attributes:
        attempt: the attempt's id.
        verifier: who says it.
        seen: what the verifier saw besides the attempt: a group, replies, or the time of a query; "" for nothing.
        judgement: the verdict.
    """

    attempt: str
    verifier: Chosen
    seen: str
    judgement: Judgement


def insert_verdicts(connection: Connection, rows: Sequence[VerdictRow]) -> Counted:
    """Store verdicts; return how many, by verifier and outcome."""
    if not rows:
        return Counter()
    names = [row.verifier.name for row in rows]
    what = ([row.attempt for row in rows], names, [row.verifier.version for row in rows], [row.seen for row in rows])
    verdicts = zip(*(row.judgement for row in rows), strict=True)
    schema = {**_WHAT, **_VERDICT}
    frame = pl.DataFrame(dict(zip(schema, (*what, *verdicts), strict=True)), schema=schema)
    insert_frame(connection, "verdicts", frame.with_columns(pl.lit(datetime.now(UTC)).alias("created_at")))
    return Counter(zip(names, frame["outcome"], strict=True))
