"""Sittings: each time that a stage is worked on, by `run` or by a command of its own, with the seconds that it took.

A stage is often done in several sittings. The table `stages` says only how far it is; what it took in all is the sum of these.
A sitting that is killed leaves no record: what it asked is in the attempts all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from selftaught_builder.store import Store


def record_sitting(store: Store, run: str, round_number: int, stage: str, detail: Mapping[str, Any]) -> None:
    """Record a sitting that ends now, stopped ones included. The caller does not hold the writer lock.

    Args:
        store: the store.
        run: the run.
        round_number: the round; 0 is the base model's.
        stage: one of `steps.STAGES`.
        detail: what the stage counts, such as `planned`, and `seconds` by what took them, with their `total`.
    """
    ended = datetime.now(UTC)
    began = ended - timedelta(seconds=detail["seconds"]["total"])
    with store.writer(), store.write() as connection:
        connection.execute(
            "INSERT INTO sittings VALUES (?, ?, ?, ?, ?, ?)",
            [run, round_number, stage, began, ended, json.dumps(detail)],
        )
