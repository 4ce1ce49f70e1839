from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.arithmetic.given import question_numbers

EGGS = (
    "Janet's ducks lay 16 eggs a day. She eats three for breakfast and bakes muffins with four. "
    "She sells the rest for $2 an egg. How much does she make every day?"
)


def judge(text: str, question: str = EGGS, gold: str = "18", kind: str = "number", **choices: str) -> Verdict:
    verdict = get_verifier("number_provenance")(Question(question, gold, kind, choices), Rationale(text))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


GROUNDED = [
    "16 - 3 - 4 = 9. 9 * 2 = 18.",
    "16 - 3 - 4 = <<16-3-4=9>>9 eggs.\n9 * 2 = $<<9*2=18>>18\n#### 18",
    "She has 16 - 3 = 13, and 13 - 4 = 9 eggs left. 9 x $2 = $18. The answer is 18.",
    "She uses 3 + 4 = 7 eggs, so 16 - 7 = 9 are left. 2 * 9 = 18",
    "In a week that is 7 * 18 = 126 dollars, in a day 126 / 7 = 18",
    "9 eggs are left. 9 * 2 = 18.",
    "16 - 3 = 13 eggs; nine remain: 9 * 200 cents = 1800 cents.",
]


@pytest.mark.parametrize("text", GROUNDED)
def test_operands_from_question_results_and_constants_are_grounded(text: str) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.reason, verdict.score) == (Outcome.PASS, "grounded", 1.0), verdict


LOST = {
    "16 - 3 - 4 = 9. 9 * 257 = 2313. #### 18": "from nowhere: 257",
    "16 - 5 = 11. 9 * 2 = 18. #### 18": "no step yields: 9",
    "16 - 3 - 4 = 8. 9 * 2 = 18. #### 18": "no step yields: 9",
    "16 - 3 - 4 = 8. 8 * 2 = 16. The answer is 18.": "answer from nowhere: 18",
    "16 - 3 - 4 = 9. 9 + 2 = 11. \\boxed{18}": "answer from nowhere: 18",
    "There are 57 boys and 41 girls: 57 + 41 = 98. 98 - 80 = 18.": "from nowhere: 80",
    "There are 57 boys, 41 girls and 80 men: 57 + 41 = 98. 98 - 80 = 18.": "numbers of another question",
}


@pytest.mark.parametrize(("text", "reason"), LOST.items())
def test_numbers_from_nowhere_are_named(text: str, reason: str) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason), verdict


def test_ungrounded_numbers_are_listed_and_counted() -> None:
    verdict = judge("16 - 3 - 4 = 9. 9 * 257 = 2313. 2313 + 431 = 2744. So 18.")
    assert verdict.detail["ungrounded"] == ["257", "431"]
    assert verdict.detail["operands"] == 7
    assert verdict.score == pytest.approx(1 - 2 / 7)


def test_without_a_question_or_a_calculation_there_is_no_verdict() -> None:
    assert judge("16 - 3 = 13", question=" ").reason == "no_question"
    for text in ("", "It is 18.", "x = 18", "On 3/4 it rained."):
        assert judge(text).reason == "no_calculations", text


def test_unknowns_are_not_followed_but_the_answer_is() -> None:
    assert judge("16 - x = 7, so x = 16 - 7 = 9. 257 * 2 = 514. 9 * 2 = 18").outcome is Outcome.PASS
    assert judge("16 - x = 7, so x = 16 - 7 = 9. 9 + 2 = 11. #### 18").reason == "answer from nowhere: 18"


CHOICES = {"A": "62", "B": "65", "C": "8/9"}


def test_a_choice_has_to_be_arrived_at() -> None:
    asked = "What is the mean of 60 and 72?"
    bare = f"{asked}\nOptions:\nA: 62\nB: 65"
    wrong = "60 + 72 = 132, 132 / 2 = 66.\nChoice B: 65 is the closest.\nSolution: B"
    right = "60 + 70 = 130, 130 / 2 = 65.\nSo choice B.\nSolution: B"
    assert judge(wrong, asked, "B", "letter", **CHOICES).reason == "answer from nowhere: 65"
    assert judge(wrong, bare, "B", "letter").reason == "answer from nowhere: 65"
    assert judge(right, bare, "B", "letter").outcome is Outcome.PASS
    assert judge("2 * 4 = 8 of 9, that is 8/9.\nAnswer: C", asked, "C", "letter", **CHOICES).outcome is Outcome.PASS
    assert judge("2 * 4 = 8.\nAnswer: D", asked, "D", "letter", **CHOICES, D="x^2").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16 eggs", 16),
        ("1,250 eggs", 1250),
        (".5 cups", Fraction(1, 2)),
        ("three eggs", 3),
        ("Thirty-five eggs", 35),
        ("two hundred and five", 205),
        ("$2.5 million", 2_500_000),
        ("half of them", Fraction(1, 2)),
        ("half of them", 2),
        ("twice as many", 2),
        ("a dozen", 12),
        ("the third day", 3),
        ("one third", Fraction(1, 3)),
        ("3/4 of it", Fraction(3, 4)),
        ("3/4 of it", Fraction(1, 4)),
        ("20% off", Fraction(1, 5)),
        ("20 percent off", Fraction(4, 5)),
        ("raised by 20%", Fraction(6, 5)),
        ("30\u00a2", 30),
        (r"\frac{2}{5} of it", Fraction(2, 5)),
    ],
)
def test_a_questions_numbers_are_read(text: str, value: Fraction | int) -> None:
    assert value in question_numbers(text)


def test_words_that_are_no_numbers_give_none() -> None:
    assert question_numbers("Anyone can be at the tent and see the eggs, and freight is heightened.") == set()


numbers = st.integers(20, 10**6)


@given(numbers, st.lists(numbers, min_size=2, max_size=5, unique=True), numbers)
def test_a_sum_of_the_questions_numbers_is_grounded_and_a_strange_operand_is_not(
    start: int, operands: list[int], strange: int
) -> None:
    question = f"He has {start} eggs and then gets " + ", ".join(map(str, operands)) + ". How many?"
    lines, total = [], start
    for operand in operands:
        lines.append(f"{total} + {operand} = {total + operand}")
        total += operand
    assert judge("\n".join(lines), question, str(total)).outcome is Outcome.PASS
    lines.insert(1, f"{strange} * 0.7193734571 = {strange * 7193734571 / 10**10}")
    assert judge("\n".join(lines), question, str(total)).outcome is Outcome.FAIL


PIECES = [
    *"0123456789.,+-*/^()=%$x<>\\ \n",
    " = ",
    "half ",
    " of ",
    "Choice A: ",
    "answer is ",
    "#### ",
    "9^9",
    "\u00bd",
]
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@given(texts, texts, texts, st.sampled_from(["number", "letter", "text", "math", "yesno"]))
def test_no_text_crashes_the_verifier(text: str, question: str, gold: str, kind: str) -> None:
    judge(text, question, gold, kind)


def test_floods_end() -> None:
    for piece in [*PIECES, "1+1=", "257 * 2 = ", "1/", "A) ", "one "]:
        flood = piece * (20_000 // len(piece))
        judge(flood)
        judge("1 + 2 = 3", flood)
