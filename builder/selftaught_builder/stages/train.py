"""The train step: from a dataset version to a recorded checkpoint.

A training is identified by what determines its weights. Where one of the same identity is finished, its checkpoint is used
again, also where nobody was left to record it; where it was broken off it begins anew, in an empty folder: Axolotl's cache of
prepared data would hand out stale rows.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError, InputError, RecipeError, SelftaughtError, UnwritableError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.common.names import file_name
from selftaught_builder.common.paths import expand
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.export.intact import check_version
from selftaught_builder.room.room import Room
from selftaught_builder.serving.local.checkpoint import read_config
from selftaught_builder.store import Store
from selftaught_builder.store.database import WRITE_PATIENCE
from selftaught_builder.training import Order, Progress, Trained, Trainer, only_trainer, render_yaml

NOT_EXPORTED = ("preference", "stepwise")
"""Templates whose rows no dataset version has yet."""


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
    settings = room.recipe.train
    assert settings is not None, "the loop has no train step without it"  # noqa: S101
    store = room.store()
    trainer = Trainer.find(room.folder, settings.device)
    steps = settings.steps.of(number)
    base_weights = _fingerprint(base_model)
    anywhere = Order(Path("/", version), base_model, Path("/training"), steps)
    unplaced = render_yaml(settings, anywhere, room.folder, trainer.device)
    identity = hashlib.sha256(f"{base_weights}\n{unplaced}".encode()).hexdigest()[:32]
    known = find_checkpoint(room, store, identity)
    if known:
        return known
    if not (room.folder / version).is_dir():
        mend = f"Write it again: `selftaught run {room.folder} --from {number}/export`."
        raise InputError("this dataset version is gone", place=room.folder / version, mend=mend)
    check_version(store, room.folder / version)
    folder = room.folder / "trainings" / f"{file_name(room.run)}-r{number}-{identity[:8]}"
    order = Order(room.folder / version, base_model, folder, steps)
    text = render_yaml(settings, order, room.folder, trainer.device)
    began = {
        "id": identity,
        "run": room.run,
        "round": number,
        "recipe_name": room.recipe.name,
        "version": version,
        "base_model": _without_room(base_model, room.folder),
        "base_weights": base_weights,
        "yaml": text,
        "yaml_hash": hashlib.sha256(text.encode()).hexdigest(),
        "folder": str(folder.relative_to(room.folder)),
        "trainer": f"axolotl {trainer.version}",
        "steps": steps,
        "losses": "[]",
    }
    # Both all the while: what comes out must not be lost because somebody else is writing just then.
    with _disk_errors_told(folder), store.writer(), only_trainer(folder) as lock:
        if known := find_checkpoint(room, store, identity):  # of a run that has ended since we looked
            return known
        started = time.monotonic()
        left = trainer.finished(folder) if _is_under_way(store, identity) else None
        try:
            if left is None:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                file = folder / "axolotl.yaml"
                file.write_text(text, encoding="utf-8")
                _begin(store, began)
                launcher, arguments = settings.launcher, settings.launcher_args
                trained = trainer.train(
                    file, folder, on_progress, launcher=launcher, launcher_args=arguments, lock=lock
                )
            else:
                trained = left
            served = _to_serve(room, trained)
            weights = fingerprint_weights(served)
        except SelftaughtError as error:
            _finish(store, identity, time.monotonic() - started, error=str(error))
            raise
        seconds = trained.seconds if left else time.monotonic() - started
        losses = [[step, loss] for step, loss in trained.losses]
        model = str(served.relative_to(room.folder))
        _finish(store, identity, seconds, losses=json.dumps(losses), model=model, weights=weights)
    loss = losses[-1][1] if losses else None
    return Checkpoint(number, served, weights, identity, 0.0 if left else seconds, steps, loss)


def rendered(room: Room) -> str:
    """Return the Axolotl YAML of the next training, over the newest dataset version, checked against Axolotl's own schema.

    There need be no version yet: a YAML can be checked before anything is paid for.

    Raises:
        InputError: the recipe does not train, no trainer is here, or Axolotl refuses the YAML.
    """
    settings = room.recipe.train
    if settings is None:
        raise nothing_to_train(room)
    newest = "SELECT version FROM dataset_versions WHERE recipe_name = ? ORDER BY number DESC LIMIT 1"
    versions = room.store().sql(newest, [room.recipe.name])["version"].to_list() if room.store_path.exists() else []
    version = versions[0] if versions else "not-exported-yet"
    trainer = Trainer.find(room.folder, settings.device)
    order = Order(
        room.folder / version, base_model_of(room), room.folder / "trainings" / "by-hand", settings.steps.of(1)
    )
    text = render_yaml(settings, order, room.folder, trainer.device)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "axolotl.yaml")
        file.write_text(text, encoding="utf-8")
        trainer.check(file)
    return text


def check_training(room: Room) -> None:
    """Check all of a `train` section that can be checked without training: before anything is asked, not after.

    Raises:
        InputError: no trainer here, no base model, or a section that the loop or the rendering refuses.
    """
    settings = room.recipe.train
    if settings is None:
        return
    trainer, base_model = Trainer.find(room.folder, settings.device), base_model_of(room)
    if settings.init == "last" and serves_adapters(room):
        mend = "Train from the base, or set endpoint.sglang.swap to restart or update_weights."
        raise RecipeError("an adapter is no model to go on training from", place="train.init", mend=mend)
    if settings.recipe in NOT_EXPORTED:
        problem = f"no dataset version has the rows that `{settings.recipe}` trains on"
        mend = "Use full, lora or qlora, or an Axolotl YAML of your own."
        raise RecipeError(problem, place="train.recipe", mend=mend)
    order = Order(Path("/version"), base_model, Path("/training"), settings.steps.of(1))
    render_yaml(settings, order, room.folder, trainer.device)


def nothing_to_train(room: Room) -> InputError:
    """Return the error of who wants to train what the recipe does not train, or before there is a version to train on."""
    if room.recipe.train is None:
        return RecipeError("the recipe does not train", place="train", mend="Add a `train` section.")
    mend = f"`selftaught run {room.folder} --until 1/export` makes one."
    return InputError("there is no dataset version to train on yet", place=room.folder, mend=mend)


def base_model_of(room: Room) -> str:
    """Return the model that training starts from: a folder's absolute path, or a name that the trainer looks up on the hub.

    Raises:
        RecipeError: it is not there, or can only be served and not trained.
        InputError: it is a folder that `local` could not serve once it is trained.
    """
    settings = room.recipe.train
    named = (settings.base_model if settings else None) or room.recipe.endpoint.model
    local = room.recipe.endpoint.kind == "local"
    path = (room.folder / expand(named)).resolve()
    if path.is_dir():
        if local:
            read_config(path)
        return str(path)
    place = "train.base_model" if settings and settings.base_model else "endpoint.model"
    mend = "Name a folder with config.json, tokenizer and *.safetensors, or a model on the hub (OWNER/NAME)."
    if path.exists():
        raise RecipeError(f"`{named}` is a file, and training needs a checkpoint's folder", place=place, mend=mend)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+" if local else r"[\w.-]+(/[\w.-]+)?", named) or named.startswith("."):
        raise RecipeError(f"`{named}` is no checkpoint's folder that training could start from", place=place, mend=mend)
    return named


def find_checkpoint(room: Room, store: Store, training: str) -> Checkpoint | None:
    """Return a finished training's checkpoint, None where it has none, or its folder is gone or holds other weights."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT round, model, weights, id, steps, losses FROM trainings WHERE id = ? AND weights IS NOT NULL",
            [training],
        ).fetchone()
    if row is None or _fingerprint(str(room.folder / row[1])) != row[2]:
        return None
    losses = json.loads(row[5])
    return Checkpoint(row[0], room.folder / row[1], row[2], row[3], 0.0, row[4], losses[-1][1] if losses else None)


