"""Row verifiers over the attempts that lack their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import orjson
import polars as pl

from selftaught_builder.store import Store
from selftaught_builder.verification.chosen import Chosen
from selftaught_builder.verification.judges import Note, block_sizes, judges, read_ahead
from selftaught_builder.verification.verdicts import Counted, VerdictRow, insert_verdicts
from selftaught_verifiers.judging.judging import QuestionData, RationaleData, RowCase

BLOCK = 8000

# Every attempt that arrived, except those that verifiers themselves asked for.
_LACKING = """
WITH wanted AS (SELECT unnest(?::VARCHAR[]) AS verifier, unnest(?::VARCHAR[]) AS version),
done AS (SELECT attempt, list(verifier) AS names FROM verdicts JOIN wanted USING (verifier, version) GROUP BY attempt)
SELECT a.rowid AS row, coalesce(d.names, []::VARCHAR[]) AS done, ? - len(coalesce(d.names, [])) AS lacking
FROM attempts a LEFT JOIN done d ON d.attempt = a.id
WHERE a.error IS NULL AND a.kind <> 'probed' AND lacking > 0 ORDER BY a.rowid
"""

_READ = """
SELECT a.rowid, a.id, q.question, q.gold, q.answer_kind, q.choices, q.meta,
       a.completion, a.reasoning, a.kind = 'rationalized', a.finish_reason
FROM attempts a JOIN questions q ON q.hash = a.question WHERE a.rowid BETWEEN ? AND ? ORDER BY a.rowid
"""

Block = list[tuple[str, RowCase]]


def lacking_rows(store: Store, verifiers: Sequence[Chosen]) -> pl.DataFrame:
    """Return the attempts that lack verdicts: `row` in the table, the verifiers that are `done`, and how many are `lacking`."""
    names, versions = [one.name for one in verifiers], [one.version for one in verifiers]
    return store.sql(_LACKING, [names, versions, len(verifiers)])


def verify_rows(store: Store, verifiers: Sequence[Chosen], advance: Callable[[int], None], note: Note) -> Counted:
    """Add the missing verdicts, block by block; returns how many, by verifier and outcome."""
    lacking = lacking_rows(store, verifiers)
    by_name = {one.name: one for one in verifiers}
    counts = Counted()
    with judges(verifiers, sum(lacking["lacking"]), note) as judge:
        blocks = _blocks(store, lacking, verifiers)
        for block, judged in read_ahead(blocks, lambda block: judge([case for _, case in block])):
            said = [
                VerdictRow(attempt, by_name[name], "", verdicts[0])
                for (attempt, case), answers in zip(block, judged, strict=True)
                for name, verdicts in zip(case.names, answers, strict=True)
            ]
            with store.write() as connection:
                counts += insert_verdicts(connection, said)
            advance(len(said))
    return counts


def _blocks(store: Store, lacking: pl.DataFrame, verifiers: Sequence[Chosen]) -> Iterator[Block]:
    names, at = [one.name for one in verifiers], 0
    for size in block_sizes(verifiers, BLOCK):
        part = lacking.slice(at, size)
        if part.is_empty():
            return
        at += size
        done = dict(zip(part["row"].to_list(), part["done"].to_list(), strict=True))
        with store.read() as connection:
            rows = connection.execute(_READ, [min(done), max(done)]).fetchall()
        yield [
            (attempt, RowCase(question_of(*asked), rationale, [name for name in names if name not in done[row]]))
            for row, attempt, *asked, completion, reasoning, hinted, finish in rows
            if row in done
            for rationale in (RationaleData(completion, reasoning, hinted, finish),)
        ]


def question_of(text: str, gold: str, kind: str, choices: str, meta: str) -> QuestionData:
    """Return a stored question as verifiers are given it."""
    return QuestionData(text, gold, kind, orjson.loads(choices), orjson.loads(meta))
