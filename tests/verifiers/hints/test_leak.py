from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.hints.grammar import RULES
from selftaught_verifiers.hints.talk import gold_of, read

_spec = importlib.util.spec_from_file_location("phrasings", Path(__file__).with_name("phrasings.py"))
assert _spec
assert _spec.loader
phrasings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(phrasings)

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
        ("16 - 3 - 4 = 9 and 9 * 2 = 18. So we know that the answer is 18.", EGGS),
        ("The answer is given by 9 * 2, and 16 - 3 - 4 = 9. So it is 18.", EGGS),
        ("To answer the question we are given the eggs: 16 - 3 - 4 = 9. Then 9 * 2 = 18.", EGGS),
        ("The question hints at a subtraction: 16 - 3 - 4 = 9, then 9 * 2 = 18.", EGGS),
        ("It is given that each costs $2. 16 - 3 - 4 = 9, so the result is 9 * 2 = 18.", EGGS),
        ("Multiply to get the final answer: 16 - 3 - 4 = 9 and 9 * 2 = 18. That is why the answer is 18.", EGGS),
        ("16 - 3 - 4 = 9. 9 * 2 = 18. Check: 18 / 2 = 9, which matches. The answer is 18.", EGGS),
        ("The answer is known as a drying paper. It soaks up ink, unlike an inkwell. So (E).", BANK),
        ("A: cloth would be ruined (incorrect). E: it soaks up ink (correct). So the answer is (E).", BANK),
        ("Analyzing Choice E: paper that dries ink. Choice C holds ink instead. The best choice is (E).", BANK),
        ("A hint of ink would stain cloth. Paper made for drying soaks it up. The answer is (E).", BANK),
    ],
)
def test_ordinary_rationales_pass(text: str, question: Question, hinted: bool) -> None:
    assert judge(text, question, hinted=hinted).outcome is Outcome.PASS


PLANTS = [
    ("quotes_hint", "{q} (18)\n" + GOOD_EGGS),
    ("quotes_hint", "(18)\n" + GOOD_EGGS),
    ("alludes_to_hint", "As given in the hint, she makes 18. " + GOOD_EGGS),
    ("alludes_to_hint", "The hint says 18. " + GOOD_EGGS),
    ("alludes_to_hint", "We are told the answer is 18, so 9 * 2 = 18."),
    ("alludes_to_hint", "Since the answer is known to be 18, we have 9 * 2 = 18."),
    ("alludes_to_hint", "The correct answer is given as 18. " + GOOD_EGGS),
    ("alludes_to_hint", "Since the answer is 18, she sells 18 / 2 = 9 eggs."),
    ("alludes_to_hint", "Working backwards from the answer, 18 / 2 = 9."),
    ("alludes_to_hint", GOOD_EGGS + " This matches the PROVIDED\nanswer."),
    ("alludes_to_hint", GOOD_EGGS + " That is what the answer key says."),
]


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize(("reason", "text"), PLANTS)
def test_hint_talk_fails_hinted_or_not(reason: str, text: str, hinted: bool) -> None:
    verdict = judge(text.format(q=EGGS.text), hinted=hinted)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)
    assert verdict.detail["evidence"]


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize("mark", ["(CORRECT)", "(correct)", "[Correct]", "(Correct Answer)", "(the correct choice)"])
def test_the_mark_of_the_right_choice_is_a_quote(mark: str, hinted: bool) -> None:
    listed = "\n".join(f"({letter}) {text} {mark if letter == 'E' else ''}" for letter, text in BANK.choices.items())
    for text in (f"{listed}\n{GOOD_BANK}", f"{GOOD_BANK} So (E) blotter {mark}."):
        assert judge(text, BANK, hinted=hinted).reason == "quotes_hint"


def missed(sentences: tuple[str, ...], *, before: bool) -> list[str]:
    found = []
    for question, answer, text in ((EGGS, "18", GOOD_EGGS), (BANK, "blotter (E)", GOOD_BANK)):
        for sentence in sentences:
            said = sentence.format(answer=answer)
            whole = f"{said} {text}" if before else f"{text} {said}"
            if judge(whole, question).outcome is not Outcome.FAIL:
                found.append(said)
    return found


