"""Which model answers in a round, and which one it trains: the base model, or the checkpoint of a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.loop.steps import Step
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.serving.pool import Opened, Pool
from selftaught_builder.training.base_model import base_model_of
from selftaught_builder.training.checkpoint import Checkpoint, find_checkpoint

Details = Mapping[Step, Mapping[str, Any]]
"""What each finished step of a run wrote down."""


class Models:
    """The checkpoints of a run.

    Args:
        workspace: the room and its store.
        serving: what serves them.
    """

    def __init__(self, workspace: Workspace, serving: Pool) -> None:
        self.workspace, self.serving = workspace, serving

    def client(self, number: int, details: Details) -> Callable[[], AbstractAsyncContextManager[Opened]]:
        """Return what opens the pool that serves a round's model; it is served once somebody asks for it.

        Args:
            number: the round that trained it; 0 is the base model.
            details: of the run's finished steps.

        Raises:
            InputError: the checkpoint is gone, or is not what was trained.
        """
        model = self._folder(number, details)

        def client() -> AbstractAsyncContextManager[Opened]:
            self.serving.load(model)
            return self.serving.open()

        return client

    def base_model(self, number: int, details: Details) -> str:
        """Return the model that a round trains from. Raises what `client` raises."""
        settings = self.workspace.room.recipe.train
        last = self._folder(number - 1, details) if settings and settings.init == "last" else None
        return str(last) if last else base_model_of(self.workspace.room)

    def checkpoint(self, number: int, details: Details) -> Checkpoint | None:
        """Return what a round trained, None if it has not, or if its checkpoint is gone."""
        made = details.get(Step(number, "train"))
        return find_checkpoint(self.workspace.room, self.workspace.store, made["training"]) if made else None

    def _folder(self, number: int, details: Details) -> Path | None:
        """The checkpoint's folder; None for the base model."""
        if number == 0:
            return None
        found, folder = self.checkpoint(number, details), self.workspace.room.folder
        if found is None:
            mend = f"Train it again: `selftaught run {folder} --from {number}/train`."
            problem = f"the checkpoint of round {number} is gone, or is not what was trained"
            raise InputError(problem, place=folder / "trainings", mend=mend)
        return found.folder
