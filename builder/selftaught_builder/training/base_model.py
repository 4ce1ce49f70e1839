"""The model that training starts from, and how what comes out of it is served."""

from __future__ import annotations

import re
from pathlib import Path

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.common.paths import expand
from selftaught_builder.room.room import Room
from selftaught_builder.serving.local.checkpoint import read_config
from selftaught_builder.training import Trained


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


def serves_adapters(room: Room) -> bool:
    """Return whether the endpoint takes each round's weights as an adapter on the base model."""
    endpoint = room.recipe.endpoint
    return endpoint.kind == "sglang" and endpoint.sglang.swap == "adapter"


def folder_to_serve(room: Room, trained: Trained) -> Path:
    """Return what of a training's files is served. Raises RecipeError if the endpoint takes adapters and there is none."""
    if not serves_adapters(room):
        return trained.model
    if trained.adapter is None:
        mend = "Train with `lora` or `qlora`, or set endpoint.sglang.swap to restart or update_weights."
        raise RecipeError("the training left no adapter to serve", place="endpoint.sglang.swap", mend=mend)
    return trained.adapter


def without_room(model: str, room: Path) -> str:
    """Return a model's name, as a path from the room if it lies in there: the store tells nothing of the machine."""
    path = Path(model)
    return (
        str(path.relative_to(room.resolve())) if path.is_absolute() and path.is_relative_to(room.resolve()) else model
    )
