"""The ledger: how far each step of a run is, as the store keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from selftaught_builder.loop.steps import Step
from selftaught_builder.recipe import Recipe
from selftaught_builder.stages.table import STAGES
from selftaught_builder.store import Store


class Ledger:
    """The table `stages` of one run.

    Args:
        store: the store; it may lack the run.
        run: the run.
    """

    def __init__(self, store: Store, run: str) -> None:
        self.store, self.run = store, run

    def details(self) -> dict[Step, dict[str, Any]]:
        """Return what each finished step wrote down, and as `recipe` the hash of the recipe that it was done under."""
        with self.store.read() as connection:
            rows = connection.execute(
                "SELECT round, stage, detail, recipe_hash FROM stages WHERE run = ? AND finished_at IS NOT NULL",
                [self.run],
            ).fetchall()
        return {Step(number, stage): {**as_object(detail), "recipe": recipe} for number, stage, detail, recipe in rows}

    def begin(self, step: Step, recipe: Recipe) -> None:
        """Write down that a step begins, under this recipe."""
        with self.store.writer(), self.store.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, now(), NULL, '{}')",
                [self.run, step.round, step.stage, shaping_hash(recipe)],
            )

    def finish(self, step: Step, detail: Mapping[str, Any]) -> None:
        """Write down that it is finished, and what it did."""
        with self.store.writer(), self.store.write() as connection:
            connection.execute(
                "UPDATE stages SET finished_at = now(), detail = ? WHERE run = ? AND round = ? AND stage = ?",
                [json.dumps(detail), self.run, step.round, step.stage],
            )

    def forget(self, first: Step) -> None:
        """Count a step and all that follow it, in whatever round, as not done.

        What they made stays, but for the evaluations: they would pass for those of the models that are made anew.
        """
        of_its_round = [stage.name for stage in STAGES[first.place[1] :]]
        with self.store.writer(), self.store.write() as connection:
            connection.execute(
                "UPDATE stages SET finished_at = NULL "
                "WHERE run = ? AND (round > ? OR round = ? AND stage IN (SELECT unnest(?::VARCHAR[])))",
                [self.run, first.round, first.round, of_its_round],
            )
            connection.execute("DELETE FROM evaluations WHERE run = ? AND round >= ?", [self.run, first.round])


def shaping_hash(recipe: Recipe) -> str:
    """Return the recipe's hash without what changes nothing in a step that is done.

    That is how many rounds there are, patience, how fast and for how much the endpoint is asked, and at which of the places
    that serve it.
    """
    rounds = recipe.rounds.model_copy(update={"count": 1, "patience": None, "fall": None})
    pace = {"concurrency": "auto", "requests_per_minute": None, "tokens_per_minute": None, "budget": None}
    parts = {
        "rounds": rounds,
        "sample": recipe.sample.model_copy(update=pace),
        "endpoint": recipe.endpoint.model_copy(update={"replicas": [], "share": None}),
    }
    return recipe.model_copy(update=parts).hash


def as_object(text: str) -> dict[str, Any]:
    """Return what a step wrote down; nothing where it is no JSON object, for a store may be from anywhere."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}
