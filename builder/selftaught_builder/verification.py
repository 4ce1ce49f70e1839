"""Verification: run the recipe's verifiers over the attempts that lack their verdicts.

Costs no generation and can be repeated at will: a new version of a verifier adds verdicts beside the old ones.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from selftaught_builder.errors import RecipeError
from selftaught_builder.store import Store, insert_frame
from selftaught_builder.store.schema import create_views
from selftaught_verifiers import Question, Rationale, RowVerifier, get_verifier, registered

BLOCK = 4000

_UNVERIFIED = """
SELECT a.id, a.completion, a.reasoning, a.kind = 'rationalized', a.finish_reason, q.question, q.gold, q.answer_kind, q.choices
FROM attempts a JOIN questions q ON q.hash = a.question
WHERE a.error IS NULL AND a.id > ?
  AND NOT EXISTS (FROM verdicts v WHERE v.attempt = a.id AND v.verifier = ? AND v.version = ?)
ORDER BY a.id LIMIT ?
"""

_SCHEMA = {
    "attempt": pl.String,
    "verifier": pl.String,
    "version": pl.String,
    "outcome": pl.String,
    "score": pl.Float64,
    "answer": pl.String,
    "reason": pl.String,
    "detail": pl.String,
    "elapsed": pl.Float64,
    "created_at": pl.Datetime(time_zone="UTC"),
}


@dataclass
class Verified:
    """What a verification did: verdicts by verifier and outcome, new ones only."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def verdicts(self) -> int:
        """How many verdicts were added."""
        return sum(counts.total() for counts in self.outcomes.values())


def find_verifiers(names: Sequence[str]) -> list[RowVerifier]:
    """Return the verifiers of these names.

    Raises:
        RecipeError: a name that no verifier has.
    """
    known = [verifier.name for verifier in registered()]
    for name in names:
        if name not in known:
            raise RecipeError(f"no verifier `{name}`", place="verify", mend=f"Known verifiers: {', '.join(known)}.")
    return [get_verifier(name) for name in names]


def verify(store: Store, names: Sequence[str], advance: Callable[[int], None] | None = None) -> Verified:
    """Add the verdicts that are missing; the caller holds the writer lock.

    Args:
        store: the store.
        names: the verifiers to run.
        advance: called with the number of verdicts after each block.
    """
    verifiers = find_verifiers(names)
    _register(store, verifiers)
    done = Verified()
    for verifier in verifiers:
        counts = done.outcomes.setdefault(verifier.name, Counter())
        last = ""
        while rows := _unverified(store, verifier, last):
            judged = [_judge(verifier, row) for row in rows]
            with store.write() as connection:
                insert_frame(connection, "verdicts", pl.DataFrame(judged, schema=_SCHEMA, orient="row"))
            counts.update(row[3] for row in judged)
            last = rows[-1][0]
            if advance:
                advance(len(rows))
    return done


def pending(store: Store, names: Sequence[str]) -> int:
    """Return how many verdicts `verify` would add."""
    total = 0
    with store.read() as connection:
        for verifier in find_verifiers(names):
            row = connection.execute(
                "SELECT count(*) FROM attempts a WHERE error IS NULL AND NOT EXISTS "
                "(FROM verdicts v WHERE v.attempt = a.id AND v.verifier = ? AND v.version = ?)",
                [verifier.name, verifier.version],
            ).fetchone()
            total += row[0] if row else 0
    return total


def current_versions(names: Sequence[str]) -> dict[str, str]:
    """Return name to version of the verifiers as this code has them."""
    return {verifier.name: verifier.version for verifier in find_verifiers(names)}


def _register(store: Store, verifiers: Sequence[RowVerifier]) -> None:
    """Make `attempts_wide` show these verifiers at these versions."""
    with store.read() as connection:
        shown = dict(connection.execute("SELECT name, version FROM verifiers").fetchall())
    if all(shown.get(verifier.name) == verifier.version for verifier in verifiers):
        return
    with store.write() as connection:
        for verifier in verifiers:
            connection.execute("INSERT OR REPLACE INTO verifiers VALUES (?, ?)", [verifier.name, verifier.version])
        create_views(connection)


def _unverified(store: Store, verifier: RowVerifier, after: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return connection.execute(_UNVERIFIED, [after, verifier.name, verifier.version, BLOCK]).fetchall()


def _judge(verifier: RowVerifier, row: tuple[Any, ...]) -> tuple[Any, ...]:
    attempt, completion, reasoning, hinted, finish_reason, text, gold, kind, choices = row
    started = time.perf_counter()
    verdict = verifier(
        Question(text, gold, kind, orjson.loads(choices)), Rationale(completion, reasoning, hinted, finish_reason)
    )
    elapsed = time.perf_counter() - started
    detail = orjson.dumps(dict(verdict.detail), default=str).decode()
    outcome = str(verdict.outcome)
    now = datetime.now(UTC)
    return (
        attempt,
        verifier.name,
        verifier.version,
        outcome,
        verdict.score,
        verdict.answer,
        verdict.reason,
        detail,
        elapsed,
        now,
    )
