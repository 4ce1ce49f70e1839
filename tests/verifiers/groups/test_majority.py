from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Member, Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.groups.majority import judge

QUESTION = Question("?", "18", "number")


def member(index: int, answer: str | None, *, hinted: bool = False) -> Member:
    outcome = Outcome.PASS if answer == "18" else Outcome.FAIL
    return Member(f"a{index}", Rationale("...", hinted=hinted), {"answer": Verdict(outcome, answer=answer)})


def group(answers: list[str | None], hinted: list[str | None] = []) -> list[Member]:  # noqa: B006
    sampled = [member(index, answer) for index, answer in enumerate(answers)]
    return [*sampled, *(member(len(sampled) + index, answer, hinted=True) for index, answer in enumerate(hinted))]


def reasons(members: list[Member], **options: float) -> list[str]:
    return [verdict.reason for verdict in judge(QUESTION, members, **options)]


def test_the_most_frequent_answer_passes_and_others_fail() -> None:
    verdicts = judge(QUESTION, group(["17", "18", "17", "17"]))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS, Outcome.FAIL, Outcome.PASS, Outcome.PASS]
    assert verdicts[0] == Verdict(Outcome.PASS, "favourite", "17", 0.75, {"votes": 3, "samples": 4, "favourite": "17"})
    assert verdicts[1] == Verdict(Outcome.FAIL, "minority", "18", 0.25, {"votes": 1, "samples": 4, "favourite": "17"})


def test_ties_pass() -> None:
    assert reasons(group(["17", "18", "18", "17", "3"])) == ["favourite"] * 4 + ["minority"]


def test_an_attempt_without_an_answer_neither_votes_nor_is_judged() -> None:
    verdicts = judge(QUESTION, [*group(["18", None, "18"]), Member("b", Rationale("..."))])
    assert [verdict.reason for verdict in verdicts] == ["favourite", "no_answer", "favourite", "no_answer"]
    assert verdicts[0].score == 1


def test_hinted_attempts_neither_vote_nor_are_judged() -> None:
    verdicts = judge(QUESTION, group(["17", "17", "18"], ["18", "18", None]))
    assert [verdict.reason for verdict in verdicts] == ["favourite", "favourite", "minority"] + ["hinted"] * 3
    assert all(verdict.outcome is Outcome.UNSCORABLE for verdict in verdicts[3:])


@pytest.mark.parametrize("answers", [["18"], ["18", None, None]])
def test_one_answer_is_no_majority(answers: list[str | None]) -> None:
    verdict = judge(QUESTION, group(answers, ["18"]))[0]
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "too_few_samples")


def test_a_share_can_be_asked_for() -> None:
    scattered = group(["18", "18", "1", "2", "3"])
    assert reasons(scattered)[0] == "favourite"
    assert reasons(scattered, share=0.4)[0] == "favourite"
    assert reasons(scattered, share=0.5)[:3] == ["no_agreement", "no_agreement", "minority"]


def test_no_members_no_verdicts() -> None:
    assert get_verifier("majority")(QUESTION, []) == []


answers = st.lists(st.sampled_from(["18", "17", "0.5", None]), max_size=12)


@given(answers, answers, st.randoms(use_true_random=False))
def test_the_order_of_the_attempts_does_not_matter(
    sampled: list[str | None], hinted: list[str | None], random_: random.Random
) -> None:
    members = group(sampled, hinted)
    verdicts = judge(QUESTION, members)
    assert len(verdicts) == len(members)
    shuffled = random_.sample(members, len(members))
    again = {one.attempt: verdict for one, verdict in zip(shuffled, judge(QUESTION, shuffled), strict=True)}
    assert [again[one.attempt] for one in members] == verdicts


@given(answers)
def test_shares_of_the_different_answers_add_up_to_one(sampled: list[str | None]) -> None:
    shares = {verdict.answer: verdict.score for verdict in judge(QUESTION, group(sampled)) if verdict.score is not None}
    assert not shares or sum(shares.values()) == pytest.approx(1)
