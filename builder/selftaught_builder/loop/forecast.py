"""The forecast of a dry run: which steps a run would work through, and about what they would cost. Nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from selftaught_builder.loop.loop import Loop
from selftaught_builder.loop.outlook import Outlook, look_out
from selftaught_builder.loop.step_forecast import KnownCosts, StepForecast, forecast_step
from selftaught_builder.loop.steps import Step
from selftaught_builder.room.room import Room
from selftaught_builder.spending.spent import spent
from selftaught_builder.stages.changes import Changed
from selftaught_builder.stages.pipeline import check


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
    todo = [] if stopped else todo
    known = KnownCosts(loop.room)
    steps = [forecast_step(loop.room, step, known) for step in todo]
    passed_over = sum(step in done and step not in todo for step in loop.steps)
    budget = look_out(spent(loop.room, todo[0].round if todo else None), steps)
    return Forecast(passed_over, steps, bool(known.means), stopped, budget, known.changed)


def forecast_sample(room: Room) -> Forecast:
    """Foresee the command `sample`. Raises what `forecast` raises."""
    check(room)
    known = KnownCosts(room)
    steps = [forecast_step(room, Step(1, "sample"), known)]
    return Forecast(0, steps, bool(known.means), budget=look_out(spent(room, 1), steps), changed=known.changed)
