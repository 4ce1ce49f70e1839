"""What a stage would ask for, and about what that would cost: a dry run adds it up. Nothing is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.scope.table import scoped
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.store import run_sql
from selftaught_builder.verification import Chosen

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

Mean = tuple[float | None, float | None]
"""Tokens in and out of a completion, on average."""


@dataclass(frozen=True)
class Expected:
    """What a stage would do in a round.

    Attributes:
        requests: how many at most; completions that the round has are left out, others that the store has are not.
        tokens_in, tokens_out: about so many; tokens_in is None if the store knows no such request yet.
        cost: US dollars; None if the recipe has no prices or tokens_in is unknown.
        rows: rows trained on, batch size times steps.
    """

    requests: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    rows: int = 0


class StoreKnowledge:
    """What a store knows: how long a run's requests are by their kind, and what a round has of each kind already."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._run = workspace.room.run
        self._means: dict[tuple[str, str], Mean] = {}
        self._there: dict[int, Counter[str]] = {}
        self._begun: set[int] = set()
        if workspace.has_store:
            rows = workspace.store.sql(_MEANS, [self._run]).rows()
            self._means = {(kind, asked): (tokens_in, tokens_out) for kind, asked, tokens_in, tokens_out in rows}
            began = workspace.store.sql("SELECT DISTINCT round FROM attempts WHERE run = ?", [self._run])
            self._begun = set(began["round"])

    @property
    def measured(self) -> bool:
        """Whether the run has any completion to go by."""
        return bool(self._means)

    @property
    def verifiers(self) -> Sequence[Chosen]:
        """The recipe's verifiers."""
        return self.workspace.filter.verifiers

    def mean(self, kind: str, parameters: str = "") -> Mean | None:
        """Return a kind's tokens on average; of `probed` those asked with these parameters. None if there are none yet."""
        return self._means.get((kind, parameters))

    def lacking(self, number: int, kind: str, most: int) -> int:
        """Return how many completions of a kind (of probes, their parameters) a round lacks; what is there counts once."""
        if number not in self._there:
            self._there[number] = self._count(number)
        there = self._there[number]
        taken = min(there[kind], most)
        there[kind] -= taken
        return most - taken

    def _count(self, number: int) -> Counter[str]:
        if number not in self._begun:
            return Counter()
        with scoped(self.workspace.store, self.workspace.scope().only(number)) as connection:
            written = dict(run_sql(connection, _THERE).rows())
        probed = self.workspace.store.sql(_PROBED, [self._run, number]).rows()
        return Counter({**written, **dict(probed)})


def expect_requests(settings: EndpointSettings, requests: int, max_tokens: int, mean: Mean | None) -> Expected:
    """Return what so many requests would take.

    Args:
        settings: the endpoint; its prices count.
        requests: how many.
        max_tokens: tokens of a completion if no mean is known.
        mean: of such requests.
    """
    each_in, each_out = mean or (None, None)
    tokens_in = None if each_in is None else round(requests * each_in)
    tokens_out, prices = round(requests * (each_out or max_tokens)), dearest([door.prices for door in settings.doors])
    cost = (tokens_in * prices.input + tokens_out * prices.output) / 1e6 if prices and tokens_in is not None else None
    return Expected(requests, tokens_in, tokens_out, cost)


def together(parts: Sequence[Expected]) -> Expected:
    """Return the sum; what is unknown of one part is unknown of it."""
    asking = [part for part in parts if part.requests]
    if not asking:
        return Expected()

    def total(of: str) -> Any:
        amounts = [getattr(part, of) for part in asking]
        return None if None in amounts else sum(amounts)

    return Expected(*(total(of) for of in ("requests", "tokens_in", "tokens_out", "cost")))
