from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.hint_leak import ALLUSIONS, QUOTES

EGGS = Question(
    "Janet's ducks lay 16 eggs. She eats 3, bakes with 4 and sells the rest for $2 each. How much does she make?",
    "18",
    "number",
)
BANK = Question(
    "What do people use to absorb extra ink from a fountain pen?",
    "E",
    "letter",
    {"A": "shirt pocket", "B": "calligrapher's hand", "C": "inkwell", "D": "desk drawer", "E": "blotter"},
)

GOOD_EGGS = "Janet sells 16 - 3 - 4 = 9 eggs a day. She makes 9 * 2 = $18 every day. The answer is 18."
GOOD_BANK = (
    "The answer must be used to absorb extra ink. Blotters are designed to soak up liquid. "
    "Therefore, the answer is blotter (E)."
)


def judge(text: str, question: Question = EGGS, *, hinted: bool = True, reasoning: str = "") -> Verdict:
    verdict = get_verifier("hint_leak")(question, Rationale(text, reasoning, hinted=hinted))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize(
    ("text", "question"),
    [
        (GOOD_EGGS, EGGS),
        (GOOD_BANK, BANK),
        ("16 - 3 - 4 = 9, and 9 * 2 = 18.", EGGS),
        ("We need the number of eggs left: 9. At $2 each this is $18.", EGGS),
        ("Given the answer choices, only one soaks up liquid: paper made for drying. The answer is (E).", BANK),
        ("So we know that the answer is 9 * 2 = 18.", EGGS),
    ],
)
def test_ordinary_rationales_pass(text: str, question: Question, hinted: bool) -> None:
    assert judge(text, question, hinted=hinted).outcome is Outcome.PASS


PLANTS = [
    ("quotes_hint", "{q} (18)\n" + GOOD_EGGS),
    ("quotes_hint", "(E) blotter (CORRECT). " + GOOD_EGGS),
    ("alludes_to_hint", "As given in the hint, she makes 18. " + GOOD_EGGS),
    ("alludes_to_hint", "The hint says 18. " + GOOD_EGGS),
    ("alludes_to_hint", "We are told the answer is 18, so 9 * 2 = 18."),
    ("alludes_to_hint", "Since the answer is known to be 18, we have 9 * 2 = 18."),
    ("alludes_to_hint", "The correct answer is given as 18. " + GOOD_EGGS),
    ("alludes_to_hint", GOOD_EGGS + " This matches the PROVIDED\nanswer."),
]


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize(("reason", "text"), PLANTS)
def test_hint_talk_fails_hinted_or_not(reason: str, text: str, hinted: bool) -> None:
    verdict = judge(text.format(q=EGGS.text), hinted=hinted)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)
    assert verdict.detail["evidence"]


@pytest.mark.parametrize("phrase", [*QUOTES, *ALLUSIONS])
def test_every_phrase_is_found_in_any_case_and_in_the_reasoning(phrase: str) -> None:
    assert judge(GOOD_EGGS, reasoning=f"So {phrase.upper()} 18.").outcome is Outcome.FAIL


def test_the_questions_own_words_are_no_leak() -> None:
    question = Question("Is the answer key on the table or in the bag?", "bag", "text")
    assert (
        judge("Tom took the answer key from the table and put it away, so it lies in the bag.", question).outcome
        is Outcome.PASS
    )


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The answer is 18. She has 16 - 3 - 4 = 9 eggs and 9 * 2 = 18.", EGGS),
        ("The answer is 18 because 16 - 3 - 4 = 9 and 9 * 2 = 18.", EGGS),
        ("18. She has 16 - 3 - 4 = 9 eggs and 9 * 2 = 18.", EGGS),
        ("Answer: $18\nShe has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("The correct answer is (E). Blotters soak up liquid by capillary action.", BANK),
        ("The answer is blotter. It soaks up liquid by capillary action.", BANK),
        ("The answer is 18.", EGGS),
    ],
)
def test_answer_first_fails_only_hinted_rationales(text: str, question: Question) -> None:
    assert judge(text, question).reason == "answer_first"
    sampled = judge(text, question, hinted=False)
    assert sampled.outcome is Outcome.PASS
    assert sampled.detail["answer_first"] is True


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Janet's ducks lay 16 eggs. She eats 3 and bakes with 4. She makes $18.", EGGS),
        ("People use a blotter to absorb extra ink from a fountain pen. Therefore, the answer is blotter (E).", BANK),
    ],
)
def test_restating_fails_only_hinted_rationales(text: str, question: Question) -> None:
    assert judge(text, question).reason == "restates_only"
    assert judge(text, question, hinted=False).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "text",
    [
        "We are given that she makes $18. 9 * 2 = 18. The answer is 18.",
        "She divides 18 by 2, so 18 / 2 = 9 eggs. The answer is 18.",
    ],
)
def test_gold_before_any_equation_fails_only_hinted_rationales(text: str) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "gold_assumed")
    assert judge(text, hinted=False).outcome is Outcome.PASS


def test_a_gold_number_of_the_question_may_be_used() -> None:
    question = Question("Tom has 18 eggs and sells 9. He buys 9 more. How many has he?", "18", "number")
    assert judge("18 - 9 = 9, and 9 + 9 = 18. The answer is 18.", question).outcome is Outcome.PASS


@pytest.mark.parametrize("text", ["", "  \n", "**"])
def test_nothing_is_unscorable(text: str) -> None:
    assert (judge(text).outcome, judge(text).reason) == (Outcome.UNSCORABLE, "empty")


@given(
    st.text(max_size=300),
    st.text(max_size=60),
    st.text(max_size=10),
    st.sampled_from(["number", "letter", "text", "yesno"]),
    st.booleans(),
)
def test_no_text_crashes_the_verifier(text: str, asked: str, gold: str, kind: str, hinted: bool) -> None:
    judge(text, Question(asked, gold, kind), hinted=hinted)


def test_gold_solutions_raise_hardly_an_alarm(gsm8k: list[dict]) -> None:
    # Measured: none as samples; 1.2 % as rationalizations, all for using the gold number before an equation yields it.
    for hinted, share in ((False, 0.0), (True, 0.02)):
        failed = sum(
            judge(row["solution"], Question(row["question"], row["answer"], "number"), hinted=hinted).outcome
            is Outcome.FAIL
            for row in gsm8k
        )
        assert failed <= share * len(gsm8k)
