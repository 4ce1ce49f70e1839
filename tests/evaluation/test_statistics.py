"""The statistics of an evaluation, against published values, brute force and properties."""

from __future__ import annotations

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.evaluation.statistics import majority, mcnemar_exact, pass_at_k, wilson
from selftaught_verifiers import Question, Rationale, get_verifier

counts = st.integers(0, 2000)


@st.composite
def proportions(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 5000))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(proportions())
def test_wilson_holds_the_share_and_is_symmetric(made: tuple[int, int]) -> None:
    successes, n = made
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - successes, n), abs=1e-9)


@given(proportions(), st.integers(2, 50))
def test_wilson_narrows_with_more_of_the_same(made: tuple[int, int], times: int) -> None:
    successes, n = made
    few, many = wilson(successes, n), wilson(successes * times, n * times)
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 32),
        (1, 9, 22 / 1024),
        (2, 10, 158 / 4096),  # (1 + 12 + 66) * 2
        (6, 16, 0.052479),  # 2 * pbinom(6, 22, 0.5) of R
    ],
)
def test_mcnemar_gives_known_values(b: int, c: int, p: float) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(p, abs=1e-6)


@given(counts, counts)
def test_mcnemar_is_a_symmetric_probability(b: int, c: int) -> None:
    p = mcnemar_exact(b, c)
    assert 0 <= p <= 1
    assert p == mcnemar_exact(c, b)
    assert mcnemar_exact(0, b + c) <= p  # nothing is less even


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_sum_of_the_tails(b: int, c: int) -> None:
    n = b + c
    tails = sum(comb(n, i) for i in range(n + 1) if min(i, n - i) <= min(b, c))
    assert mcnemar_exact(b, c) == pytest.approx(min(1.0, tails / 2**n))


def test_mcnemar_bears_large_counts() -> None:
    assert mcnemar_exact(100_000, 100_000) == 1.0
    assert mcnemar_exact(0, 5_000) == 0.0  # below the smallest float, and no error
    assert mcnemar_exact(4_900, 5_100) == pytest.approx(0.0466, abs=1e-4)  # the normal value with continuity correction


@given(st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 8))
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    draws = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


@given(proportions())
def test_pass_at_one_is_the_share_and_more_tries_help(made: tuple[int, int]) -> None:
    c, n = made
    assert pass_at_k(n, c, 1) == pytest.approx(c / n)
    assert pass_at_k(n, c, n) == (1 if c else 0)
    assert pass_at_k(n, c, (n + 1) // 2) <= pass_at_k(n, c, n)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, -1, 1), (4, 1, 0), (4, 1, 5)])
def test_wrong_counts_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="n=4"):
        pass_at_k(n, c, k)
    with pytest.raises(ValueError, match="of 1"):
        wilson(2, 1)
    with pytest.raises(ValueError, match="counts"):
        mcnemar_exact(-1, 1)


def test_the_majority_wins_and_the_first_of_equals() -> None:
    assert majority(["7", "9", "9"]) == "9"
    assert majority(["9", "7", "7", "9"]) == "9"
    assert majority(["7", None, None]) == "7"
    assert majority([None, None]) is None
    assert majority([]) is None


@given(st.lists(st.sampled_from([None, "1", "2", "3"])))
def test_no_answer_beats_the_majority(answers: list[str | None]) -> None:
    winner = majority(answers)
    given_answers = [answer for answer in answers if answer is not None]
    assert (winner is None) == (not given_answers)
    if winner is not None:
        most = max(map(given_answers.count, given_answers))
        tied = [answer for answer in given_answers if given_answers.count(answer) == most]
        assert winner == tied[0]


@pytest.mark.parametrize("gold", ["1000", "1001"])  # right or wrong, they share one form
def test_equal_numbers_vote_together_however_they_are_written(gold: str) -> None:
    verify = get_verifier("answer")
    question = Question("How many?", gold, "number", {})
    said = ["The answer is 7.", "The answer is 1,000.", "The answer is 1000.", r"The answer is \boxed{1000.0}."]
    answers = [verify(question, Rationale(text)).answer for text in said]
    assert majority(["7", *answers]) == "1000"  # two votes of seven against three of a thousand