def serves_adapters(room: Room) -> bool:
    """Return whether the endpoint takes each round's weights as an adapter on the base model."""
    endpoint = room.recipe.endpoint
    return endpoint.kind == "sglang" and endpoint.sglang.swap == "adapter"


def _to_serve(room: Room, trained: Trained) -> Path:
    if not serves_adapters(room):
        return trained.model
    if trained.adapter is None:
        mend = "Train with `lora` or `qlora`, or set endpoint.sglang.swap to restart or update_weights."
        raise RecipeError("the training left no adapter to serve", place="endpoint.sglang.swap", mend=mend)
    return trained.adapter


def _fingerprint(model: str) -> str:
    try:
        return fingerprint_weights(Path(model)) if Path(model).is_dir() else UNKNOWN_WEIGHTS
    except EndpointError:
        return UNKNOWN_WEIGHTS  # weights in another format than safetensors


def _without_room(model: str, room: Path) -> str:
    path = Path(model)
    return (
        str(path.relative_to(room.resolve())) if path.is_absolute() and path.is_relative_to(room.resolve()) else model
    )


@contextmanager
def _disk_errors_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whom we told of the progress
        raise
    except OSError as error:
        mend = "Make room, or make it writable, and run again: what was trained to its end is not trained again."
        raise UnwritableError(f"{folder}: cannot be written: {error}\n  {mend}") from error


def _is_under_way(store: Store, identity: str) -> bool:
    """Whether a training has begun, and nobody has recorded its end."""
    query = "SELECT count(*) FROM trainings WHERE id = ? AND finished_at IS NULL"
    return bool(store.sql(query, [identity]).item())


def _begin(store: Store, row: dict[str, Any]) -> None:
    columns = ", ".join(row)
    places = ", ".join("?" * len(row))
    with store.write() as connection:
        connection.execute("DELETE FROM trainings WHERE id = ?", [row["id"]])
        connection.execute(f"INSERT INTO trainings ({columns}, started_at) VALUES ({places}, now())", [*row.values()])


def _finish(store: Store, identity: str, seconds: float, **columns: Any) -> None:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    # A reader may hold the file open; what took so long to make is worth waiting for as long again.
    with store.write(patience=max(seconds, WRITE_PATIENCE)) as connection:
        connection.execute(
            f"UPDATE trainings SET finished_at = now(), seconds = ?, {assignments} WHERE id = ?",
            [seconds, *columns.values(), identity],
        )
