from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict
from selftaught_verifiers.form.degenerate import judge
from selftaught_verifiers.verdict.verdict import get_verifier

QUESTION = Question(
    "Janet has 16 eggs, eats 3, bakes with 4 and sells the rest for $2 each. What does she make?", "18", "number"
)
STEPS = "Janet has 16 - 3 - 4 = 9 eggs left to sell.\nAt $2 each she makes 9 * 2 = $18 every day."
SOUND = f"{STEPS}\nThe answer is 18."


def reason(
    completion: str, *, question: Question = QUESTION, reasoning: str = "", finish: str = "stop", **options
) -> str:
    verdict = judge(question, Rationale(completion, reasoning, finish_reason=finish), **options)
    assert (verdict.outcome is Outcome.PASS) == (verdict.reason == "sound")
    assert verdict.outcome is not Outcome.UNSCORABLE
    return verdict.reason


def test_a_sound_rationale_passes_with_its_measures() -> None:
    verdict = judge(QUESTION, Rationale(SOUND))
    assert verdict == Verdict(Outcome.PASS, "sound", score=1.0, detail={"characters": len(SOUND), "repeated": 0.0})


SOUND_TEXTS = [
    "5 cars + 5 cars + 5 cars + 5 cars + 5 cars + 5 cars + 5 cars = 35 cars in a week",
    "1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 = 10",
    "ABc AbC aBC\nABc AABBCc AaBBCC AABbCc\naBC AaBBCc aaBBCC AaBbCc\nAbC AABbCc AaBbCc AAbbCc\nSo it is 1/64.",
    "stack: [\n[ ; stack: [ [\n[ ; stack: [ [ [\n[ ; stack: [ [ [ [\n] ; stack: [ [ [\n] ; stack: [ [\n] ; stack: [\nWe need ]",
    "The area of the glass pane is 8 x 12 = 96 sq. in",
    "Each knife costs 160/8 = $20.00 each",
    "The latest the baker can show up is 6-4 = 2:00 am",
    "12 + 6 = 18",
    "19+12=31;31-13=18;A18",
    "Answer: 18\nShe sells nine eggs for two dollars and so makes eighteen of them in a day",
    "#### 18\n- nine eggs are left to sell\n- each of them brings two dollars",
    "The answer is 18.\nI hope this helps!",
    "Problem: how much does she make?\nShe sells 9 eggs at $2. The answer is 18.",
    "| day | eggs |\n| --- | --- |\n| 1 | 9 |\n| 2 | 9 |\nShe makes $18.",
    "----------------------------------------------------------------\n9 * 2 = 18, so she makes $18.",
    "\u0391\u03bd x = 9, \u03c4\u03cc\u03c4\u03b5 2x = 18. The answer is 18.",
]


@pytest.mark.parametrize("text", SOUND_TEXTS)
def test_what_sound_texts_have_as_well_is_no_sign(text: str) -> None:
    assert reason(text) == "sound"


REPETITIONS = [
    f"{SOUND}\n{SOUND}",
    f"{STEPS}\n" + "The answer is 18.\n" * 3,
    f"{STEPS} " + "she makes 9 * 2 = " * 6 + "18.",
    "So x = 95\n" + "x = 95\n" * 12,
    "the " * 30,
    "31-3=28;" * 40,
    "ha" * 150,
    "!" * 60,
    "\u6240\u4ee5\u7b54\u6848\u662f\u5341\u516b" * 40,
    "\n".join(f"Step {n}: I need to think about the eggs that Janet sells at the market again." for n in range(1, 200)),
]


@pytest.mark.parametrize("text", REPETITIONS)
def test_repetition(text: str) -> None:
    assert reason(text) == "repetition"


def test_a_loop_is_seen_whose_block_repeats_something_itself() -> None:
    phrase = "if we divide the number of all the eggs by two we get"
    block = f"First, {phrase} eight. Then, {phrase} four. So she is done with the eggs for today."
    assert reason("\n".join([block] * 4)) == "repetition"


def test_reasoning_that_is_said_again_in_the_completion_is_no_repetition() -> None:
    assert reason(SOUND, reasoning=STEPS) == "sound"
    assert reason(SOUND, reasoning=SOUND) == "sound"
    assert reason(SOUND, reasoning=f"{STEPS}\n" * 3) == "repetition"


