"""What can be told of a training before anything is trained or asked: its checks, and its YAML."""

from __future__ import annotations

import tempfile
from pathlib import Path

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.room.room import Room
from selftaught_builder.training import Order, Trainer, render_yaml
from selftaught_builder.training.base_model import base_model_of, serves_adapters

NOT_EXPORTED = ("preference", "stepwise")
"""Templates whose rows no dataset version has yet."""


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
