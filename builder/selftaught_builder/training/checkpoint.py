"""Trainings as the store records them, and the checkpoints that they left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.room.room import Room
from selftaught_builder.store import Store
from selftaught_builder.store.database import WRITE_PATIENCE


@dataclass(frozen=True)
class Checkpoint:
    """What a finished training left.

    Attributes:
        round: the round that trained it.
        folder: the checkpoint, fit to be served and to be trained on; an adapter where the endpoint takes adapters.
        weights: its fingerprint.
        training: the training's id.
        seconds: wall time of the trainer's process in this sitting; 0 where it was there already.
        steps: optimizer steps.
        loss: of the last step logged.
    """

    round: int
    folder: Path
    weights: str
    training: str
    seconds: float
    steps: int
    loss: float | None


def find_checkpoint(room: Room, store: Store, training: str) -> Checkpoint | None:
    """Return a finished training's checkpoint, None where it has none, or its folder is gone or holds other weights."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT round, model, weights, id, steps, losses FROM trainings WHERE id = ? AND weights IS NOT NULL",
            [training],
        ).fetchone()
    if row is None or fingerprint_of(str(room.folder / row[1])) != row[2]:
        return None
    losses = json.loads(row[5])
    return Checkpoint(row[0], room.folder / row[1], row[2], row[3], 0.0, row[4], losses[-1][1] if losses else None)


def fingerprint_of(model: str) -> str:
    """Return the fingerprint of the weights in a folder; unknown weights for a model of the hub, or of another format."""
    try:
        return fingerprint_weights(Path(model)) if Path(model).is_dir() else UNKNOWN_WEIGHTS
    except EndpointError:
        return UNKNOWN_WEIGHTS  # weights in another format than safetensors


def is_under_way(store: Store, identity: str) -> bool:
    """Whether a training has begun, and nobody has recorded its end."""
    query = "SELECT count(*) FROM trainings WHERE id = ? AND finished_at IS NULL"
    return bool(store.sql(query, [identity]).item())


def record_begin(store: Store, row: dict[str, Any]) -> None:
    """Record that a training begins, in place of an earlier try; `row` holds columns of `trainings`."""
    columns = ", ".join(row)
    places = ", ".join("?" * len(row))
    with store.write() as connection:
        connection.execute("DELETE FROM trainings WHERE id = ?", [row["id"]])
        connection.execute(f"INSERT INTO trainings ({columns}, started_at) VALUES ({places}, now())", [*row.values()])


def record_end(store: Store, identity: str, seconds: float, **columns: Any) -> None:
    """Record that a training has ended after so many seconds; further columns say how."""
    assignments = ", ".join(f"{name} = ?" for name in columns)
    # A reader may hold the file open; what took so long to make is worth waiting for as long again.
    with store.write(patience=max(seconds, WRITE_PATIENCE)) as connection:
        connection.execute(
            f"UPDATE trainings SET finished_at = now(), seconds = ?, {assignments} WHERE id = ?",
            [seconds, *columns.values(), identity],
        )
