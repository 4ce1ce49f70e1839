from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.equations import stated_equations


def judge(text: str, reasoning: str = "") -> Verdict:
    verdict = get_verifier("equations")(Question("?", "1", "number"), Rationale(text, reasoning))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


TRUE = [
    "5 + 3 = 8",
    "16-3-4=9",
    "16 - 3 - 4 = <<16-3-4=9>>9 duck eggs",
    "He makes 9 * 2 = $<<9*2=18>>18 a day.",
    "$5 x 3 = $15",
    "3x4=12",
    "3 \u00d7 4 = 12",
    "12 \u00f7 4 = 3",
    "7 \u2212 9 = \u22122",
    "5 red apples + 3 apples = 8 apples",
    "3 hours * 60 minutes/hour = 180 minutes",
    "2(3+4) = 14",
    "(1 + 2) * (3 + 4) = 21",
    "2 + 3 * 4 = 14",
    "2^3 + 1 = 9",
    "-3 * -4 = 12",
    "5 + 3 = 4 + 4 = 8",
    "80,000 + 50,000 = 130,000",
    "10/3 = 3.33",
    "10/3 = 3",
    "2/3 = 0.66",
    "10 / 3 \u2248 3.3",
    "20% * 50 = 10",
    "100% - 40% = 60%",
    "50/200 = 25%",
    r"\frac{1}{2} \times 10 = 5",
    r"$$3 \times 4 = \boxed{12}$$",
    "- 5 + 3 = 8",
    "1. 5 + 3 = 8",
    "So (5 + 3 = 8) apples",
    "Step 2: **4 * 3 = 12**",
]
FALSE = [
    "5 + 3 = 9",
    "She makes 9 * 2 = $<<9*2=19>>19.",
    "<<9*2=19>>",
    "3x4=13",
    "10/3 = 3.4",
    "2 + 3 * 4 = 20",
    "5 + 3 = 8 = 4 + 5",
    "1.5 + 1.5 = 3.1",
    "5 apples + 3 apples = 9 apples",
    "80,000 + 50,000 = 140,000",
    r"\frac{1}{2} \times 10 = 6",
    "100000000000000000000 + 1 = 100000000000000000000",
]
UNSURE = [
    "",
    "no numbers",
    "x = 5",
    "3x = 12",
    "2x + 3 = 11",
    "x + 3 = 8",
    "n - 3 = 8",
    "f(2) + 1 = 4",
    "20% of 50 = 10",
    "half of 10 + 3 = 9",
    "3 times 5 + 1 = 18",
    "the ratio is 2:3 = 4:6",
    "3:30 + 1 = 4:30",
    "on 3/4/2020 it rained",
    "4 days = 7 + 2",
    "3 * 20 minutes = 1 hour",
    "28 / 1/5 = 140",
    "3 dozen + 2 = 38",
    "Profit - 5 = 3",
    "5! + 1 = 121",
    r"\sqrt{9} + 1 = 4",
    "5 + 3 = 8x",
    "5 + 3 = 2 hundred",
    "5 + 3 = ?",
    "1/0 = 5",
    "9^9^9^9 = 1",
    "2 1/2 + 1 = 3",
    "2.5x108 * 2 = 1",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_equations_hold(text: str) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.score) == (Outcome.PASS, 1.0), verdict


@pytest.mark.parametrize("text", FALSE)
def test_false_equations_fail_and_are_quoted(text: str) -> None:
    verdict = judge(text)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason.startswith("false: ")
    assert verdict.detail["examples"]


@pytest.mark.parametrize("text", UNSURE)
def test_what_is_no_plain_equation_is_not_judged(text: str) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "no_equations"), verdict


def test_sides_are_exact_and_quoted() -> None:
    (found,) = stated_equations("So 10 / 4 = 2.5 cups.")
    assert (found.text, found.left, found.right, found.holds) == ("10 / 4 = 2.5", Fraction(5, 2), Fraction(5, 2), True)


def test_reasoning_content_counts_and_details_are_bounded() -> None:
    verdict = judge("5 + 3 = 8", reasoning="1 + 1 = 3\n" * 50)
    assert verdict.detail["stated"] == 51
    assert verdict.detail["false"] == 50
    assert len(verdict.detail["examples"]) == 5  # ty: ignore
    assert judge("1 + " * 30 + "1 = 99").reason <= "false: " + "1 + " * 30


numbers = st.integers(0, 10**6)


@given(numbers, numbers, st.sampled_from("+-*"), numbers)
def test_a_stated_result_holds_exactly_where_it_is_right(a: int, b: int, operator: str, stated: int) -> None:
    right = {"+": a + b, "-": a - b, "*": a * b}[operator]
    assert judge(f"Then {a} {operator} {b} = {right} in all.").outcome is Outcome.PASS
    assert (judge(f"Then {a} {operator} {b} = {stated} in all.").outcome is Outcome.PASS) == (stated == right)


PIECES = [
    *"0123456789.,+-*/^()=%$x<>:[]{}\\ \n",
    " = ",
    "<<",
    ">>",
    " apples ",
    "\\frac{",
    "\u00d7",
    "\u2248",
    "**",
    " of ",
]


@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=80).map("".join)))
def test_no_text_crashes_the_verifier(text: str) -> None:
    judge(text)


def test_floods_end() -> None:
    for piece in [*PIECES, "1=", "1+1=", "(1+", "1+1=1+", "\\frac{1}{", "-", "2^"]:
        judge(piece * 20_000)


def test_gold_solutions_raise_hardly_an_alarm(gsm8k: list[dict]) -> None:
    outcomes = [judge(row["solution"]).outcome for row in gsm8k]
    assert outcomes.count(Outcome.FAIL) <= 0.006 * len(outcomes)  # measured 0.43 %, many of them mistakes in the data
    assert outcomes.count(Outcome.PASS) >= 0.97 * len(outcomes)


def test_flawed_rationales_with_right_answers_are_found(read_rows: Callable[[str], list[dict]]) -> None:
    rows = [row for row in read_rows("leakbench/mrben_right_answer.jsonl") if row["task"] == "mrben_math"]
    failed = [row for row in rows if judge("\n".join(row["steps"])).outcome is Outcome.FAIL]
    found = sum(row["rationale_flawed"] for row in failed)
    assert found >= 0.25 * sum(row["rationale_flawed"] for row in rows)
    assert found >= 0.9 * len(failed)
