"""Steps: the stages of all rounds in their order, and the ledger of how far a run is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import Store

STAGES = ("sample", "verify", "rationalize", "verify_rationalized", "export", "train", "evaluate")


@dataclass(frozen=True)
class Step:
    """One stage of one round. Round 0 has one stage alone: the evaluation of the base model."""

    round: int
    stage: str

    def __str__(self) -> str:
        return f"{self.round}/{self.stage}"

    @property
    def place(self) -> tuple[int, int]:
        """What steps are ordered by."""
        return self.round, STAGES.index(self.stage)


def steps_of(recipe: Recipe, rounds: int) -> list[Step]:
    """Return a run's steps: without `train` there is one round, and without held-out questions no evaluation.

    Raises:
        InputError: several rounds, and no `train`.
    """
    if rounds > 1 and recipe.train is None:
        mend = "Add a `train` section: without training each round would ask the same model again."
        raise InputError(f"{rounds} rounds, and no training between them", place="train", mend=mend)
    held_out = recipe.questions.validation is not None or recipe.questions.evaluate is not None
    left_out = set()
    if not recipe.rationalize.k:
        left_out |= {"rationalize", "verify_rationalized"}
    if recipe.train is None:
        left_out.add("train")
    if recipe.train is None or not held_out:
        left_out.add("evaluate")
    stages = [stage for stage in STAGES if stage not in left_out]
    first = [Step(0, "evaluate")] if "evaluate" in stages else []
    return first + [Step(number, stage) for number in range(1, rounds + 1) for stage in stages]


def parse_step(text: str, option: str, steps: list[Step], default_round: int) -> Step:
    """Return the step that `[ROUND/]STAGE` names.

    Args:
        text: as given on the command line.
        option: the option's name, for the error.
        steps: the run's steps.
        default_round: the round meant where none is named.

    Raises:
        InputError: no such step in this run.
    """
    found = re.fullmatch(r"(?:(\d{1,6})/)?([a-z_]+)", text)
    if found:
        step = Step(int(found[1]) if found[1] else default_round, found[2])
        if step in steps:
            return step
    stages = ", ".join(dict.fromkeys(step.stage for step in steps))
    raise InputError(
        f"no step `{text}` in this run",
        place=option,
        mend=f"Give a stage ({stages}), or ROUND/STAGE, up to {steps[-1]}.",
    )


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
        of_its_round = list(STAGES[first.place[1] :])
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
