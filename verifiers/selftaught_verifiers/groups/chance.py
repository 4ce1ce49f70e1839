"""The group verifier `chance`: is a question with choices answered right more often than guessing would?

With choices a guess is right now and then, and its rationale is made up around it. The test is of the question, not of one
rationale: its right samples among those that answered, against what picking a choice at random gives (one-sided exact
binomial test). It takes one question at a time: at level 0.05, guessing alone passes up to one question in twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

from selftaught_verifiers.groups.majority import sampled_answer
from selftaught_verifiers.verdict.verdict import Member, Outcome, Question, Verdict, group_verifier


@group_verifier("chance", version="1", needs=("answer",))
def judge(question: Question, members: Sequence[Member], *, level: float = 0.05) -> list[Verdict]:
    """Pass where guessing would do as well with a probability under `level`, fail otherwise.

    Every sampled attempt gets the question's verdict, right or wrong. Hinted ones are unscorable, since they did not
    guess; all are where the question has no choices and is not yes or no (`no_choices`), and where so few answered that
    even with all of them right the test could not pass (`too_few_samples`).

    Args:
        question: its choices set the floor, 1 in their number; 1 in 2 for yes or no.
        members: its attempts, with the verdicts of `answer`.
        level: the significance level.

    Returns:
        Verdicts whose score is 1 - p.
    """
    verdict = _verdict(question, members, level)
    hinted = Verdict(Outcome.UNSCORABLE, "hinted")
    return [hinted if member.rationale.hinted else verdict for member in members]


def _verdict(question: Question, members: Sequence[Member], level: float) -> Verdict:
    choices = 2 if question.kind == "yesno" else len(question.choices)
    if choices < 2:
        return Verdict(Outcome.UNSCORABLE, "no_choices")
    answered = [member for member in members if sampled_answer(member) is not None]
    samples = len(answered)
    right = sum(member.verdicts["answer"].outcome is Outcome.PASS for member in answered)
    if probability_by_guessing(samples, samples, choices) >= level:
        return Verdict(Outcome.UNSCORABLE, "too_few_samples", detail={"right": right, "samples": samples})
    p = probability_by_guessing(right, samples, choices)
    detail = {"right": right, "samples": samples, "floor": round(1 / choices, 4), "p": float(f"{p:.4g}")}
    if p < level:
        return Verdict(Outcome.PASS, "above_chance", score=1 - p, detail=detail)
    return Verdict(Outcome.FAIL, "no_better_than_chance", score=1 - p, detail=detail)


@lru_cache(maxsize=4096)
def probability_by_guessing(right: int, samples: int, choices: int) -> float:
    """The probability that at least `right` of `samples` random picks among `choices` are right; exact before rounding."""
    hits = sum(comb(samples, count) * (choices - 1) ** (samples - count) for count in range(right, samples + 1))
    return hits / choices**samples
