"""The round that a stage works in, and what the stage may use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.filter import Filter
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.serving.pool import Opened, open_pool
from selftaught_builder.stages.watcher import Silent, Watcher


@dataclass(frozen=True)
class RoundContext:
    """All that a stage is given.

    Attributes:
        workspace: the room, its store and its filter.
        watcher: who is told.
        number: the round, counted from 1; 0 evaluates the base model. None if a command names none.
        client: opens the pool that answers; if None, each stage starts and stops the recipe's own.
        version: the dataset version to train on.
        base_model: the model to train from.
    """

    workspace: Workspace
    watcher: Watcher = field(default_factory=Silent)
    number: int | None = None
    client: Callable[[], AbstractAsyncContextManager[Opened]] | None = None
    version: str = ""
    base_model: str = ""

    @property
    def room(self) -> Room:
        """The room."""
        return self.workspace.room

    @property
    def filter(self) -> Filter:
        """The recipe's filter, compiled and checked."""
        return self.workspace.filter

    @property
    def round(self) -> int:
        """The round that is asked in: the first if none is named."""
        return 1 if self.number is None else self.number

    def scope(self) -> Scope:
        """Return the attempts that this round draws on."""
        return self.workspace.scope().of_round(self.round)

    def open(self) -> AbstractAsyncContextManager[Opened]:
        """Return the pool that answers in this round, to be entered."""
        return self.client() if self.client else open_pool(self.room.recipe.endpoint, self.room.folder)
