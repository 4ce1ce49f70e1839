"""The group verifier `length_outlier`: is a rationale far shorter or longer than the question's others?

A skipped derivation and a ramble show in length, but only against what the question takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from statistics import median

from selftaught_verifiers.verdict.verdict import Member, Outcome, Question, Verdict, group_verifier

FEWEST = 8
"""Fewer members say too little about what is usual."""

_NARROWEST = log(1.1)
_CONSISTENT = 0.6745


@group_verifier("length_outlier", version="1")
def judge(question: Question, members: Sequence[Member], *, deviations: float = 3.5) -> list[Verdict]:
    """Fail where the length lies too many robust deviations from the group's median; unscorable under 8 texts.

    The deviation is the modified z-score (Iglewicz and Hoaglin 1993) of the logarithm of reasoning and completion in
    characters: 0.6745 times the distance from the median, by the median of those distances. That median counts as 10 %
    at least, so that in a group of almost equal lengths a few characters are no outlier. Empty texts are unscorable.

    Args:
        question: the question; lengths need nothing of it.
        members: its attempts.
        deviations: how many deviations are too many.
    """
    lengths = [len(member.rationale.reasoning) + len(member.rationale.completion) for member in members]
    logs = [log(length) for length in lengths if length]
    if len(logs) < FEWEST:
        return [Verdict(Outcome.UNSCORABLE, "too_few_texts", detail={"texts": len(logs)})] * len(members)
    middle = median(logs)
    spread = max(_NARROWEST, median(abs(one - middle) for one in logs))
    return [_judge(length, middle, spread, deviations) for length in lengths]


def _judge(length: int, middle: float, spread: float, most: float) -> Verdict:
    if not length:
        return Verdict(Outcome.UNSCORABLE, "empty")
    z = _CONSISTENT * (log(length) - middle) / spread
    detail = {"characters": length, "median": round(exp(middle)), "z": round(z, 2)}
    if abs(z) <= most:
        return Verdict(Outcome.PASS, "usual", detail=detail)
    return Verdict(Outcome.FAIL, "too_long" if z > 0 else "too_short", detail=detail)
