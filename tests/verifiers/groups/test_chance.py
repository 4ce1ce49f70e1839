from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Member, Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.groups.chance import judge, probability_by_guessing

FIVE = Question("Where?", "B", "letter", dict(zip("ABCDE", ["river", "bank", "hill", "sea", "sky"], strict=True)))
YES = Question("Is it?", "yes", "yesno")


def group(right: int, wrong: int, *, silent: int = 0, hinted: int = 0) -> list[Member]:
    said = [(Outcome.PASS, "B", False)] * right + [(Outcome.FAIL, "C", False)] * wrong
    said += [(Outcome.FAIL, None, False)] * silent + [(Outcome.PASS, "B", True)] * hinted
    return [
        Member(f"a{index}", Rationale("...", hinted=told), {"answer": Verdict(outcome, answer=answer)})
        for index, (outcome, answer, told) in enumerate(said)
    ]


def test_more_right_answers_than_guesses_give_pass_and_wrong_rows_get_the_question_s_verdict() -> None:
    verdicts = judge(FIVE, group(3, 1))
    p = 4 * 0.2**3 * 0.8 + 0.2**4
    assert {verdict.outcome for verdict in verdicts} == {Outcome.PASS}
    assert verdicts[0].score == pytest.approx(1 - p)
    assert verdicts[0].detail == {"right": 3, "samples": 4, "floor": 0.2, "p": pytest.approx(p, rel=1e-3)}
    assert verdicts == [verdicts[0]] * 4


def test_what_guessing_gives_as_well_fails() -> None:
    verdict = judge(FIVE, group(1, 3))[0]
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "no_better_than_chance")
    assert verdict.score == pytest.approx(0.8**4)


def test_no_right_answer_is_no_better_than_chance() -> None:
    verdict = judge(FIVE, group(0, 4))[0]
    assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0)


def test_yes_and_no_are_two_choices() -> None:
    assert judge(YES, group(5, 0))[0].reason == "above_chance"
    assert judge(YES, group(5, 1))[0].detail["floor"] == 0.5
    assert judge(YES, group(5, 1))[0].reason == "no_better_than_chance"


@pytest.mark.parametrize(("question", "samples"), [(FIVE, 0), (FIVE, 1), (YES, 4)])
def test_too_few_samples_are_no_evidence_either_way(question: Question, samples: int) -> None:
    verdicts = judge(question, group(samples, 0, silent=1))
    assert {(verdict.outcome, verdict.reason) for verdict in verdicts} == {(Outcome.UNSCORABLE, "too_few_samples")}


@pytest.mark.parametrize("choices", [{}, {"A": "only"}])
def test_without_choices_there_is_no_floor(choices: dict[str, str]) -> None:
    question = Question("?", "A", "letter", choices)
    assert judge(question, group(4, 0))[0] == Verdict(Outcome.UNSCORABLE, "no_choices")
    assert judge(Question("?", "18", "number"), group(4, 0))[0].reason == "no_choices"


def test_silent_and_hinted_attempts_are_not_counted_and_hinted_ones_not_judged() -> None:
    verdicts = judge(FIVE, group(2, 0, silent=3, hinted=2))
    assert [verdict.reason for verdict in verdicts] == ["above_chance"] * 5 + ["hinted"] * 2
    assert verdicts[0].detail["samples"] == 2


def test_the_level_is_an_option() -> None:
    assert judge(FIVE, group(2, 2), level=0.2)[0].outcome is Outcome.PASS
    assert judge(FIVE, group(2, 2))[0].outcome is Outcome.FAIL


def test_thousands_of_samples_are_exact_too() -> None:
    assert probability_by_guessing(0, 3000, 4) == 1
    assert probability_by_guessing(3000, 3000, 2) == pytest.approx(0.0)
    assert probability_by_guessing(750, 3000, 4) == pytest.approx(0.51, abs=0.02)


def test_no_members_no_verdicts() -> None:
    assert get_verifier("chance")(FIVE, []) == []


@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 10))
def test_the_probability_is_the_binomial_tail(right: int, wrong: int, choices: int) -> None:
    samples = right + wrong
    floor = 1 / choices
    below = sum(comb(samples, k) * floor**k * (1 - floor) ** (samples - k) for k in range(right))
    assert probability_by_guessing(right, samples, choices) == pytest.approx(1 - below, abs=1e-9)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3), st.integers(0, 3))
def test_one_verdict_a_member_and_one_more_right_answer_never_hurts(
    right: int, wrong: int, silent: int, hinted: int
) -> None:
    members = group(right, wrong, silent=silent, hinted=hinted)
    verdicts = judge(FIVE, members)
    assert len(verdicts) == len(members)
    if verdicts and verdicts[0].outcome is Outcome.PASS:
        assert judge(FIVE, group(right + 1, wrong))[0].outcome is Outcome.PASS
