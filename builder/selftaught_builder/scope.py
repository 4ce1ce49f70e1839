"""Scope: which of a store's attempts a stage works with.

A store is one pool: attempts are shared between runs. The loop must tell rounds apart, and does so by the weights that
answered, as the table `rounds` records them; where weights are unknown, run and round stand in for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """The attempts on a run's questions that some of its rounds may draw on.

    Attributes:
        run: the run.
        first, last: the rounds, counted from 1; (None, None) is the whole pool, whoever made the attempts.
        asked: where there are rounds, what they ask for: kind, parameters as stored, and samples per question. What another run
            asked of the same weights in another way stays out, so that a round depends on nothing but its own recipe.
    """

    run: str
    first: int | None = None
    last: int | None = None
    asked: Sequence[tuple[str, str, int]] = ()

    def select(self, attempts: str) -> tuple[str, list[object]]:
        """Return an SQL query of those rows of `attempts` (a table, or a query in brackets), and its parameters."""
        mine = f"SELECT a.* FROM {attempts} a WHERE a.question IN (SELECT question FROM run_questions WHERE run = ?)"
        held_out = " AND a.question NOT IN (SELECT question FROM held_out_questions WHERE run = ?)"
        if self.first is None:
            return mine + held_out, [self.run, self.run]
        as_asked = " OR ".join([_AS_ASKED] * len(self.asked)) or "false"
        rounds = [self.run, self.first, self.last]
        parameters = [self.run, self.run, *rounds, *(part for asked in self.asked for part in asked)]
        return f"{mine}{held_out} AND {_IN_ROUNDS} AND ({as_asked})", parameters


_AS_ASKED = "(a.kind = ? AND a.parameters::VARCHAR = ? AND a.sample_index < ?)"
_IN_ROUNDS = """EXISTS (
    SELECT 1 FROM rounds s WHERE s.run = ? AND s.round BETWEEN ? AND ? AND s.model = a.model AND s.weights = a.weights
    AND (s.weights <> 'unknown' OR (a.run = s.run AND a.round = s.round))
)"""