def test_the_score_is_the_share_that_is_new() -> None:
    words = " ".join(f"word{n}" for n in range(20))
    verdict = judge(QUESTION, Rationale(f"{words} {words}"))
    assert verdict.score == pytest.approx(0.5)
    assert verdict.detail["repeated"] == 0.5


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("<think>9 * 2 = 18</think>  ", "empty"),
        (f"<think>{STEPS}", "unclosed_think"),
        (f"{STEPS} \ufffd\ufffd\ufffd", "garbled"),
        ("She makes 9 * 2 = 18.\x00\x01", "garbled"),
        (f"{STEPS} \u0438 \u3067\u3059 \u0e41\u0e25\u0e30 18.", "garbled"),
        (f"{SOUND}<|im_end|>", "template_token"),
        (f"[INST] {SOUND}", "template_token"),
        (f"{SOUND}</s>", "template_token"),
        (f"{SOUND}\n\nQ: Tom has 3 apples. How many has he?\nA: The answer is 3.", "goes_on"),
        (f"{SOUND}\n\nQuestion: Tom has 3 apples. How many?\nAnswer: 3.", "goes_on"),
        (f"{SOUND}\n\n**Problem 2:** Tom has 3 apples. He has 3.", "goes_on"),
        (f"{SOUND}\nHuman: and on Sundays?", "goes_on"),
        (f"{SOUND}\n### Instruction\nDo it.", "goes_on"),
        ("Janet has 16 - 3 - 4 =", "no_end"),
        ("Janet has 9 eggs left, and she sells them at the", "no_end"),
        ("Janet sells (9 eggs at $2, and", "no_end"),
        ("Janet has 9 eggs left,", "no_end"),
        (f"{SOUND} Let us check it, because the", "no_end"),
        (f"{SOUND}\nNow we look at the way the neighbour", "no_end"),
        ("18", "bare_answer"),
        ("#### 18", "bare_answer"),
        ("The answer is 17.", "bare_answer"),
        ("So the final answer is \\boxed{18}.", "bare_answer"),
        ("x = 18", "bare_answer"),
    ],
)
def test_signs(text: str, sign: str) -> None:
    assert reason(text) == sign


@pytest.mark.parametrize("finish", ["length", "LENGTH", "max_tokens", "content_filter", "abort", "error"])
def test_a_text_that_the_server_cut_is_truncated(finish: str) -> None:
    assert reason(SOUND, finish=finish) == "truncated"


@pytest.mark.parametrize("answer", ["(B)", "The answer is bank (B).", "B. bank", "Answer: B"])
def test_a_choice_alone_is_a_bare_answer(answer: str) -> None:
    question = Question("Where is money kept?", "B", "letter", {"A": "river", "B": "bank", "C": "a deep dark forest"})
    assert reason(answer, question=question) == "bare_answer"
    assert reason(f"Money is kept by those who lend it. {answer}", question=question) == "sound"


def test_a_bare_answer_is_allowed_where_the_recipe_says_so_and_after_reasoning() -> None:
    assert reason("18", reasons=0) == "sound"
    assert reason("18", reasoning=STEPS) == "sound"
    assert reason(f"<think>{STEPS}</think>18") == "sound"


def test_marks_and_scripts_of_the_question_are_innocent() -> None:
    dialogue = Question("User: hi\nHuman: hello\nWho spoke first?", "User", "text")
    assert reason("It opens with User.\nUser: hi\nSo the user spoke first.", question=dialogue) == "sound"
    scripts = "\u0438 \u3067\u3059 \u0e41\u0e25\u0e30"
    asked = Question(f"Which scripts are these: {scripts}?", "Cyrillic", "text")
    assert reason(f"The three words {scripts} stand in three scripts.", question=asked) == "sound"


def test_length_bounds_are_options() -> None:
    assert reason(SOUND, shortest=500) == "too_short"
    assert reason(SOUND, longest=50) == "too_long"
    assert reason(SOUND, reasoning=STEPS, longest=len(SOUND) + len(STEPS)) == "sound"
    assert reason(SOUND, reasoning=STEPS, longest=len(SOUND) + len(STEPS) - 1) == "too_long"


