"""Sittings: each time that a stage is worked on, by `run` or by a command of its own, with the seconds that it took.

A stage is often done in several sittings. The table `stages` says only how far it is; what it took in all is the sum of these.
A sitting that is killed leaves no record: what it asked is in the attempts all the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Stage
from selftaught_builder.store import Store


def work(
    stage: Stage, context: RoundContext, server_seconds: Callable[[], float] | None = None
) -> tuple[StageResult, dict[str, Any]]:
    """Run a stage and record the sitting, one that is stopped as well; return the result, and what was written down.

    Args:
        stage: the stage.
        context: what it is given.
        server_seconds: tells how long servers took to start so far, if they outlive the stage.
    """
    started, served = time.monotonic(), server_seconds() if server_seconds else 0.0
    result = stage.run(context)
    detail = result.detail
    seconds = detail["seconds"] = dict(detail.get("seconds", {}))
    if server_seconds:
        seconds["server"] = server_seconds() - served
    seconds["total"] = time.monotonic() - started
    record_sitting(context.workspace.store, context.room.run, context.round, stage.name, detail)
    return result, detail


def record_sitting(store: Store, run: str, round_number: int, stage: str, detail: Mapping[str, Any]) -> None:
    """Record a sitting that ends now. The caller does not hold the writer lock.

    Args:
        store: the store.
        run: the run.
        round_number: the round; 0 is the base model's.
        stage: a stage's name.
        detail: what the stage counts, such as `planned`, and `seconds` by what took them, with their `total`.
    """
    ended = datetime.now(UTC)
    began = ended - timedelta(seconds=detail["seconds"]["total"])
    with store.writer(), store.write() as connection:
        connection.execute(
            "INSERT INTO sittings VALUES (?, ?, ?, ?, ?, ?)",
            [run, round_number, stage, began, ended, json.dumps(detail)],
        )
