"""Judging as plain data: what a process that judges is told, and what it says.

All of it is JSON-able, so that it crosses into a `Worker`. JSON makes lists of the tuples here; `case_of` and `Judgement(*...)`
make tuples of them again.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from selftaught_verifiers import Member, Outcome, Question, Rationale, Verdict, Verifier, get_verifier
from selftaught_verifiers.verdict.plugins import load_file, load_installed

_encode = json.JSONEncoder(default=str).encode


class QuestionData(NamedTuple):
    """A question; see `Question`."""

    text: str
    gold: str
    kind: str
    choices: Mapping[str, str]
    meta: Mapping[str, Any]


class RationaleData(NamedTuple):
    """A rationale; see `Rationale`."""

    completion: str
    reasoning: str
    hinted: bool
    finish_reason: str


class KnownVerdict(NamedTuple):
    """What a group verifier reads of an earlier verdict; `detail` is JSON."""

    outcome: str
    answer: str | None
    detail: str


class MemberData(NamedTuple):
    """An attempt of a group, with the verdicts on it that a group verifier reads, by the verifiers' names."""

    attempt: str
    rationale: RationaleData
    verdicts: Mapping[str, KnownVerdict]


class RowCase(NamedTuple):
    """A rationale that the row verifiers of these names judge."""

    question: QuestionData
    rationale: RationaleData
    names: Sequence[str]
    kind: Literal["row"] = "row"

    @property
    def size(self) -> int:
        """How many verdicts each verifier makes."""
        return 1


class GroupCase(NamedTuple):
    """A question's attempts that the group verifiers of these names judge together."""

    question: QuestionData
    members: Sequence[MemberData]
    names: Sequence[str]
    kind: Literal["group"] = "group"

    @property
    def size(self) -> int:
        """How many verdicts each verifier makes."""
        return len(self.members)


JudgingCase = RowCase | GroupCase


class Judgement(NamedTuple):
    """A verdict as plain data; `detail` is JSON, `elapsed` the seconds that it took."""

    outcome: str
    reason: str
    answer: str | None
    score: float | None
    detail: str
    elapsed: float


Judge = Callable[[Sequence[JudgingCase]], list[list[list[Judgement]]]]
"""Judges cases: for each case and each of its names, one verdict a member; a row verifier has one."""


def case_of(data: Sequence[Any]) -> JudgingCase:
    """Return a case that went through JSON."""
    question, subject, names, kind = data
    asked = QuestionData(*question)
    if kind == "row":
        return RowCase(asked, RationaleData(*subject), names)
    return GroupCase(asked, [_member_data(*member) for member in subject], names)


def _member_data(attempt: str, rationale: Sequence[Any], verdicts: Mapping[str, Sequence[Any]]) -> MemberData:
    known = {name: KnownVerdict(*verdict) for name, verdict in verdicts.items()}
    return MemberData(attempt, RationaleData(*rationale), known)


def specification(verifier: Verifier, *, file: Path | None = None, installed: bool = False) -> dict[str, Any]:
    """Return what `judge_with` needs to find a verifier again in another process."""
    where = {"file": str(file)} if file else {"installed": installed}
    return {"name": verifier.name, "options": dict(verifier.options), **where}


def judge_with(specifications: Sequence[Mapping[str, Any]]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Return the function that judges cases with these verifiers: the factory of a `Worker`. It takes and returns JSON."""
    judge = judging({one["name"]: _find(one) for one in specifications})
    # Verdicts make many small objects and no cycles: looking for cycles less often saves a twentieth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return lambda cases: judge([case_of(case) for case in cases])


def judging(verifiers: Mapping[str, Verifier]) -> Judge:
    """Return the function that judges cases with these verifiers, in this process."""

    def judge(cases: Sequence[JudgingCase]) -> list[list[list[Judgement]]]:
        return [_rows(verifiers, case) if case.kind == "row" else _groups(verifiers, case) for case in cases]

    return judge


def unscorable(reason: str) -> Judgement:
    """Return the verdict of a verifier that said nothing."""
    return Judgement(Outcome.UNSCORABLE.value, reason[:300], None, None, "{}", 0.0)


def _find(one: Mapping[str, Any]) -> Verifier:
    if one.get("file"):
        verifier = load_file(Path(one["file"]))[one["name"]]
    else:
        verifier = load_installed(one["name"]) if one.get("installed") else get_verifier(one["name"])
    return verifier.configured(one["options"])


def _rows(verifiers: Mapping[str, Verifier], case: RowCase) -> list[list[Judgement]]:
    question, rationale = Question(*case.question), Rationale(*case.rationale)
    answers = []
    for name in case.names:
        started = time.perf_counter()
        verdict = verifiers[name](question, rationale)
        answers.append([_judgement(verdict, time.perf_counter() - started)])
    return answers


def _groups(verifiers: Mapping[str, Verifier], case: GroupCase) -> list[list[Judgement]]:
    question, members = Question(*case.question), [_member(one) for one in case.members]
    answers = []
    for name in case.names:
        started = time.perf_counter()
        verdicts = verifiers[name](question, members)
        elapsed = (time.perf_counter() - started) / max(1, len(members))
        answers.append([_judgement(verdict, elapsed) for verdict in verdicts])
    return answers


def _member(one: MemberData) -> Member:
    known = {
        name: Verdict(Outcome(verdict.outcome), answer=verdict.answer, detail=json.loads(verdict.detail))
        for name, verdict in one.verdicts.items()
    }
    return Member(one.attempt, Rationale(*one.rationale), known)


def _judgement(verdict: Verdict, elapsed: float) -> Judgement:
    try:
        detail = _encode(dict(verdict.detail)) if verdict.detail else "{}"
    except (TypeError, ValueError) as error:
        return unscorable(f"verifier crashed: its detail is no JSON: {error}")
    answer = None if verdict.answer is None else str(verdict.answer)
    score = None if verdict.score is None else float(verdict.score)
    return Judgement(str(verdict.outcome), str(verdict.reason), answer, score, detail, elapsed)
