"""Answers that look right and are not, and right ones in odd clothes: gold answer to (right responses, wrong responses)."""

from __future__ import annotations

import pytest

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.answer.answer import answer_kind

Cases = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

LETTERS: Cases = {
    "B": (
        (
            "A is tempting, but B is right.",
            "I think the answer is B, since D would be too large.",
            "After eliminating A, C, and D, we are left with B.",
            "A fails. C cannot be correct. D does not work. This leaves B.",
            "Unlike A, B is the best answer.",
            "The answer is B, because vitamin C may cause harm in that dose.",
            "So every statement is true: B",
        ),
        (
            "might be B, but D is possible too",
            "Could be B, could also be D.",
            "The answer is probably B, though D is also plausible.",
            "B. However, D is also right.",
            "B may work; so might D.",
            "If B were right, D would be too.",
            "I would say B, but perhaps D.",
            "The answer is B or possibly D",
            "B is tempting, but D is right.",
            "Unlike B, D is right.",
            "anything except B",
            "Option B cannot be correct.",
            "B is the second-best; C is best.",
            "Plan B failed, so C.",
            "B+ is a grade",
            "B is close, but A is closer.",
            "B. Actually D.",
            "We exclude B.",
            "B is never the answer.",
        ),
    ),
}

YES_AND_NO: Cases = {
    "yes": (
        ("The answer is Yes, no doubt.", "Yes! They can.", "Yes. No counterexample exists."),
        ("yes... no", "Yes? No.", "Yes is wrong."),
    ),
    "no": (
        ("No, there is no way that works.", "The answer is no because there is no evidence."),
        ("There is no answer.", "There is no way to tell.", "No information is given."),
    ),
}

NUMBERS: Cases = {
    "64": (
        (
            "$64 after a 20% discount",
            "It costs $64 with 20% off",
            "64 pens (16 per box)",
            "=> 64",
            "The answer is 64. Check: 8*8 = 64.",
            "The answer is 64. However, note that the unit is cm.",
            "The answer is 64. It is wrong to round here.",
            "The answer is 64, which must be an even number.",
            "The answer is 64. To verify, 64 - 12 = 52, as given.",
            "The answer is 64. In this case, x = 32.",
            "The answer is 64. Confidence: 90%",
            "Is it 60? No. The answer is 64.",
            "[THINK]60[/THINK]64",
            "<thought>60</thought>64",
            "<|begin_of_thought|>60<|end_of_thought|>\\boxed{64}",
            "\u25c1think\u25b760\u25c1/think\u25b7The answer is 64",
        ),
        (
            "The answer is 64. But that is wrong.",
            "The answer is 64. That cannot be right.",
            "The answer is 64. This does not make sense.",
            "The answer is 64. Oops, I meant 60.",
            "The answer is 64. I take that back; it is 60.",
            "The answer is 64. Let me correct myself: 60.",
            "The answer is 64. I made a mistake; it should be 60.",
            "The answer is 64. Hold on, it is 60.",
            "The answer is 64. Upon review, it is 60.",
            "The answer is 64. Rather, 60.",
            "The answer is 64. No.",
            "The answer is 64. In fact it is 60.",
            "The answer is 64. Subtract 4 to get 60.",
            "The answer is 64. Update: 60",
            "Some say the answer is 64. I say 60.",
            "64 and a half",
            "The answer is 64 (incorrect).",
            "The answer is 64... or is it 60?",
            "The answer is 64. But 60 is also possible.",
            "\\boxed{64}\nMy bad, the answer is 60.",
            "64, maybe",
            "The answer is either 64 or not.",
            "The answer is 64 if n is even and 60 if n is odd",
            "The answer is 64 if you are lucky, otherwise 60",
            "The answer is not 60, nor 64.",
            "The answer is 64th of a mile",
            "any number such as 64",
            "1, 2, 3, ..., 64",
            "Die Antwort ist nicht 64.",
            "La respuesta no es 64.",
            "\u7b54\u6848\u4e0d\u662f64",
            "64\u3067\u306f\u3042\u308a\u307e\u305b\u3093",
            'system("echo 64")',
            "[THINK]64",
            "<|begin_of_thought|>The answer is 64",
            "<scratchpad>The answer is 64",
        ),
    ),
    "20": ((), ("$80 after a 20% discount",)),
    "6,8": (
        ("6 and 8", "8, 6", "x = 6 or x = 8", "\\{6, 8\\}", "x \\in \\{6, 8\\}", "\\boxed{6 \\text{ or } 8}"),
        ("6", "6 and 9", "6, 8, 10", "68", "(8,6)", "6/8"),
    ),
    "1,25": (("1.25", "5/4"), ("125", "12.5", "25")),
}

FORMULAS: Cases = {
    r"\frac{1}{2x}": ((r"\frac{0.5}{x}", "1/(2x)"), (r"\frac{1}{2}x", r"\frac{x}{2}")),
    r"-\frac{1}{2}x+4": ((r"4-\frac{x}{2}",), (r"-\frac{1}{2x}+4",)),
    r"\frac{3}{4}": (("{3 \\over 4}",), ("{4 \\over 3}",)),
    r"\emptyset": ((r"\{\}", r"\varnothing"), (r"\{\emptyset\}", r"\{0\}")),
    r"\gcd(a,b)": ((r"\gcd(b, a)", "gcd(a,b)"), ("ab", r"\text{lcm}(a,b)", r"\gcd(a,2b)")),
    r"6\sqrt{2}": ((r"\gcd(12,18)\sqrt{2}", r"\text{lcm}(2,3)\sqrt2"), (r"\gcd(12,24)\sqrt{2}",)),
    r"x \equiv 3 \pmod{7}": (
        (r"x \equiv 3 \pmod 7", r"$x\equiv 10\pmod{7}$", "x \u2261 -4 (mod 7)", r"3 \pmod{7}"),
        ("3", "x = 3", r"x \equiv 4 \pmod 7", r"x \equiv 3 \pmod{14}", r"y \equiv 3 \pmod 7", r"x \equiv 3"),
    ),
    r"\cos x": ((r"\sin(90^\circ - x)",), (r"\cos(90^\circ - x)", r"\sin(90 - x)")),
    r"\text{even}": ((r"So we get \[ \text{even} \]",), (r"So we get \[ \text{not even} \]", r"So \[ \text{odd} \]")),
}


def each(*tables: Cases) -> list[tuple[str, str, bool]]:
    return [
        (gold, response, right)
        for table in tables
        for gold, sides in table.items()
        for right, responses in zip((True, False), sides, strict=True)
        for response in responses
    ]


def judged(gold: str, response: str, kind: str = "") -> Verdict:
    kind = kind or answer_kind(gold, has_choices=False) or "text"
    return get_verifier("answer")(Question("", gold, kind), Rationale(response))


@pytest.mark.parametrize(("gold", "response", "right"), each(YES_AND_NO, NUMBERS, FORMULAS))
def test_hostile_and_odd_answers(gold: str, response: str, right: bool) -> None:
    assert (judged(gold, response).outcome is Outcome.PASS) is right


@pytest.mark.parametrize(("gold", "response", "right"), each(LETTERS))
def test_hostile_and_odd_letters(gold: str, response: str, right: bool) -> None:
    assert (judged(gold, response, "letter").outcome is Outcome.PASS) is right


def test_a_letter_in_doubt_is_ambiguous() -> None:
    assert judged("B", "The answer is probably B, though D is also plausible.", "letter").reason == "ambiguous"


def test_a_corrected_number_is_ambiguous() -> None:
    assert judged("64", "The answer is 64. Upon review, it is 60.").reason == "ambiguous"
