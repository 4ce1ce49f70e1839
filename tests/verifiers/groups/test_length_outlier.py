from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Member, Outcome, Question, Rationale, get_verifier
from selftaught_verifiers.groups.length_outlier import judge

QUESTION = Question("?", "18", "number")


def group(lengths: list[int]) -> list[Member]:
    return [Member(f"a{index}", Rationale("x" * length)) for index, length in enumerate(lengths)]


def reasons(lengths: list[int], **options: float) -> list[str]:
    return [verdict.reason for verdict in judge(QUESTION, group(lengths), **options)]


USUAL = [300, 320, 280, 350, 310, 290, 305]


def test_a_ramble_and_a_stub_among_usual_lengths_fail() -> None:
    assert reasons([*USUAL, 4000]) == ["usual"] * 7 + ["too_long"]
    assert reasons([*USUAL, 40]) == ["usual"] * 7 + ["too_short"]
    assert judge(QUESTION, group([*USUAL, 40]))[-1].detail["median"] == 302


def test_a_few_characters_among_equal_lengths_are_no_outlier() -> None:
    assert set(reasons([300] * 8 + [330])) == {"usual"}


def test_fewer_than_eight_texts_are_unscorable_and_so_is_an_empty_one() -> None:
    assert reasons([*USUAL, 0]) == ["too_few_texts"] * 8
    assert reasons([*USUAL, 300, 0]) == ["usual"] * 8 + ["empty"]


def test_reasoning_counts() -> None:
    members = [*group(USUAL), Member("b", Rationale("x" * 100, reasoning="y" * 3900))]
    assert judge(QUESTION, members)[-1].reason == "too_long"


def test_the_bound_is_an_option() -> None:
    assert reasons([*USUAL, 4000], deviations=100.0)[-1] == "usual"


def test_no_members_no_verdicts() -> None:
    assert get_verifier("length_outlier")(QUESTION, []) == []


@given(st.lists(st.integers(0, 3000), max_size=20), st.randoms(use_true_random=False))
def test_the_order_does_not_matter_and_the_median_is_no_outlier(lengths: list[int], random_: random.Random) -> None:
    members = group(lengths)
    verdicts = judge(QUESTION, members)
    shuffled = random_.sample(members, len(members))
    again = {one.attempt: verdict for one, verdict in zip(shuffled, judge(QUESTION, shuffled), strict=True)}
    assert [again[one.attempt] for one in members] == verdicts
    written = sorted(length for length in lengths if length)
    if len(written) >= 8 and len(written) % 2:
        assert verdicts[lengths.index(written[len(written) // 2])].outcome is Outcome.PASS
