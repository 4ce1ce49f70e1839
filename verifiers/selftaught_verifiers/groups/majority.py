"""The group verifier `majority`: do the question's other samples agree with this one's answer?

A right answer that most samples of the same weights contradict may be a slip that cancelled. Agreement is self-consistency
(Wang et al. 2023, arXiv 2203.11171); it knows nothing of the gold answer, and a majority can be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from selftaught_verifiers.verdict.verdict import Member, Outcome, Question, Verdict, group_verifier

FEWEST = 2


@group_verifier("majority", version="1", needs=("answer",))
def judge(question: Question, members: Sequence[Member], *, share: float = 0.0) -> list[Verdict]:
    """Pass where the answer is the most frequent one among the sampled attempts (ties pass), fail where it is not.

    A hinted attempt was told its answer: it has no vote and no verdict. An attempt without an answer has neither; nor has
    anyone where fewer than two answers were sampled.

    Args:
        question: the question; majority needs nothing of it.
        members: its attempts, with the verdicts of `answer`.
        share: the share of the votes that the answer must have besides; 0.5 asks for half of them.

    Returns:
        Verdicts whose score is the share of the sampled answers that are the same.
    """
    answers = [sampled_answer(member) for member in members]
    votes = Counter(answer for answer in answers if answer is not None)
    return [_judge(member, answer, votes, share) for member, answer in zip(members, answers, strict=True)]


def sampled_answer(member: Member) -> str | None:
    """The answer that a sampled attempt gave, in the form that equal answers share; None for a hinted one, or without."""
    verdict = member.verdicts.get("answer")
    return None if verdict is None or member.rationale.hinted else verdict.answer


def _judge(member: Member, answer: str | None, votes: Counter[str], least: float) -> Verdict:
    if answer is None:
        return Verdict(Outcome.UNSCORABLE, "hinted" if member.rationale.hinted else "no_answer")
    samples = votes.total()
    if samples < FEWEST:
        return Verdict(Outcome.UNSCORABLE, "too_few_samples", answer, detail={"samples": samples})
    most = max(votes.values())
    favourite = min(one for one, count in votes.items() if count == most)
    share = votes[answer] / samples
    detail = {"votes": votes[answer], "samples": samples, "favourite": answer if votes[answer] == most else favourite}
    if votes[answer] < most:
        return Verdict(Outcome.FAIL, "minority", answer, share, detail)
    if share < least:
        return Verdict(Outcome.FAIL, "no_agreement", answer, share, detail)
    return Verdict(Outcome.PASS, "favourite", answer, share, detail)