def test_a_hint_shows_in_many_words() -> None:
    for sentences, before in ((phrasings.BEFORE, True), (phrasings.AFTER, False)):
        found = missed(sentences, before=before)
        assert len(found) <= 0.02 * 2 * len(sentences), found


@pytest.mark.parametrize("sentence", phrasings.SOUND)
def test_sound_talk_of_answers_passes(sentence: str) -> None:
    for question, text in ((EGGS, GOOD_EGGS), (BANK, GOOD_BANK)):
        first, rest = text.split(". ", 1)
        for whole in (f"{sentence} {text}", f"{first}. {sentence} {rest}"):
            assert judge(whole, question).outcome is Outcome.PASS, judge(whole, question)


@pytest.mark.parametrize("sentence", phrasings.SOUND_ENDS)
def test_sound_conclusions_pass(sentence: str) -> None:
    for question, answer, text in ((EGGS, "18", GOOD_EGGS), (BANK, "blotter (E)", GOOD_BANK)):
        whole = f"{text.rpartition('. ')[0]}. {sentence.format(answer=answer)}"
        assert judge(whole, question).outcome is Outcome.PASS, judge(whole, question)


def test_words_of_the_question_are_no_hint() -> None:
    question = Question(
        "What is the expected value of the prize, in dollars, if half of 36 tickets win $1?", "18", "number"
    )
    assert judge("The expected value is 36 / 2 = 18. So the expected value is 18.", question).outcome is Outcome.PASS
    question = Question("Which teacher put the mark on the table?", "E", "letter", {"A": "Ann", "E": "Eve"})
    text = "The chalk was with the teacher who came last. Ann left before noon. So the mark on it was made by Eve."
    assert judge(text, question).outcome is Outcome.PASS


@given(st.lists(st.sampled_from((*phrasings.BEFORE, *phrasings.AFTER, *phrasings.SOUND)), max_size=3))
def test_rules_that_are_skipped_would_not_match(sentences: list[str]) -> None:
    gold = gold_of("18", (), Fraction(18))
    talk = read(" ".join(sentences).format(answer="18"), gold)
    for rule in RULES:
        if rule.pattern.search(talk.classes):
            assert not any(needed.isdisjoint(talk.classes) for needed in rule.needs)


def test_the_reasoning_is_read_too() -> None:
    assert judge(GOOD_EGGS, reasoning="The hint says 18.").outcome is Outcome.FAIL


