"""The forecast of a dry run: which steps a run would work through, and about what they would cost. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.loop.loop import Loop
from selftaught_builder.loop.steps import Step
from selftaught_builder.plans import evaluation_tokens

_MEANS = """
SELECT kind, avg(tokens_in) AS tokens_in, avg(tokens_out) AS tokens_out FROM attempts
WHERE run = ? AND error IS NULL GROUP BY kind
"""


@dataclass(frozen=True)
class Foreseen:
    """What one step would do.

    Attributes:
        step: `2/sample`.
        requests: how many at most; what the store has already is not asked for again.
        tokens_in, tokens_out: about so many; tokens_in is None where the store knows no such request yet.
        cost: US dollars; None where the recipe has no prices or tokens_in is unknown.
        rows: rows trained on, batch size times steps.
    """

    step: str
    requests: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    rows: int = 0


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Attributes:
        passed_over: steps that are done, and would not be done again.
        steps: those still to do.
        measured: tokens are the store's own means; else `max_tokens`, the most a completion may have.
        stopped: why the loop has ended before its last round, None where it has not.
    """

    passed_over: int
    steps: list[Foreseen]
    measured: bool
    stopped: str | None = None


def forecast(loop: Loop, begin: str | None = None, until: str | None = None) -> Forecast:
    """Foresee a run. Raises what `Loop.todo` raises, and QuestionError where the questions cannot be read."""
    todo, done = loop.todo(begin, until), loop.details()
    stopped = loop.reason_to_stop(todo[0]) if todo and not begin else None
    todo = [] if stopped else todo
    means: dict[str, dict[str, Any]] = {}
    if loop.room.store_path.exists():
        means = {row["kind"]: row for row in loop.room.store().sql(_MEANS, [loop.room.run]).to_dicts()}
    passed_over = sum(step in done and step not in todo for step in loop.steps)
    return Forecast(passed_over, [_foresee(loop, step, means) for step in todo], bool(means), stopped)


def _foresee(loop: Loop, step: Step, means: Mapping[str, Mapping[str, Any]]) -> Foreseen:
    recipe, divided = loop.room.recipe, loop.room.divided
    asked = len(divided.training.questions)
    match step.stage:
        case "sample":
            return _asking(loop, step, "sampled", asked * recipe.sample.k, recipe.sample.max_tokens, means)
        case "rationalize":
            return _asking(loop, step, "rationalized", asked * recipe.rationalize.k, recipe.sample.max_tokens, means)
        case "evaluate":
            requests = len(divided.validate) + len(divided.evaluate) * (1 + recipe.evaluate.k)
            return _asking(loop, step, "evaluated", requests, evaluation_tokens(recipe), means)
        case "train" if recipe.train:
            return Foreseen(str(step), rows=recipe.train.steps.of(step.round) * recipe.train.batch_size)
    return Foreseen(str(step))


def _asking(
    loop: Loop, step: Step, kind: str, requests: int, max_tokens: int, means: Mapping[str, Mapping[str, Any]]
) -> Foreseen:
    mean = means.get(kind) or means.get("sampled") or {}
    each_in, each_out = mean.get("tokens_in"), mean.get("tokens_out") or max_tokens
    tokens_in = None if each_in is None else round(requests * each_in)
    tokens_out, prices = round(requests * each_out), dearest([door.prices for door in loop.room.recipe.endpoint.doors])
    cost = (tokens_in * prices.input + tokens_out * prices.output) / 1e6 if prices and tokens_in is not None else None
    return Foreseen(str(step), requests, tokens_in, tokens_out, cost)
