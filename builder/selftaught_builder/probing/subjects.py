"""The attempts that are asked about, as a verifier sees them, and which of them are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.common.keys import weights_identity
from selftaught_builder.questions import Question
from selftaught_builder.scope.scope import Scope
from selftaught_builder.scope.table import scoped
from selftaught_builder.store import Connection, DatabaseError, Store, count_statements, run_sql
from selftaught_builder.store.identity import weights_identity_of
from selftaught_builder.store.predicates import SenseError, check_repeatable, check_values
from selftaught_builder.store.schema import wide_select

BLOCK = 4000


@dataclass(frozen=True)
class Subject:
    """An attempt that is asked about.

    Attributes:
        attempt: its id.
        question: the question it answers.
        completion, reasoning: what the model wrote.
        hinted: whether it had been shown the answer.
        author: what stands for the weights that wrote it, see `keys.weights_identity`.
    """

    attempt: str
    question: Question
    completion: str
    reasoning: str
    hinted: bool
    author: str


_READ = """
SELECT a.id, a.completion, a.reasoning, a.kind = 'rationalized', a.weights, a.run, a.round, a.model,
       q.hash, q.id, q.question, q.gold, q.answer_kind, q.choices, q.row_number, q.split, q.meta
FROM attempts a JOIN questions q ON q.hash = a.question WHERE a.id IN (SELECT unnest(?::VARCHAR[]))
"""


def subjects(store: Store, attempts: Sequence[str]) -> Iterator[list[Subject]]:
    """Yield these attempts in their order, block by block."""
    for at in range(0, len(attempts), BLOCK):
        block = attempts[at : at + BLOCK]
        with store.read() as connection:
            found = {row[0]: row for row in connection.execute(_READ, [block]).fetchall()}
        yield [_subject(*found[attempt]) for attempt in block if attempt in found]


def check_predicate(connection: Connection, place: str, of: str, versions: Mapping[str, str]) -> None:
    """Raise RecipeError where `of` is no SQL predicate over `attempts_wide` with these verifiers."""
    mend = "It must be one SQL condition over `attempts_wide`, which has a column for each verifier of the recipe."
    try:
        # Standing by itself it must be one condition: then it cannot close the bracket that it is put into.
        if count_statements(f"SELECT 1 WHERE\n{of}") != 1:
            raise RecipeError("more than one predicate", place=place, mend=mend)
        connection.execute(f"SELECT 1 FROM ({_meant(of, versions)}) LIMIT 0").fetchall()
        check_values(connection, of, versions, place)
        check_repeatable(connection, f"SELECT 1 WHERE\n{of}\n", place)
    except SenseError as error:
        raise RecipeError(error.message, place=error.place, mend=error.mend) from None
    except DatabaseError as error:
        raise RecipeError(str(error).split("\n\n")[0], place=place, mend=mend) from None


def targets(
    store: Store, place: str, of: str, sample: int | None, versions: Mapping[str, str], scope: Scope
) -> list[str]:
    """Return the attempts to ask about, a question's together.

    Args:
        store: the store, verified.
        place: where the predicate stands, for errors.
        of: the predicate over `attempts_wide`.
        sample: at most so many of each kind and model, the first by their keys, which are hashes: a sample that is the same
            whoever asks, and only grows with the store.
        versions: the recipe's verifiers, pinned.
        scope: which attempts may be drawn on.

    Raises:
        RecipeError: `of` is no predicate.
    """
    query = f"""
        SELECT id FROM (
            SELECT id, question, kind, sample_index, key, row_number() OVER (
                PARTITION BY kind, {weights_identity_of("a")} ORDER BY key, try
            ) AS place FROM ({_meant(of, versions)}) a WHERE id IN (SELECT attempt FROM scoped)
        ) WHERE place <= ? ORDER BY question, kind DESC, sample_index, key"""
    with scoped(store, scope) as connection:
        check_predicate(connection, place, of, versions)
        return run_sql(connection, query, [sample or 2**62])["id"].to_list()


def _meant(of: str, versions: Mapping[str, str]) -> str:
    wide = f"SELECT * FROM ({wide_select(sorted(versions), versions)}) w"
    completions = f"SELECT * FROM ({wide}) c WHERE error IS NULL AND kind IN ('sampled', 'rationalized')"
    return f"SELECT * FROM ({completions}) attempts_wide WHERE (\n{of}\n)"


def _subject(
    attempt: str,
    completion: str,
    reasoning: str,
    hinted: bool,
    weights: str,
    run: str,
    round_number: int,
    model: str,
    *asked: str,
) -> Subject:
    hash_, id_, text, gold, kind, choices, row, split, meta = asked
    question = Question(hash_, id_, text, gold, kind, orjson.loads(choices), int(row), split, meta=orjson.loads(meta))
    author = weights_identity(weights, run=run, round_number=round_number, model=model)
    return Subject(attempt, question, completion, reasoning, hinted, author)
