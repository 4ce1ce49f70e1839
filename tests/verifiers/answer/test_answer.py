from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.answer.answer import answer_kind

BANK = {"A": "fountain pen", "B": "inkwell", "C": "pencil case", "D": "printer", "E": "blotter"}


def judge(
    response: str, gold: str, kind: str = "number", choices: dict[str, str] | None = None, finish_reason: str = "stop"
) -> Verdict:
    verdict = get_verifier("answer")(
        Question("?", gold, kind, choices or {}), Rationale(response, finish_reason=finish_reason)
    )
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


PASSES = [
    "#### 18",
    "so 9*2=18\n#### 18",
    "The answer is 18.",
    "The answer is: $18.00",
    "**Answer:** 18",
    "**Final Answer**\n\n18",
    "Answer:\n\n$$18$$",
    r"\[ \boxed{18} \]",
    r"The final answer is $\boxed{18}$. I hope it is correct.",
    "<answer>18</answer>",
    r"<answer>\boxed{18}</answer>",
    "The answer is 18 dollars because 9 * 2 = 18.",
    "The answer is 18 eggs for 3 people.",
    "Answer: x = 18",
    "The answer is 9 * 2 = 18",
    "Final Answer: The value of n is 18.",
    "The answer to the question is 18",
    "#### 15\nActually no, I forgot one.\n#### 18",
    r"\boxed{7} and then \boxed{18}",
    "<think>it may be 12. The answer is 12</think>The answer is 18.",
    "it may be 12</think>\n18",
    "18",
    "She makes 9 * 2 = 18",
    "She makes 9 * 2 = $<<9*2=18>>18 a day for 7 days.",
    "The answer is 18, which is 2 more than 16.",
    "The answer is eighteen.",
    "The answer is 18.\n\nThe answer is correct.",
]

FAILS = [
    ("", "no_answer"),
    ("I cannot answer this question.", "no_answer"),
    (r"\boxed{}", "no_answer"),
    ("The answer is", "no_answer"),
    ("#### 19", "differs"),
    ("The answer is 1800%.", "equal"),
    ("The answer is 18 or 19.", "ambiguous"),
    ("The answer is between 18 and 20", "ambiguous"),
    ("The answer is 18-20", "ambiguous"),
    ("The answer is 18. Or maybe 9, I am not sure.", "ambiguous"),
    ("The answer is maybe 18", "ambiguous"),
    ("The answer is 18. Wait, I forgot the discount: 12.", "ambiguous"),
    ("The answer is 18 hours and 30 minutes.", "ambiguous"),
    ("The answer is less than 18", "ambiguous"),
    ("The answer is 18 dozen", "differs"),
    ("The answer is 18 squared", "ambiguous"),
    ("The answer is half of 18", "ambiguous"),
    ("The answer is \\sqrt{18}", "ambiguous"),
    ("The answer is not 18", "ambiguous"),
    ("The answer is x = 17, y = 18", "ambiguous"),
    ("Is the answer 18? I don't know.", "ambiguous"),
    ("The answer is 18:30", "ambiguous"),
    ("9 * 18", "ambiguous"),
    ("The answer is 18a", "ambiguous"),
    ("(17, 18)", "ambiguous"),
    ("#### 18, 19", "ambiguous"),
    (r"\boxed{17} and \boxed{18}", "ambiguous"),
    (r"\boxed{18!}", "no_answer"),
    (r"\boxed{18\pi}", "no_answer"),
    ("1 2 3 4 5 6 7 8 9 10 18", "ambiguous"),
    ("f() or 18", "ambiguous"),
    ("#### 18\nno:\n#### 19", "differs"),
    ("<think>The answer is 18", "unclosed_think"),
    ("<think>The answer is 18</think> Done.", "no_answer"),
    ("<think>a</think> 18 <think>", "unclosed_think"),
]


@pytest.mark.parametrize("response", PASSES)
def test_a_right_number_passes(response: str) -> None:
    verdict = judge(response, "18")
    assert (verdict.outcome, verdict.reason, verdict.answer) == (Outcome.PASS, "equal", "18")


