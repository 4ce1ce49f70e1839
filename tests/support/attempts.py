"""Attempts as tests make them: complete rows, of which a test says only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from selftaught_builder.common.keys import attempt_id, seed_of
from selftaught_builder.store.rows import AttemptRow, columns_of

_USUAL = {
    "try": 1,
    "round": 1,
    "kind": "sampled",
    "sample_index": 0,
    "reasoning": "",
    "finish_reason": "stop",
    "parameters": "{}",
    "latency": 0.1,
    "provider": "{}",
}


def attempt_row(key: str, **columns: Any) -> AttemptRow:
    """Return an attempt with a key: the columns given, the usual ones, and NULL.

    Raises:
        TypeError: an attempt has no such column.
    """
    names = [column.name for column in columns_of("attempts")]
    if unknown := columns.keys() - set(names):
        raise TypeError(f"an attempt has no {sorted(unknown)}")
    derived = {
        "id": attempt_id(key, columns.get("try", 1)),
        "key": key,
        "seed": seed_of(key),
        "created_at": datetime.now(UTC).isoformat(),
    }
    return cast("AttemptRow", {"table": "attempts", **dict.fromkeys(names), **_USUAL, **derived, **columns})
