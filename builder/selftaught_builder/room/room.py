"""A room: the folder of one dataset, with its recipe, its few-shot rationales, its store and its built versions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.common.paths import expand
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.questions import Divided, Loaded, divide_questions
from selftaught_builder.questions.sources import override_source
from selftaught_builder.recipe import Questions, Recipe, find_recipe, load_recipe
from selftaught_builder.store import Store, open_store
from selftaught_builder.store.journal import Fsync


@dataclass(frozen=True)
class Room:
    """A recipe and where it stands.

    Attributes:
        folder: the room's folder; every relative path in the recipe starts here.
        recipe: the recipe, with the command line's overrides.
        store_path: the store's file.
        run: the run's name; running again under the same name continues it.
        fsync: the journal's policy.
    """

    folder: Path
    recipe: Recipe
    store_path: Path
    run: str
    fsync: Fsync = "group"

    @cached_property
    def prompter(self) -> Prompter:
        """The renderer of this room's prompts."""
        return Prompter.of(self.recipe.prompt, self.folder)

    @cached_property
    def divided(self) -> Divided:
        """The questions with those held out, read once: the source may be far away."""
        return divide_questions(self.recipe.questions, self.folder)

    @property
    def questions(self) -> Loaded:
        """The questions to sample and train on."""
        return self.divided.training

    def store(self, *, create: bool = False) -> Store:
        """Open the room's store."""
        return open_store(self.store_path, create=create, fsync=self.fsync)


def open_room(path: Path, *, questions: str | None = None, store: Path | None = None, run: str | None = None) -> Room:
    """Open a room.

    Args:
        path: the room's folder or its recipe file.
        questions: read the questions from here instead of the recipe's source (from the working directory).
        store: keep the attempts here instead of in the recipe's store.
        run: the run's name, the recipe's name where absent.

    Raises:
        RecipeError: no recipe there, or a wrong one.
        InputError: the run's name is no text.
    """
    if run and run != run.encode(errors="replace").decode():
        raise InputError("not UTF-8", place="--run", mend="Name the run in UTF-8.")
    file = find_recipe(path)
    recipe = load_recipe(file)
    if questions:
        replaced = _override(recipe.questions, questions)
        recipe = recipe.model_copy(update={"questions": replaced})
    fsync = os.environ.get("SELFTAUGHT_FSYNC", "group")
    if fsync not in ("always", "group", "never"):
        raise RecipeError(f"`{fsync}` is no fsync policy", place="SELFTAUGHT_FSYNC", mend="Use always, group or never.")
    folder = file.parent.absolute()  # the trainer and the servers work in folders of their own
    return Room(folder, recipe, store or folder / recipe.store, run or recipe.name, fsync)


def _override(settings: Questions, source: str) -> Questions:
    """A local path may stand for the hub's copy; an address (`hf://`, `gym://`) replaces the source as it is."""
    if "://" in source:
        return settings.model_copy(update={"source": source, "query": None})
    return override_source(settings, expand(source))