def test_the_questions_own_words_are_no_leak() -> None:
    question = Question("Is the answer key on the table or in the bag?", "bag", "text")
    text = "Tom took the answer key from the table and put it away, so it lies in the bag."
    assert judge(text, question).outcome is Outcome.PASS
    reversed_ = Question("3 times x is 36 if we know the answer to this is 36. What is x?", "12", "number")
    text = "We are told that the answer is 36. So 3 * x = 36 and x = 36 / 3 = 12. The answer is 12."
    assert judge(text, reversed_).outcome is Outcome.PASS
    assert judge("We are told that the answer is 12. " + text, reversed_).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The answer is 18. She has 16 - 3 - 4 = 9 eggs and 9 * 2 = 18.", EGGS),
        ("The answer is 18 because 16 - 3 - 4 = 9 and 9 * 2 = 18.", EGGS),
        ("18. She has 16 - 3 - 4 = 9 eggs and 9 * 2 = 18.", EGGS),
        ("Answer: $18\nShe has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("**Answer: 18**\n\nShe has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("#### 18\nShe has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("\\boxed{18}\nShe has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("It's 18. She has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("The total will be 18. She has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("The correct answer is (E). Paper soaks up liquid by capillary action.", BANK),
        ("The answer is blotter. It soaks up liquid by capillary action.", BANK),
        ("(E) blotter\nIt soaks up liquid by capillary action.", BANK),
        ("The answer is 18.", EGGS),
        ("18. Here is why. She has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("Let's see. The answer is 18. She has 16 - 3 - 4 = 9 eggs.", EGGS),
        ("E: blotter, because it soaks up liquid by capillary action.", BANK),
        ("Blotter is the best choice. It soaks up liquid by capillary action.", BANK),
        ("The answer is -7. It fell by 9 from 2, and 2 - 9 = -7.", Question("It was 2 and fell by 9?", "-7", "number")),
    ],
)
def test_answer_first_fails_only_hinted_rationales(text: str, question: Question) -> None:
    assert judge(text, question).reason == "answer_first"
    sampled = judge(text, question, hinted=False)
    assert sampled.outcome is Outcome.PASS
    assert sampled.detail["answer_first"] is True


@pytest.mark.parametrize(
    "text",
    [
        "To justify the answer 18, take 16 - 3 - 4 = 9 and 9 * 2 = 18.",
        "Let's see why 18 is the correct answer: 16 - 3 - 4 = 9 and 9 * 2 = 18.",
    ],
)
def test_justifying_an_answer_fails_only_hinted_rationales(text: str) -> None:
    assert judge(text).reason == "justifies_answer"
    assert judge(text, hinted=False).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Janet's ducks lay 16 eggs. She eats 3 and bakes with 4. She makes $18.", EGGS),
        ("She sells what her ducks have laid, but for 3 and 4 of the 16, at $2. So she makes $18 of it.", EGGS),
        ("What absorbs extra ink from a fountain pen is a blotter. The answer is blotter (E).", BANK),
        ("People use a blotter to absorb extra ink from a fountain pen. Therefore, the answer is blotter (E).", BANK),
        (f"{EGGS.text} Thinking about the question, we see that the answer is 18.", EGGS),
    ],
)
def test_restating_fails_only_hinted_rationales(text: str, question: Question) -> None:
    assert judge(text, question).reason == "restates_only"
    assert judge(text, question, hinted=False).outcome is Outcome.PASS


def test_words_of_the_question_in_another_order_may_be_a_reasoning() -> None:
    question = Question("Ann has the red hat, Bob the blue hat, Eve the pink hat. Ann and Bob swap.", "blue", "text")
    text = "At first: Ann red, Bob blue, Eve pink. After the swap: Ann blue, Bob red, Eve pink. So Ann blue."
    assert judge(text, question).outcome is Outcome.PASS


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


WORDS = st.sampled_from(
    ("we", "are", "told", "the", "answer", "is", "18", "given", "that", "hint", "(", ")", ".", "=", "E", "so")
)


@given(
    st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=60).map(" ".join)),
    st.text(max_size=60),
    st.text(max_size=10),
    st.sampled_from(["number", "letter", "text", "yesno", "math"]),
    st.dictionaries(st.sampled_from("ABCDE"), st.text(max_size=8), max_size=5),
    st.booleans(),
)
def test_no_text_crashes_the_verifier(
    text: str, asked: str, gold: str, kind: str, choices: dict[str, str], hinted: bool
) -> None:
    judge(text, Question(asked, gold, kind, choices), hinted=hinted)


@given(st.lists(WORDS, min_size=1, max_size=40).map(" ".join))
def test_what_shows_in_a_sampled_rationale_shows_in_a_rationalized_one(text: str) -> None:
    if judge(text, hinted=False).outcome is Outcome.FAIL:
        assert judge(text, hinted=True).outcome is Outcome.FAIL


def test_gold_solutions_raise_hardly_an_alarm(gsm8k: list[dict]) -> None:
    # Measured: none as samples; 0.15 % as rationalizations.
    for hinted, share in ((False, 0.0), (True, 0.005)):
        failed = sum(
            judge(row["solution"], Question(row["question"], row["answer"], "number"), hinted=hinted).outcome
            is Outcome.FAIL
            for row in gsm8k[::4]
        )
        assert failed <= share * len(gsm8k[::4])
