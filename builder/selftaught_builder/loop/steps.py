"""Steps: the stages of all rounds, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe import Recipe
from selftaught_builder.stages.table import PLACE, STAGES


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
        return self.round, PLACE[self.stage]


def steps_of(recipe: Recipe, rounds: int) -> list[Step]:
    """Return a run's steps: without `train` there is one round, and without held-out questions no evaluation.

    Raises:
        InputError: several rounds, and no `train`.
    """
    if rounds > 1 and recipe.train is None:
        mend = "Add a `train` section: without training each round would ask the same model again."
        raise InputError(f"{rounds} rounds, and no training between them", place="train", mend=mend)
    stages = [stage for stage in STAGES if stage.belongs(recipe)]
    first = [Step(0, stage.name) for stage in stages if stage.on_base_model]
    return first + [Step(number, stage.name) for number in range(1, rounds + 1) for stage in stages]


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
