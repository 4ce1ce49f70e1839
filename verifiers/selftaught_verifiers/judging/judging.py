"""Judging as plain data: what a process that judges is told, and what it says.

Everything here is JSON-able, so that it crosses into a `Worker`: a case is [question, subject, names], where the question is
[text, gold, kind, choices, meta] and the subject a rationale [completion, reasoning, hinted, finish_reason], or for group
verifiers a list of members [attempt, rationale, {name: [outcome, answer, detail]}].
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selftaught_verifiers import Member, Outcome, Question, Rationale, Verdict, Verifier, get_verifier
from selftaught_verifiers.verdict.plugins import load_file, load_installed

_encode = json.JSONEncoder(default=str).encode

Case = Sequence[Any]
Said = tuple[str, str, str | None, float | None, str, float]
"""A verdict as plain data: outcome, reason, answer, score, detail as JSON, and the seconds it took."""


def specification(verifier: Verifier, *, file: Path | None = None, installed: bool = False) -> dict[str, Any]:
    """Return what `judge_with` needs to find a verifier again in another process."""
    where = {"file": str(file)} if file else {"installed": installed}
    return {"name": verifier.name, "options": dict(verifier.options), **where}


def judge_with(specifications: Sequence[Mapping[str, Any]]) -> Callable[[Sequence[Case]], list[list[list[Said]]]]:
    """Return the function that judges cases with these verifiers: the factory of a `Worker`.

    Its result has, for each case and each of the case's names, one verdict a member; a row verifier has one.
    """
    judge = judging({one["name"]: _find(one) for one in specifications})
    # Verdicts make many small objects and no cycles: looking for cycles less often saves a twentieth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return judge


def judging(verifiers: Mapping[str, Verifier]) -> Callable[[Sequence[Case]], list[list[list[Said]]]]:
    """Return the function that judges cases with these verifiers, in this process."""

    def judge(cases: Sequence[Case]) -> list[list[list[Said]]]:
        return [_judge(verifiers, *case) for case in cases]

    return judge


def unscorable(reason: str) -> Said:
    """Return the verdict of a verifier that said nothing."""
    return (Outcome.UNSCORABLE.value, reason[:300], None, None, "{}", 0.0)


def _find(one: Mapping[str, Any]) -> Verifier:
    if one.get("file"):
        verifier = load_file(Path(one["file"]))[one["name"]]
    else:
        verifier = load_installed(one["name"]) if one.get("installed") else get_verifier(one["name"])
    return verifier.configured(one["options"])


def _judge(verifiers: Mapping[str, Verifier], question: Any, subject: Any, names: Sequence[str]) -> list[list[Said]]:
    asked = Question(*question)
    answers: list[list[Said]] = []
    row: Rationale | None = None
    members: list[Member] | None = None
    for name in names:
        verifier = verifiers[name]
        if verifier.kind == "row":
            row = row or Rationale(*subject)
            started = time.perf_counter()
            verdict = verifier(asked, row)
            answers.append([_said(verdict, time.perf_counter() - started)])
        else:
            members = members if members is not None else [_member(one) for one in subject]
            started = time.perf_counter()
            verdicts = verifier(asked, members)
            elapsed = (time.perf_counter() - started) / max(1, len(members))
            answers.append([_said(verdict, elapsed) for verdict in verdicts])
    return answers


def _member(one: Sequence[Any]) -> Member:
    attempt, rationale, verdicts = one
    known = {
        name: Verdict(Outcome(outcome), answer=answer, detail=json.loads(detail))
        for name, (outcome, answer, detail) in verdicts.items()
    }
    return Member(attempt, Rationale(*rationale), known)


def _said(verdict: Verdict, elapsed: float) -> Said:
    try:
        detail = _encode(dict(verdict.detail)) if verdict.detail else "{}"
    except (TypeError, ValueError) as error:
        return unscorable(f"verifier crashed: its detail is no JSON: {error}")
    answer = None if verdict.answer is None else str(verdict.answer)
    score = None if verdict.score is None else float(verdict.score)
    return (str(verdict.outcome), str(verdict.reason), answer, score, detail, elapsed)