@pytest.mark.parametrize(("response", "reason"), FAILS)
def test_anything_else_says_why_it_fails(response: str, reason: str) -> None:
    verdict = judge(response, "18")
    assert verdict.reason == reason
    assert (verdict.outcome is Outcome.PASS) == (reason == "equal")
    assert verdict.detail["ambiguous"] == (reason == "ambiguous")


def test_percentages_have_two_readings_and_one_form() -> None:
    assert judge("#### 10%", "10").answer == judge("#### 10", "10").answer == "10"
    assert judge("#### 10%", "0.1").answer == judge("#### 0.1", "0.1").answer == "0.1"
    assert judge("#### 10%", "1").reason == "differs"
    assert judge("#### 10%", "0.1%").reason == "differs"


def test_units_differ_only_where_both_are_stated() -> None:
    assert judge("The answer is 5 km", "5 km").outcome is Outcome.PASS
    assert judge("The answer is 5 kilometers", "5 km").outcome is Outcome.PASS
    assert judge("The answer is 5", "5 km").outcome is Outcome.PASS
    assert judge("The answer is 5 miles", "5 km").reason == "differs"


def test_exactness() -> None:
    assert judge("#### 99999999999", "100000000000").reason == "differs"
    assert judge("#### 100000000000000000000", "100000000001000000000").reason == "differs"
    assert judge("#### 0.0833333333", "1/12").outcome is Outcome.PASS
    assert judge("#### 0.33", "1/3").reason == "differs"


def test_strict_tells_marked_answers_from_last_numbers() -> None:
    assert judge("#### 18", "18").detail["strict"] == "pass"
    assert judge("that makes 18", "18").detail == {
        "method": "last_line",
        "extracted": "that makes 18",
        "strict": "fail",
        "ambiguous": False,
    }


def test_truncation_is_noted_and_still_judged() -> None:
    verdict = judge("#### 18", "18", finish_reason="length")
    assert verdict.outcome is Outcome.PASS
    assert verdict.detail["truncated"] is True


def test_a_long_response_is_judged_by_its_end() -> None:
    verdict = judge("Let me think. " * 50_000 + "\n#### 18", "18")
    assert verdict.outcome is Outcome.PASS
    assert verdict.detail["too_long"] is True


@pytest.mark.parametrize(
    "bomb", [r"\boxed{9^9^9^9}", r"\boxed{1000000!}", "#### 1e999999999", r"\boxed{" * 9000, "#### " + "9" * 10**5]
)
def test_bombs_are_no_answers(bomb: str) -> None:
    assert judge(bomb, "1").outcome is Outcome.FAIL


LETTER_PASSES = [
    *(
        "E",
        "(E)",
        "E.",
        "E)",
        "**E**",
        "e",
        "(e)",
        "The answer is (E).",
        "The answer is E",
        "Answer: E) blotter",
        "Answer: blotter",
    ),
    *(
        "Therefore, the answer is blotter (e).",
        "The correct option is E",
        r"\boxed{E}",
        r"\boxed{\text{(E)}}",
        "#### E",
    ),
    *(
        "Solution: Choice_E",
        "The answer is option E because ink dries.",
        "A person would use it. The answer is (E).",
        "ANSWER: A\nWait.\nANSWER: E",
    ),
    *(
        "The answer: E, it doesn't make sense for it to be A or B",
        "It's not A, therefore I think it's E",
        "The best choice is E because A is wrong",
    ),
]


@pytest.mark.parametrize("response", LETTER_PASSES)
def test_a_right_letter_passes(response: str) -> None:
    assert judge(response, "E", "letter", BANK).answer == "E"
    assert judge(response, "blotter", "letter", BANK).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("The answer is A or E.", "ambiguous"),
        ("(A) or (E)", "ambiguous"),
        ("The answer is (A) blotter", "ambiguous"),
        ("A person would go to the library.", "no_answer"),
        ("I would say so.", "no_answer"),
        ("The answer is (Z).", "no_answer"),
        ("The answer is printer", "differs"),
    ],
)
def test_no_letter_is_guessed(response: str, reason: str) -> None:
    assert judge(response, "E", "letter", BANK).reason == reason


@pytest.mark.parametrize(
    "response", ["yes", "Yes.", "The answer is yes.", r"\boxed{\text{Yes}}", "ANSWER: TRUE", "Yes, because it is."]
)
def test_yes_passes(response: str) -> None:
    assert judge(response, "True", "yesno").answer == "yes"
    assert judge(response, "no", "yesno").reason == "differs"


