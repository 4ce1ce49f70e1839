"""Endpoint verifiers' verdicts, made of the replies that are there; nobody is asked."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from selftaught_builder.probing import EndpointVerifier
from selftaught_builder.probing.asked import last_asked
from selftaught_builder.probing.subjects import Subject, subjects
from selftaught_builder.probing.verifier import Heard, Probe
from selftaught_builder.store import Store
from selftaught_builder.verification.chosen import Chosen
from selftaught_builder.verification.verdicts import Counted, VerdictRow, insert_verdicts
from selftaught_verifiers.judging.judging import Judgement

# Of the tries of a key the success counts, where there is one.
_HEARD = """
SELECT key, id, error IS NULL, completion, finish_reason FROM attempts
WHERE kind = 'probed' AND key IN (SELECT unnest(?::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY key ORDER BY error IS NULL DESC, try DESC) = 1
"""

# What was asked about one of a question's attempts can hold for others as well: one control serves all of them. A verdict
# made of all the replies that there can be is final.
_UNSETTLED = """
SELECT id FROM attempts WHERE error IS NULL AND kind IN ('sampled', 'rationalized')
AND question IN (SELECT question FROM attempts WHERE kind = 'probed')
AND id NOT IN (
    SELECT attempt FROM verdicts WHERE verifier = $name AND version = $version AND detail->>'answered' = detail->>'asked'
    AND ($whom IS NULL OR detail->>'whom' = $whom)
) ORDER BY question, id
"""

_SAID = """
SELECT attempt, seen FROM verdicts WHERE verifier = ? AND version = ? AND attempt IN (SELECT unnest(?::VARCHAR[]))
"""


class _Arrived(NamedTuple):
    """The try that counts of a probe's key."""

    attempt: str
    success: bool
    completion: str
    finish_reason: str


def verify_probed(store: Store, one: Chosen, advance: Callable[[int], None]) -> Counted:
    """Add the verdicts on attempts all of whose replies have arrived, or failed; returns how many, by verifier and outcome.

    Raises:
        RecipeError: a prompt cannot be rendered.
    """
    verifier = one.endpoint
    assert verifier is not None  # noqa: S101 (its kind is `endpoint`)
    asked = last_asked(store, verifier) if verifier.settings else None
    if verifier.settings and asked is None:
        return Counted()
    counts = Counted()
    for block in subjects(store, _unsettled(store, one, asked)):
        said = _new_verdicts(store, one, verifier, block, asked)
        if said:
            with store.write() as connection:
                counts += insert_verdicts(connection, said)
            advance(len(said))
    return counts


def _unsettled(store: Store, one: Chosen, asked: str | None) -> list[str]:
    """The attempts that replies may be there for, and no final verdict."""
    with store.read() as connection:
        known = {"name": one.name, "version": one.version, "whom": asked}
        return [row[0] for row in connection.execute(_UNSETTLED, known).fetchall()]


def _new_verdicts(
    store: Store, one: Chosen, verifier: EndpointVerifier, block: Sequence[Subject], asked: str | None
) -> list[VerdictRow]:
    replies = {
        subject.attempt: [(probe, key) for probe, _, key in verifier.keys(subject, asked or subject.author)]
        for subject in block
    }
    keys = list({key for some in replies.values() for _, key in some})
    with store.read() as connection:
        heard = {key: _Arrived(*arrived) for key, *arrived in connection.execute(_HEARD, [keys]).fetchall()}
        before = set(connection.execute(_SAID, [one.name, one.version, list(replies)]).fetchall()) if heard else set()
    said = []
    for subject in block:
        some = replies[subject.attempt]
        if not all(key in heard for _, key in some):
            continue
        seen = _seen(some, heard)
        if (subject.attempt, seen) not in before:
            judgement = _judgement(verifier, subject, some, heard, asked or subject.author)
            said.append(VerdictRow(subject.attempt, one, seen, judgement))
    return said


def _seen(replies: Sequence[tuple[Probe, str]], heard: Mapping[str, _Arrived]) -> str:
    """A hash of the probes' ids: of a key without a success the key, however often it was tried."""
    ids = [heard[key].attempt if heard[key].success else key for _, key in replies]
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:32]


def _judgement(
    verifier: EndpointVerifier,
    subject: Subject,
    replies: Sequence[tuple[Probe, str]],
    heard: Mapping[str, _Arrived],
    asked: str,
) -> Judgement:
    by_probe: dict[int, list[Heard | None]] = {}
    for probe, key in replies:
        said = Heard(heard[key].completion, heard[key].finish_reason) if heard[key].success else None
        by_probe.setdefault(id(probe), []).append(said)
    started = time.perf_counter()
    verdict = verifier.verdict(subject, list(by_probe.values()))
    elapsed = time.perf_counter() - started
    answered = sum(heard[key].success for _, key in replies)
    detail = {**verdict.detail, "asked": len(replies), "answered": answered, "whom": asked}
    return Judgement(str(verdict.outcome), verdict.reason, None, verdict.score, json.dumps(detail), elapsed)