def test_one_broken_character_in_a_long_text_is_let_pass_unless_none_is_allowed() -> None:
    assert reason(f"{SOUND} \ufffd") == "sound"
    assert reason(f"{SOUND} \ufffd", garbled=0.0) == "garbled"
    assert reason(SOUND, garbled=0.0) == "sound"


def test_all_signs_are_told_the_gravest_first() -> None:
    verdict = judge(QUESTION, Rationale("The answer is 18.\n" * 6 + "<|im_end|>", finish_reason="length"))
    assert verdict.reason == "truncated"
    assert list(verdict.detail["signs"]) == ["truncated", "repetition", "template_token", "bare_answer"]
    assert verdict.detail["signs"]["repetition"] == "The answer is 18."


def test_options_change_the_version() -> None:
    verifier = get_verifier("degenerate")
    assert verifier.configured({"repeated": 0.8}).version == verifier.version
    assert verifier.configured({"repeated": 0.5}).version != verifier.version


@given(st.text(max_size=400), st.text(max_size=100), st.sampled_from(["stop", "length", ""]))
def test_any_text_gets_a_verdict_that_json_can_hold(completion: str, reasoning: str, finish: str) -> None:
    verdict = judge(QUESTION, Rationale(completion, reasoning, finish_reason=finish))
    assert verdict.outcome is not Outcome.UNSCORABLE
    assert verdict.score is not None
    assert 0 <= verdict.score <= 1
    assert json.loads(json.dumps(verdict.detail)) == verdict.detail
    assert verdict == judge(QUESTION, Rationale(completion, reasoning, finish_reason=finish))


words = st.lists(
    st.sampled_from(
        ["she", "sells", "nine", "eggs", "at", "two", "dollars", "each", "and", "makes", "eighteen", "of", "them"]
    ),
    min_size=5,
)


@given(words.filter(lambda said: len(set(said)) >= 3), st.integers(5, 12))
def test_any_sentence_said_again_and_again_is_a_repetition(said: list[str], times: int) -> None:
    assert "repetition" in judge(QUESTION, Rationale("\n".join([" ".join(said) + "."] * times))).detail["signs"]


def test_long_hostile_texts_are_judged_by_what_is_read() -> None:
    for text in (
        "a " * 500_000,
        "(" * 10**6,
        "</s>" + " " * 10**6,
        "[ x " * 30_000 + "y " * 9 + "[ x " * 30_000,
        "<" * 10**6,
    ):
        assert judge(QUESTION, Rationale(text)).outcome is Outcome.FAIL


def test_hardly_any_false_alarm_on_gold_rationales(gsm8k: list[dict]) -> None:
    for annotated in (True, False):
        alarms = 0
        for row in gsm8k:
            text = row["solution"] if annotated else re.sub(r"<<[^<>]*>>", "", row["solution"])
            alarms += judge(Question(row["question"], row["answer"], "number"), Rationale(text)).outcome is Outcome.FAIL
        assert alarms / len(gsm8k) < 0.002


@pytest.mark.parametrize(
    "name", ["mrben_right_answer", "bbmistake_right_answer", "mrgsm8k_right_answer_wrong_rationale"]
)
def test_hardly_any_false_alarm_on_models_rationales(name: str, read_rows: Callable[[str], list[dict]]) -> None:
    rows = read_rows(f"leakbench/{name}.jsonl")
    texts = ((row["question"], row["gold"], "\n".join(row["steps"])) for row in rows)
    alarms = sum(judge(Question(q, gold, "text"), Rationale(text)).outcome is Outcome.FAIL for q, gold, text in texts)
    assert alarms <= 0.005 * len(rows)


def test_gold_rationales_said_twice_or_looping_are_caught(gsm8k: list[dict]) -> None:
    rows = [row for row in gsm8k[::20] if len(set(row["solution"].split())) > 25]
    caught = {"twice": 0, "last line": 0}
    for row in rows:
        last = row["solution"].splitlines()[-1]
        for name, text in (("twice", f"{row['solution']}\n" * 2), ("last line", row["solution"] + f"\n{last}" * 8)):
            verdict = judge(Question(row["question"], row["answer"], "number"), Rationale(text))
            caught[name] += "repetition" in verdict.detail.get("signs", {})
    assert min(caught.values()) > 0.97 * len(rows)