@pytest.mark.parametrize("response", ["yes and no", "It is not true", "yes or no"])
def test_no_polarity_is_guessed(response: str) -> None:
    assert judge(response, "yes", "yesno").reason == "ambiguous"


def test_text_is_strict_up_to_case_space_and_edges() -> None:
    assert judge("The answer is  **Paris**.", "paris", "text").answer == "paris"
    assert judge("The answer is Paris. It is in France.", "Paris", "text").outcome is Outcome.PASS
    assert judge("The capital is Paris, France.", "Paris", "text").reason == "differs"
    assert judge("London, not Paris", "Paris", "text").reason == "differs"


@pytest.mark.parametrize(
    ("gold", "kind"), [("many", "number"), ("Z", "letter"), ("maybe", "yesno"), ("  ", "text"), ("5", "shape")]
)
def test_an_unreadable_gold_is_unscorable(gold: str, kind: str) -> None:
    verdict = judge("#### 5", gold, kind, BANK if kind == "letter" else None)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "gold_unparsable")


def test_auto_kinds() -> None:
    assert [answer_kind(gold, False) for gold in ("72", "1/2", "Yes", "false", "Paris", " ")] == [
        *("number", "number", "yesno", "yesno", "text"),
        None,
    ]
    assert answer_kind("B", True) == "letter"


FORMS = [
    *(
        "{}",
        "#### {}",
        "The answer is {}.",
        "answer: {}",
        "**Answer:** {}",
        r"\boxed{{{}}}",
        "<answer>{}</answer>",
        "The final answer is ${}$",
    ),
    *(
        "First we add.\nThe answer is {} apples.",
        "<think>1+1=2</think> The answer is {}.",
        "#### {}\n",
        "####{}",
        "The answer is **{}**",
    ),
]


@given(st.integers(-(10**9), 10**9), st.sampled_from(FORMS), st.booleans())
def test_every_form_of_n_passes_against_n(n: int, form: str, grouped: bool) -> None:
    verdict = judge(form.format(f"{n:,}" if grouped else n), str(n))
    assert (verdict.outcome, verdict.answer) == (Outcome.PASS, str(n))


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.sampled_from(FORMS))
def test_no_form_of_another_number_passes(n: int, other: int, form: str) -> None:
    assert (judge(form.format(n), str(other)).outcome is Outcome.PASS) == (n == other)


@given(st.integers(0, 10**6), st.sampled_from(FORMS), st.sampled_from(["", " ", "\n", "\n\n  ", "\t"]), st.booleans())
def test_case_and_outer_whitespace_do_not_matter(n: int, form: str, space: str, upper: bool) -> None:
    text = form.format(n)
    assert judge(f"{space}{text}{space}", str(n)) == judge(text, str(n))
    if upper and "<" not in form and "\\" not in form:
        assert judge(text.upper(), str(n)).outcome is Outcome.PASS


PIECES = [
    *(
        "answer is ",
        "Answer: ",
        "\\boxed{",
        "}",
        "####",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "\\frac{",
        "{",
        "(",
        ")",
    ),
    *(
        "12",
        "13",
        " or ",
        "B",
        "(C)",
        "yes",
        "no",
        "\n",
        " ",
        "$",
        "%",
        ",",
        ".",
        "-",
        "/",
        "^",
        "=",
        "\u00bd",
        "\u0661",
        "not ",
        "Choice_",
    ),
]


@given(
    st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=60).map("".join)),
    st.sampled_from(["number", "letter", "yesno", "text"]),
)
def test_no_text_crashes_the_verifier(response: str, kind: str) -> None:
    gold = {"number": "12", "letter": "B", "yesno": "yes", "text": "blue"}[kind]
    verdict = judge(response, gold, kind, BANK if kind == "letter" else None)
    assert verdict.outcome in (Outcome.PASS, Outcome.FAIL)


def test_floods_of_markers_end() -> None:
    rng = random.Random(1)
    for piece in PIECES:
        judge(piece * 20_000, "12")
    judge("".join(rng.choice(PIECES) for _ in range(50_000)), "12")
