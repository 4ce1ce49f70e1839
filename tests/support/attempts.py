"""Attempts as a run would have stored them: one factory for all stores that tests fill by hand."""

from __future__ import annotations

from typing import Any

from selftaught_builder.common.keys import attempt_id, seed_of
from selftaught_builder.store.rows import AttemptRow, columns_of

START = "2026-11-01T12:00:00+00:00"


def attempt_row(key: str, **columns: Any) -> AttemptRow:
    """Return an attempt with this key; `columns` are those that matter, by the names that the table has."""
    number = columns.get("try", 1)
    usual = {
        "id": attempt_id(key, number),
        "key": key,
        "try": number,
        "run": "sums",
        "round": 1,
        "kind": "sampled",
        "sample_index": 0,
        "completion": "The answer is 5.",
        "reasoning": "",
        "finish_reason": "stop",
        "endpoint": "http://127.0.0.1:1/v1",
        "model": "scripted",
        "model_replied": columns.get("model", "scripted"),
        "weights": "sha256:" + "0" * 16,
        "parameters": "{}",
        "seed": seed_of(key),
        "tokens_in": 10,
        "tokens_out": 5,
        "latency": 0.1,
        "provider": "{}",
        "created_at": START,
    }
    fields = columns_of(AttemptRow)
    return AttemptRow(**{fields[name]: value for name, value in {**usual, **columns}.items()})
