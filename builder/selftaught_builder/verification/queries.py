"""Verifiers that are SQL: a query over the store that yields (attempt, outcome), and if it likes a score and a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.store import Store
from selftaught_builder.verification.chosen import Chosen
from selftaught_builder.verification.verdicts import Counted, VerdictRow, insert_verdicts
from selftaught_verifiers import Outcome
from selftaught_verifiers.judging.judging import Judgement

GONE = "the query no longer yields this attempt"

_NEWEST = """
SELECT attempt, arg_max_null(outcome, rowid) AS outcome, arg_max_null(reason, rowid) AS reason,
       arg_max_null(score, rowid) AS score
FROM verdicts WHERE verifier = ? AND version = ? GROUP BY attempt
"""


class Yielded(NamedTuple):
    """What a query says of an attempt."""

    outcome: str
    reason: str
    score: float | None


def verify_query(store: Store, one: Chosen) -> Counted:
    """Run the query and store what changed; returns how many, by verifier and outcome.

    The query sees the whole store, so it is run each time; a verdict that has changed stands beside the old one.

    Raises:
        RecipeError: it is no query, or yields something else than verdicts on attempts.
    """
    yielded = _yielded(store, one)
    newest = {attempt: Yielded(*said) for attempt, *said in store.sql(_NEWEST, [one.name, one.version]).iter_rows()}
    verdicts: dict[str, Judgement] = {
        attempt: Judgement(said.outcome, said.reason, None, said.score, "{}", 0.0)
        for attempt, said in yielded.items()
        if newest.get(attempt) != said
    }
    for attempt in newest.keys() - yielded.keys():
        if newest[attempt].reason != GONE:
            verdicts[attempt] = Judgement(Outcome.UNSCORABLE.value, GONE, None, None, "{}", 0.0)
    if not verdicts:
        return Counted()
    seen = datetime.now(UTC).isoformat()
    with store.write() as connection:
        return insert_verdicts(connection, [VerdictRow(attempt, one, seen, said) for attempt, said in verdicts.items()])


def _yielded(store: Store, one: Chosen) -> dict[str, Yielded]:
    place = f"verifiers.{one.name}"
    try:
        frame = store.sql(one.query)
    except InputError as error:
        raise RecipeError(error.message, place=place, mend=error.mend) from None
    columns = {"attempt", "outcome"} - set(frame.columns)
    if columns:
        mend = "It must yield `attempt` and `outcome`, and may yield `score` and `reason`."
        raise RecipeError(f"the query yields no {' and no '.join(sorted(columns))}", place=place, mend=mend)
    named = [str(attempt) for attempt in frame["attempt"]]
    known = set(store.sql("SELECT id FROM attempts WHERE id IN (SELECT unnest(?::VARCHAR[]))", [named])["id"])
    found: dict[str, Yielded] = {}
    for row in frame.iter_rows(named=True):
        attempt, verdict = row["attempt"], _verdict(row, place)
        if attempt not in known:
            raise RecipeError(
                f"the query yields `{attempt}`, which is no attempt", place=place, mend="Yield their ids."
            )
        if found.setdefault(attempt, verdict) != verdict:
            raise RecipeError(
                f"the query yields two verdicts on `{attempt}`", place=place, mend="Yield one an attempt."
            )
    return found


def _verdict(row: dict[str, Any], place: str) -> Yielded:
    outcome, score = row["outcome"], row.get("score")
    if isinstance(outcome, bool):
        outcome = Outcome.PASS if outcome else Outcome.FAIL
    if outcome not in set(Outcome):
        mend = "An outcome is 'pass', 'fail' or 'unscorable', or a truth value."
        raise RecipeError(f"the query yields the outcome `{outcome}`", place=place, mend=mend)
    reason = row.get("reason")
    return Yielded(str(outcome), "" if reason is None else str(reason), None if score is None else float(score))
