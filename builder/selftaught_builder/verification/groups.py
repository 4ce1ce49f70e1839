"""Group verifiers over the groups that they have not judged yet.

Which attempts make a group is `selftaught_builder.scope.groups`' business. A verdict names the group that it was made of
(`verdicts.seen`, table `verdict_groups`), and a verdict on a grown group stands beside that on the smaller one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from selftaught_builder.scope.groups import groups_to_judge
from selftaught_builder.scope.scope import Scope
from selftaught_builder.scope.table import scoped
from selftaught_builder.store import Store, insert_frame, run_sql
from selftaught_builder.verification.chosen import Chosen
from selftaught_builder.verification.judges import Note, block_sizes, judges, read_ahead
from selftaught_builder.verification.rows import question_of
from selftaught_builder.verification.verdicts import Counted, VerdictRow, insert_verdicts
from selftaught_verifiers.judging.judging import GroupCase, KnownVerdict, MemberData, QuestionData, RationaleData

BLOCK = 8000
"""Attempts of a block, about."""

_LACKING = """
WITH wanted AS (SELECT unnest(?::VARCHAR[]) AS verifier, unnest(?::VARCHAR[]) AS version),
done AS (SELECT seen, list(DISTINCT verifier) AS names FROM verdicts JOIN wanted USING (verifier, version) GROUP BY seen)
SELECT g.*, coalesce(d.names, []::VARCHAR[]) AS done, (? - len(coalesce(d.names, []))) * len(g.attempts) AS lacking
FROM ({groups}) g LEFT JOIN done d USING (seen) WHERE lacking > 0 ORDER BY g.question, len(g.attempts), g.seen
"""

_READ = """
SELECT a.id, q.question, q.gold, q.answer_kind, q.choices, q.meta,
       a.completion, a.reasoning, a.kind = 'rationalized', a.finish_reason
FROM attempts a JOIN questions q ON q.hash = a.question WHERE a.id IN (SELECT unnest(?::VARCHAR[]))
"""

_NEEDED = """
WITH wanted AS (SELECT unnest(?::VARCHAR[]) AS verifier, unnest(?::VARCHAR[]) AS version)
SELECT attempt, verifier, outcome, answer, detail FROM verdicts JOIN wanted USING (verifier, version)
WHERE attempt IN (SELECT unnest(?::VARCHAR[]))
"""


@dataclass(frozen=True)
class Group:
    """A question's attempts by one set of weights."""

    question: str
    attempts: list[str]
    seen: str
    case: GroupCase


class _Stored(NamedTuple):
    """An attempt with its question, as `_READ` yields them."""

    question: str
    gold: str
    answer_kind: str
    choices: str
    meta: str
    completion: str
    reasoning: str
    hinted: bool
    finish_reason: str

    @property
    def asked(self) -> QuestionData:
        return question_of(self.question, self.gold, self.answer_kind, self.choices, self.meta)

    @property
    def rationale(self) -> RationaleData:
        return RationaleData(self.completion, self.reasoning, self.hinted, self.finish_reason)


def lacking_groups(store: Store, verifiers: Sequence[Chosen], scope: Scope | None) -> pl.DataFrame:
    """Return a scope's groups that lack verdicts, with the verifiers that are `done` and how many verdicts are `lacking`."""
    names, versions = [one.name for one in verifiers], [one.version for one in verifiers]
    with scoped(store, scope) as connection:
        groups = groups_to_judge(samples_alone=scope is not None and scope.draw_on == "recipe")
        return run_sql(connection, _LACKING.format(groups=groups), [names, versions, len(verifiers)])


def verify_groups(
    store: Store, verifiers: Sequence[Chosen], scope: Scope | None, advance: Callable[[int], None], note: Note
) -> Counted:
    """Add the missing verdicts, block by block; returns how many, by verifier and outcome."""
    lacking = lacking_groups(store, verifiers, scope)
    by_name = {one.name: one for one in verifiers}
    counts = Counted()
    with judges(verifiers, sum(lacking["lacking"]), note) as judge:
        blocks = _blocks(store, lacking, verifiers)
        for block, judged in read_ahead(blocks, lambda block: judge([group.case for group in block])):
            said = [
                VerdictRow(attempt, by_name[name], group.seen, verdict)
                for group, answers in zip(block, judged, strict=True)
                for name, verdicts in zip(group.case.names, answers, strict=True)
                for attempt, verdict in zip(group.attempts, verdicts, strict=True)
            ]
            groups = [{"hash": one.seen, "question": one.question, "attempts": one.attempts} for one in block]
            with store.write() as connection:
                insert_frame(connection, "verdict_groups", pl.DataFrame(groups))
                counts += insert_verdicts(connection, said)
            advance(len(said))
    return counts


def _blocks(store: Store, lacking: pl.DataFrame, verifiers: Sequence[Chosen]) -> Iterator[list[Group]]:
    block: list[dict[str, Any]] = []
    sizes, held = block_sizes(verifiers, BLOCK), 0
    size = next(sizes)
    for group in lacking.iter_rows(named=True):
        block.append(group)
        held += len(group["attempts"])
        if held >= size:
            yield _read(store, block, verifiers)
            block, held, size = [], 0, next(sizes)
    if block:
        yield _read(store, block, verifiers)


def _read(store: Store, block: Sequence[dict[str, Any]], verifiers: Sequence[Chosen]) -> list[Group]:
    attempts = [attempt for group in block for attempt in group["attempts"]]
    needs = {name: version for one in verifiers for name, version in one.needs.items()}
    verdicts: dict[str, dict[str, KnownVerdict]] = defaultdict(dict)
    with store.read() as connection:
        found = {attempt: _Stored(*row) for attempt, *row in connection.execute(_READ, [attempts]).fetchall()}
        needed = connection.execute(_NEEDED, [list(needs), list(needs.values()), attempts]).fetchall() if needs else []
    for attempt, verifier, *verdict in needed:
        verdicts[attempt][verifier] = KnownVerdict(*verdict)
    return [_group(group, found, verdicts, verifiers) for group in block]


def _group(
    group: dict[str, Any],
    found: dict[str, _Stored],
    verdicts: dict[str, dict[str, KnownVerdict]],
    verifiers: Sequence[Chosen],
) -> Group:
    attempts = group["attempts"]
    members = [MemberData(attempt, found[attempt].rationale, verdicts[attempt]) for attempt in attempts]
    names = [one.name for one in verifiers if one.name not in group["done"]]
    case = GroupCase(found[attempts[0]].asked, members, names)
    return Group(group["question"], attempts, group["seen"], case)
