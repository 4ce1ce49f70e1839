"""The forecast of a dry run: which steps a run would work through, and about what they would cost. Nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from selftaught_builder.loop.loop import Loop
from selftaught_builder.loop.outlook import Outlook, StepForecast, look_out
from selftaught_builder.loop.steps import Step
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.spending.spent import spent
from selftaught_builder.stages.changes import Changed, changed_recipe
from selftaught_builder.stages.expected import StoreKnowledge
from selftaught_builder.stages.table import STAGE


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Attributes:
        passed_over: steps that are done, and would not be done again.
        steps: those still to do.
        measured: tokens are the store's own means; else `max_tokens`, the most a completion may have.
        stopped: why the loop has ended before its last round, None where it has not.
        budget: each limit of the budget, and whether it suffices.
        changed: how the recipe differs from that of the last run, None if it does not.
    """

    passed_over: int
    steps: list[StepForecast]
    measured: bool
    stopped: str | None = None
    budget: list[Outlook] = field(default_factory=list)
    changed: Changed | None = None


def forecast(loop: Loop, begin: str | None = None, until: str | None = None) -> Forecast:
    """Foresee a run.

    Raises:
        InputError: what `Loop.todo` raises, or dollars are limited and nobody knows what the endpoint charges.
        QuestionError: the questions cannot be read.
    """
    todo, done = loop.todo(begin, until), loop.details()
    stopped = loop.reason_to_stop(todo[0]) if todo and not begin else None
    passed_over = sum(step in done and step not in todo for step in loop.steps)
    return _forecast(loop.workspace, [] if stopped else todo, passed_over, stopped)


def forecast_sample(workspace: Workspace) -> Forecast:
    """Foresee the command `sample`. Raises what `forecast` raises."""
    return _forecast(workspace, [Step(1, "sample")])


def _forecast(workspace: Workspace, todo: Sequence[Step], passed_over: int = 0, stopped: str | None = None) -> Forecast:
    _ = workspace.filter  # a wrong recipe is told before what it would cost
    room, known = workspace.room, StoreKnowledge(workspace)
    steps = [StepForecast(str(step), **asdict(STAGE[step.stage].expects(room, step.round, known))) for step in todo]
    budget = look_out(spent(room, todo[0].round if todo else None), steps)
    return Forecast(passed_over, steps, known.measured, stopped, budget, changed_recipe(workspace))
