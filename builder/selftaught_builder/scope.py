"""Scope: which of a store's attempts a stage works with.

A store is one pool: attempts are shared between runs. The loop must tell rounds apart, and does so by the weights that
answered, as the table `rounds` records them; where weights are unknown, run and round stand in for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OfRounds:
    """What some rounds of a run ask.

    What another run asked of the same weights in another way stays out, so that a round depends on nothing but its recipe.

    Attributes:
        first, last: the rounds, counted from 1.
        asked: kind, parameters as stored, and samples per question.
        prompts: the hashes of the prompts.
        kept: SQL of the attempts that the policy keeps: a question with a kept sample is not rationalized.
    """

    first: int
    last: int
    asked: Sequence[tuple[str, str, int]]
    prompts: Sequence[str]
    kept: str


@dataclass(frozen=True)
class Scope:
    """The attempts on a run's questions that a stage may draw on.

    Attributes:
        run: the run.
        rounds: the rounds that made them; None is the whole pool, whoever made them.
    """

    run: str
    rounds: OfRounds | None = None

    def select(self, attempts: str) -> tuple[str, list[object]]:
        """Return an SQL query of those rows of `attempts` (a table, or a query in brackets), and its parameters."""
        query, parameters = self._asked(attempts)
        if self.rounds is None:
            return query, parameters
        kept, of_kept = self._asked(f"({self.rounds.kept})")
        return query + _UNLESS_KEPT.format(kept=kept), [*parameters, *of_kept]

    def _asked(self, attempts: str) -> tuple[str, list[object]]:
        mine, rounds = _MINE.format(attempts=attempts), self.rounds
        parameters: list[object] = [self.run, self.run]
        if rounds is None:
            return mine, parameters
        as_asked = " OR ".join([_AS_ASKED] * len(rounds.asked)) or "false"
        parameters += [self.run, rounds.first, rounds.last, list(rounds.prompts)]
        parameters += [part for asked in rounds.asked for part in asked]
        return f"{mine} {_IN_ROUNDS} AND ({as_asked})", parameters


_MINE = """SELECT a.* FROM {attempts} a WHERE a.question IN (SELECT question FROM run_questions WHERE run = ?)
AND a.question NOT IN (SELECT question FROM held_out_questions WHERE run = ?)"""
_AS_ASKED = "(a.kind = ? AND a.parameters::VARCHAR = ? AND a.sample_index < ?)"
# A round that began anew with other weights is another round: only the last ones count.
_IN_ROUNDS = """AND EXISTS (
    SELECT 1 FROM (
        FROM rounds WHERE run = ? AND round BETWEEN ? AND ?
        QUALIFY row_number() OVER (PARTITION BY round ORDER BY started_at DESC) = 1
    ) r
    WHERE r.weights = a.weights AND (r.weights <> 'unknown' OR (r.model = a.model AND r.run = a.run AND r.round = a.round))
) AND a.prompt IN (SELECT unnest(?::VARCHAR[]))"""
_UNLESS_KEPT = """ AND (a.kind <> 'rationalized' OR NOT EXISTS (
    SELECT 1 FROM ({kept}) s WHERE s.kind = 'sampled' AND s.question = a.question AND s.weights = a.weights
    AND (s.weights <> 'unknown' OR s.round = a.round)
))"""
