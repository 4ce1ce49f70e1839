"""The stage `train`: from a dataset version to a recorded checkpoint.

A training is identified by what determines its weights. If one of the same identity is finished, its checkpoint is used again,
even if nobody was left to record it; if it was broken off it begins anew, in an empty folder: Axolotl's cache of prepared data
would hand out stale rows.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import InputError, SelftaughtError, UnwritableError
from selftaught_builder.common.names import file_name
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.export.intact import check_version
from selftaught_builder.recipe import Train
from selftaught_builder.room.room import Room
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Stage
from selftaught_builder.store import Store
from selftaught_builder.training import Order, Progress, Trained, Trainer, only_trainer, render_yaml
from selftaught_builder.training.base_model import folder_to_serve, without_room
from selftaught_builder.training.checkpoint import (
    Checkpoint,
    find_checkpoint,
    fingerprint_of,
    is_under_way,
    record_begin,
    record_end,
)


def train(context: RoundContext) -> StageResult:
    """Train the context's base model on its dataset version. Raises what `train_round` raises."""
    note = context.watcher.note
    note("starting Axolotl, which takes a while by itself")
    with _shown(context) as on_progress:
        made = train_round(context.room, context.round, context.version, context.base_model, on_progress)
    if not made.seconds:
        note("trained before on the same data with the same YAML from the same weights: taken over")
    loss = "" if made.loss is None else f", loss {made.loss:.3f}"
    note(f"{made.folder.relative_to(context.room.folder)}: {made.steps} steps{loss}, {made.weights}")
    return StageResult(checkpoint=made, facts={"training": made.training, "seconds": {"trainer": made.seconds}})


def train_round(
    room: Room, number: int, version: str, base_model: str, on_progress: Callable[[Progress], None]
) -> Checkpoint:
    """Train a round's model on a dataset version, and record it.

    Args:
        room: the room; its recipe has a `train` section.
        number: the round, counted from 1.
        version: the dataset version's name.
        base_model: the model to start from, see `base_model_of`.
        on_progress: called as the trainer tells of its steps.

    Raises:
        InputError: no trainer here, no such version any more, or a key that Axolotl does not know.
        SelftaughtError: the training failed; the store says why, and running again begins it anew.
    """
    store = room.store()
    planned = _plan(room, number, version, base_model)
    if known := find_checkpoint(room, store, planned.identity):
        return known
    if not (room.folder / version).is_dir():
        mend = f"Write it again: `selftaught run {room.folder} --from {number}/export`."
        raise InputError("this dataset version is gone", place=room.folder / version, mend=mend)
    check_version(store, room.folder / version)
    # Both all the while: what comes out must not be lost because somebody else is writing just then.
    with _disk_errors_told(planned.folder), store.writer(), only_trainer(planned.folder) as lock:
        if known := find_checkpoint(room, store, planned.identity):  # of a run that has ended since we looked
            return known
        return _train(room, store, planned, on_progress, lock)


@dataclass(frozen=True)
class _Planned:
    """A training that is to be done.

    Attributes:
        identity: a hash of what determines the weights.
        settings: the recipe's `train` section.
        trainer: who trains.
        folder: where it trains.
        yaml: what Axolotl reads.
        row: what the store records as it begins.
    """

    identity: str
    settings: Train
    trainer: Trainer
    folder: Path
    yaml: str
    row: dict[str, Any]


def _plan(room: Room, number: int, version: str, base_model: str) -> _Planned:
    settings = room.recipe.train
    if settings is None:
        raise ValueError("a recipe without `train` has no train stage")
    trainer, steps = Trainer.find(room.folder, settings.device), settings.steps.of(number)
    base_weights = fingerprint_of(base_model)
    # Where the folders lie changes no weights.
    anywhere = Order(Path("/", version), base_model, Path("/training"), steps)
    unplaced = render_yaml(settings, anywhere, room.folder, trainer.device)
    identity = hashlib.sha256(f"{base_weights}\n{unplaced}".encode()).hexdigest()[:32]
    folder = room.folder / "trainings" / f"{file_name(room.run)}-r{number}-{identity[:8]}"
    order = Order(room.folder / version, base_model, folder, steps)
    text = render_yaml(settings, order, room.folder, trainer.device)
    row = {
        "id": identity,
        "run": room.run,
        "round": number,
        "recipe_name": room.recipe.name,
        "version": version,
        "base_model": without_room(base_model, room.folder),
        "base_weights": base_weights,
        "yaml": text,
        "yaml_hash": hashlib.sha256(text.encode()).hexdigest(),
        "folder": str(folder.relative_to(room.folder)),
        "trainer": f"axolotl {trainer.version}",
        "steps": steps,
        "losses": "[]",
    }
    return _Planned(identity, settings, trainer, folder, text, row)


def _train(
    room: Room, store: Store, planned: _Planned, on_progress: Callable[[Progress], None], lock: int
) -> Checkpoint:
    """Train, or take over what a killed run's trainer has finished, and record how it ended."""
    started = time.monotonic()
    left = planned.trainer.finished(planned.folder) if is_under_way(store, planned.identity) else None
    try:
        trained = left or _run_trainer(store, planned, on_progress, lock)
        served = folder_to_serve(room, trained)
        weights = fingerprint_weights(served)
    except SelftaughtError as error:
        record_end(store, planned.identity, time.monotonic() - started, error=str(error))
        raise
    seconds = trained.seconds if left else time.monotonic() - started
    losses = [[step, loss] for step, loss in trained.losses]
    model = str(served.relative_to(room.folder))
    record_end(store, planned.identity, seconds, losses=json.dumps(losses), model=model, weights=weights)
    loss, steps = losses[-1][1] if losses else None, planned.row["steps"]
    spent = 0.0 if left else seconds
    return Checkpoint(planned.row["round"], served, weights, planned.identity, spent, steps, loss)


def _run_trainer(store: Store, planned: _Planned, on_progress: Callable[[Progress], None], lock: int) -> Trained:
    settings, folder = planned.settings, planned.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    file = folder / "axolotl.yaml"
    file.write_text(planned.yaml, encoding="utf-8")
    record_begin(store, planned.row)
    return planned.trainer.train(
        file, folder, on_progress, launcher=settings.launcher, launcher_args=settings.launcher_args, lock=lock
    )


@contextmanager
def _shown(context: RoundContext) -> Iterator[Callable[[Progress], None]]:
    """Show the trainer's steps as they are done."""
    settings, done = context.room.recipe.train, 0
    with context.watcher.stage("train", settings.steps.of(context.round) if settings else 0, None):

        def on_progress(progress: Progress) -> None:
            nonlocal done
            context.watcher.advance(max(0, progress.step - done))
            done = max(done, progress.step)

        yield on_progress


@contextmanager
def _disk_errors_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whom we told of the progress
        raise
    except OSError as error:
        mend = "Make room, or make it writable, and run again: what was trained to its end is not trained again."
        raise UnwritableError(f"{folder}: cannot be written: {error}\n  {mend}") from error


def expects(room: Room, number: int, known: StoreKnowledge) -> Expected:
    """Return how many rows would be trained on."""
    settings = room.recipe.train
    return Expected(rows=settings.steps.of(number) * settings.batch_size) if settings else Expected()


STAGE = Stage("train", train, belongs=lambda recipe: recipe.train is not None, expects=expects, trains=True)
