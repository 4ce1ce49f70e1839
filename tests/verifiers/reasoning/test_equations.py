from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.reasoning.equations import equation_list, stated_equations


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
    "a total of 3 + 4 = 7 eggs",
    "the price fell by 3 * 4 = 12 dollars",
    "20% of 50 = 10",
    "25 percent of 80 is 20",
    "half of 12 is 6",
    "two thirds of 30 = 20",
    "3/4 of the 20 eggs = 15",
    "3 times 4 is 12",
    "5 plus 3 equals 8",
    "20 divided by 5 gives 4",
    "1/3 = 33%",
    "80 - 10% = 72",
    "C(4,2) = 6",
    r"\binom{5}{2} = 10",
    "5! / 3! = 20",
    r"\sqrt{9} + 1 = 4",
    "sqrt(2) * sqrt(2) = 2",
    "2 1/2 + 1 = 3 1/2",
    "6.02 x 10^23 * 2 = 1.2 x 10^24",
    "16 - 20 = $-4",
    "1 (the first) + 4 (all of the others) = 5",
    "5 miles to the shop + 3 miles from the shop to the school = 8 miles",
    "$25/week * 4 weeks/month = $100/month",
    "$50/$10 = 5 $10 bills",
    "3 > 2",
    "0 < 4/9",
    "5 + 1 = 6!",
    "2x + 3 = 11\n2x = 8\nx = 4",
    "Let k be the eggs. 3(k + 2) = 24, so k = 6",
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
    "a total of 3 + 4 = 8 eggs",
    "20% of 50 = 12",
    "half of 12 is 5",
    "3 times 4 is 13",
    "1/3 = 34%",
    "200 - (20 * 40%) = 200 - 80",
    "0.3 + 0.4 = 1",
    "24! / (5! * 19!) = 42436",
    "C(4,2) * (1/4) * (1/4) = 6 * (1/4)",
    r"\sqrt{9} + 1 = 5",
    "16 - 20 = $-5",
    "$25/week * 4 weeks/month = $110/month",
    "20 - 10 = 30 minutes. The second hour is free.",
    "1000 + 356 = 644 times\n1000 - 135 = 865",
    "20% of 50 = <<20*.01*50=10>>12",
    "3 < 2",
    "2x + 3 = 11\n2x = 8\nx = 5",
    "Let k be the eggs. 3(k + 2) = 24, so k = 7",
    "x = 4, 2x = 9",
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
    "half of 10 + 3 = 9",
    "20% of 10 + 3 = 6",
    "twice 5 + 1 = 12",
    "the ratio is 2:3 = 4:6",
    "3:30 + 1 = 4:30",
    "on 3/4/2020 it rained",
    "4 days = 7 + 2",
    "3 * 20 minutes = 1 hour",
    "28 / 1/5 = 140",
    "3 dozen + 2 = 38",
    "losses of 5 thousand a day: 5 * 3 = $15,000",
    "4 pounds - 6 ounces = 58 ounces",
    "11 + 3 = 2 p.m.",
    "day 1 * 2 = 20",
    "0900-0130 = 0730",
    "14, 400 / 80 = 180",
    "If 3 + 4 is 8",
    "Steps 3-5 is 2",
    "5 + 3 is 2 more than 6",
    "if 3 < 2 then",
    "it is not true that 3 < 2",
    "he has 25 friends + his 1 teacher + 1 = 27",
    "50 / 3 = 16",
    "1/4 cup = 2 * 1",
    "8/3 = 24/y",
    "x^2 = 9, so x = 3 or x = -3",
    "x^2 - 5x = 0\nx = 0\nx = 5\n3x = 1",
    "x + y = 10\nx = 4",
    "0.3y = 1, so y = 3",
    "if x = 2, then 2x = 5",
    "Profit - 5 = 3",
    "5 + 3 = 8x",
    "5 + 3 = ?",
    "1/0 = 5",
    "9^9^9^9 = 1",
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


def test_sums_of_another_arithmetic_are_not_judged() -> None:
    assert judge("8 + 8 = 6 (modulo 10)").outcome is Outcome.UNSCORABLE
    asked = Question("What is 8 + 8 modulo 10?", "6", "number")
    assert get_verifier("equations")(asked, Rationale("8 + 8 = 6, and 1 + 1 = 2")).outcome is Outcome.PASS


def test_an_annotation_that_disagrees_with_the_print_is_quoted() -> None:
    verdict = judge("He has <<16-3=13>>14 eggs")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "false: <<16-3=13>>14")
    for fine in ("<<10/3=3.333>>3", "<<0.2*100=20>>20%", "<<120/60=2>>2", "<<2500*4=10000>>10,000", "<<1=1>>one"):
        assert judge(f"She has {fine} eggs").outcome is not Outcome.FAIL, fine


def test_equation_lists_are_equal_where_only_the_writing_differs() -> None:
    one = equation_list("He sells 16 - 3 = <<16-3=13>>13 eggs, 13 x $2 = $26.00 a day.")
    other = equation_list("First 16 eggs - 3 eggs = 13 eggs.\nThen **13 * 2 = 26**.")
    assert one == other == ("16-3=13", "13*2=26")
    assert equation_list("<<16-3=13>>") == ("16-3=13",)
    assert equation_list("13 * 2 = 26 after 16 - 3 = 13") != one
    assert equation_list("There are 5 eggs. x = 5") == ()


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


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(1, 99)), min_size=1, max_size=6), st.integers(0, 99))
def test_a_true_chain_passes_and_one_altered_result_fails(steps: list[tuple[str, int]], start: int) -> None:
    lines, value = [], start
    for operator, operand in steps:
        result = {"+": value + operand, "-": value - operand, "*": value * operand}[operator]
        lines.append((f"{value} {operator} {operand} = ", result))
        value = result
    assert judge("\n".join(f"{left}{right} eggs." for left, right in lines)).outcome is Outcome.PASS
    left, right = lines[len(lines) // 2]
    lines[len(lines) // 2] = (left, right + 1)
    assert judge("\n".join(f"{left}{right} eggs." for left, right in lines)).outcome is Outcome.FAIL


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
    "half",
    " is ",
    "!",
    "C(",
    "\u221a",
    "\\sqrt{",
    "\\binom{",
    " times ",
    "1 2/3",
]


@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=80).map("".join)))
def test_no_text_crashes_the_verifier(text: str) -> None:
    judge(text)


def test_floods_end() -> None:
    for piece in [
        *PIECES,
        "1=",
        "1+1=",
        "(1+",
        "1+1=1+",
        "\\frac{1}{",
        "-",
        "2^",
        "<<1+1=2>>3 ",
        "9^9^9=",
        "99!^99=1 ",
    ]:
        judge(piece * (20_000 // len(piece)))
