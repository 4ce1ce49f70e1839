"""What one step of a run would do, and about what it would cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.loop.steps import Step
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.recipe.parameters import evaluation_tokens, stored_form
from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import scope_of
from selftaught_builder.scope.table import scoped
from selftaught_builder.stages.changes import Changed, changed_recipe
from selftaught_builder.store import run_sql
from selftaught_builder.verification import chosen_verifiers

# Each verifier's questions have their own parameters, and are of another length.
_MEANS = """
SELECT kind, if(kind = 'probed', parameters::VARCHAR, ''), avg(tokens_in), avg(tokens_out) FROM attempts
WHERE run = ? AND error IS NULL GROUP BY ALL
"""
_THERE = """
SELECT kind, count(DISTINCT key) FROM attempts a JOIN scoped s ON s.attempt = a.id WHERE error IS NULL GROUP BY kind
"""
_PROBED = """
SELECT parameters::VARCHAR, count(DISTINCT key) FROM attempts
WHERE run = ? AND round = ? AND kind = 'probed' AND error IS NULL GROUP BY ALL
"""


@dataclass(frozen=True)
class StepForecast:
    """What one step would do.

    Attributes:
        step: `2/sample`.
        requests: how many at most; completions that the round has are left out, others that the store has are not.
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


class KnownCosts:
    """What the store knows: how long a run's requests are by their kind, and what a round has of each kind already."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.store = room.store() if room.store_path.exists() else None
        self.means: dict[tuple[str, str], tuple[float | None, float | None]] = {}
        self._there: dict[int, Counter[str]] = {}
        self._begun: set[int] = set()
        if self.store:
            rows = self.store.sql(_MEANS, [self.room.run]).rows()
            self.means = {(kind, asked): (tokens_in, tokens_out) for kind, asked, tokens_in, tokens_out in rows}
            began = self.store.sql("SELECT DISTINCT round FROM attempts WHERE run = ?", [self.room.run])
            self._begun = set(began["round"])

    @property
    def changed(self) -> Changed | None:
        """How the recipe differs from that of the last run."""
        return changed_recipe(self.store, self.room) if self.store else None

    def lacking(self, number: int, kind: str, most: int) -> int:
        """Return how many completions of a kind (of probes, their parameters) a round lacks; what is there counts once."""
        if number not in self._there:
            self._there[number] = self._count(number)
        there = self._there[number]
        taken = min(there[kind], most)
        there[kind] -= taken
        return most - taken

    def _count(self, number: int) -> Counter[str]:
        if self.store is None or number not in self._begun:
            return Counter()
        with scoped(self.store, scope_of(self.store, self.room).only(number)) as connection:
            written = dict(run_sql(connection, _THERE).rows())
        return Counter({**written, **dict(self.store.sql(_PROBED, [self.room.run, number]).rows())})


def forecast_step(room: Room, step: Step, known: KnownCosts) -> StepForecast:
    """Return what a step would do, given what the store knows."""
    recipe, divided = room.recipe, room.divided
    asked, endpoint, most = len(divided.training.questions), recipe.endpoint, recipe.sample.max_tokens
    match step.stage:
        case "sample":
            lacking = known.lacking(step.round, "sampled", asked * recipe.sample.k)
            return _asking(step, endpoint, lacking, most, known.means.get(("sampled", "")))
        case "rationalize":
            mean = known.means.get(("rationalized", "")) or known.means.get(("sampled", ""))
            lacking = known.lacking(step.round, "rationalized", asked * recipe.rationalize.k)
            return _asking(step, endpoint, lacking, most, mean)
        case "evaluate":
            mean = known.means.get(("evaluated", "")) or known.means.get(("sampled", ""))
            requests = len(divided.validate) + len(divided.evaluate) * (1 + recipe.evaluate.k)
            return _asking(step, endpoint, requests, evaluation_tokens(recipe), mean)
        case "train" if recipe.train:
            return StepForecast(str(step), rows=recipe.train.steps.of(step.round) * recipe.train.batch_size)
        case "verify":
            return _probing(room, step, asked * recipe.sample.k, known)
        case "verify_rationalized":
            return _probing(room, step, asked * recipe.rationalize.k, known)
    return StepForecast(str(step))


def _probing(room: Room, step: Step, attempts: int, known: KnownCosts) -> StepForecast:
    """What the verifiers ask that ask a model: about every attempt of the stage at most, since all may meet their predicate."""
    recipe, questions = room.recipe, len(room.divided.training.questions)
    parts = []
    for verifier in (one.endpoint for one in chosen_verifiers(recipe) if one.endpoint):
        about = min(attempts, verifier.options.sample or attempts)
        asked = stored_form(verifier.parameters)
        requests = known.lacking(step.round, asked, verifier.most(about, questions))
        most = int(verifier.parameters.get("max_tokens", 0))
        settings = verifier.settings or recipe.endpoint
        parts.append(_asking(step, settings, requests, most, known.means.get(("probed", asked))))
    return _together(step, parts)


def _together(step: Step, parts: Sequence[StepForecast]) -> StepForecast:
    """The sum; what is unknown of one part is unknown of it."""
    asking = [part for part in parts if part.requests]
    if not asking:
        return StepForecast(str(step))

    def total(of: str) -> Any:
        amounts = [getattr(part, of) for part in asking]
        return None if None in amounts else sum(amounts)

    return StepForecast(str(step), *(total(of) for of in ("requests", "tokens_in", "tokens_out", "cost")))


def _asking(
    step: Step,
    settings: EndpointSettings,
    requests: int,
    max_tokens: int,
    mean: tuple[float | None, float | None] | None,
) -> StepForecast:
    each_in, each_out = mean or (None, None)
    tokens_in = None if each_in is None else round(requests * each_in)
    tokens_out, prices = round(requests * (each_out or max_tokens)), dearest([door.prices for door in settings.doors])
    cost = (tokens_in * prices.input + tokens_out * prices.output) / 1e6 if prices and tokens_in is not None else None
    return StepForecast(str(step), requests, tokens_in, tokens_out, cost)
