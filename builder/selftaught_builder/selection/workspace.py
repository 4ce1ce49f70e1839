"""A room at work: its store, opened once, and its filter, compiled once, for all that one command does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property

from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import Scope, newest_scope, scope_of
from selftaught_builder.selection.filter import Filter, compile_filter
from selftaught_builder.selection.reading import View, reading
from selftaught_builder.store import Store


class Workspace:
    """A room, with what is made of it once.

    Args:
        room: the room.
    """

    def __init__(self, room: Room) -> None:
        self.room = room

    @cached_property
    def store(self) -> Store:
        """The room's store. Raises StoreError if it has none."""
        return self.room.store()

    @cached_property
    def filter(self) -> Filter:
        """The recipe's filter. Raises what `compile_filter` raises, and RecipeError if the prompts cannot be rendered."""
        _ = self.room.prompter
        if not self.has_store:
            return compile_filter(self.room.recipe)
        with self.store.read() as connection:
            return compile_filter(self.room.recipe, connection)

    @property
    def has_store(self) -> bool:
        """Whether the room has a store yet."""
        return self.room.store_path.exists()

    def create_store(self) -> Store:
        """Return the store, made if it is missing."""
        if not self.has_store:
            self.store = self.room.store(create=True)
        return self.store

    def scope(self) -> Scope:
        """Return what the recipe draws on, over all rounds that have begun."""
        return scope_of(self.store, self.room)

    def newest_scope(self) -> Scope:
        """Return what a dataset version that is exported now draws on."""
        return newest_scope(self.store, self.room)

    def reading(self, scope: Scope) -> AbstractContextManager[View]:
        """Open the store for reading, with the views over a scope."""
        return reading(self.store, scope, self.filter)
