"""The row verifier `equations`: is every equation that the rationale states true?

It reads equations and inequalities between plain numbers from prose, LaTeX and GSM8K's calculator annotations, exactly and
in linear time. It is blind to a wrong set-up: it sees whether 16 - 3 = 13, not whether 3 was to be subtracted. When
unsure what an equation says it does not judge it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from selftaught_verifiers.arithmetic.statements import Statement, read
from selftaught_verifiers.arithmetic.tokens import Kind, Token
from selftaught_verifiers.arithmetic.values import NotArithmetic, number_value
from selftaught_verifiers.text.numbers import canonical
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

_QUOTE = 120
_SHOWN = 5
_LISTED = 64


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation or inequality that a text states and that can be judged.

    Attributes:
        text: as it stands in the text.
        left: the value of its left side.
        right: the value of its right side.
        holds: whether it is true, up to the rounding that the printed decimals allow.
    """

    text: str
    left: Fraction
    right: Fraction
    holds: bool


@row_verifier("equations", version="2")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Fail where one stated equation is false; unscorable where the rationale states none.

    The detail counts what was `stated` and `false`, quotes `examples`, and has the `calculations` (see `equation_list`) where
    they are no more than 64.
    """
    reading = read(whole_text(rationale))
    statements = (*reading.statements, *reading.annotations, *reading.solutions)
    judged = [one for one in statements if one.holds is not None]
    if any(not one.holds for one in judged) and _other_arithmetic(question.text, reading.prose):
        judged = [one for one in judged if one.holds]
    stated = len(judged) + len(reading.misprints)
    listed = equation_list(whole_text(rationale))
    calculations = {"calculations": listed} if len(listed) <= _LISTED else {}
    if not stated:
        return Verdict(Outcome.UNSCORABLE, "no_equations", detail=calculations)
    false = [one.text for one in judged if not one.holds] + list(reading.misprints)
    examples = [text[:_QUOTE] for text in false[:_SHOWN]]
    detail = {"stated": stated, "false": len(false), "examples": examples, **calculations}
    score = 1 - len(false) / stated
    if not false:
        return Verdict(Outcome.PASS, "all_true", score=score, detail=detail)
    return Verdict(Outcome.FAIL, f"false: {false[0][:_QUOTE]}", score=score, detail=detail)


# Sums in which 8 + 8 is 6 are true there.
_OTHER_ARITHMETIC = re.compile(
    r"\bmod(?:ulo|ular|ulus)?\b|\\p?mod\b|\b(?:binary|octal|hexadecimal)\b|\bbase[- ](?:\d|two|three|five|six|seven|eight)",
    re.IGNORECASE,
)


def _other_arithmetic(*texts: str) -> bool:
    return any(_OTHER_ARITHMETIC.search(text) for text in texts)


def whole_text(rationale: Rationale) -> str:
    """Return the reasoning content and the completion as one text."""
    return f"{rationale.reasoning}\n{rationale.completion}" if rationale.reasoning else rationale.completion


def stated_equations(text: str) -> list[Equation]:
    """Return every equation that `text` states and that can be judged, in order; GSM8K's `<<16-3=13>>` at the end."""
    reading = read(text)
    return [
        Equation(one.text, Fraction(one.left), Fraction(one.right), one.holds)
        for one in (*reading.statements, *reading.annotations)
        if one.holds is not None and one.left is not None and one.right is not None
    ]


def equation_list(text: str) -> tuple[str, ...]:
    """Return the calculations of a text in one form, in order: two rationales with the same list reason alike.

    The identity of rejection-sampling fine-tuning (Yuan et al. 2023, arXiv 2308.01825): units, currency signs,
    spaces and the writing of numbers do not count, neither does whether a calculation is right. Calculator annotations
    are read where the prose calculates nothing.
    """
    reading = read(text)
    for statements in (reading.statements, reading.annotations):
        found = tuple(filter(None, map(_written, statements)))
        if found:
            return found
    return ()


def _written(statement: Statement) -> str:
    """`16-3=13`; empty where nothing is calculated."""
    sides = (statement.left_tokens, statement.right_tokens)
    if statement.sign not in "=\u2248" or not all(sides):
        return ""
    if not any(token.kind is Kind.OPERATOR for side in sides for token in side[1:]):
        return ""
    return "=".join("".join(map(_symbol, side)) for side in sides)


def _symbol(token: Token) -> str:
    if token.kind is Kind.NUMBER:
        try:
            return canonical(Fraction(number_value(token.text)))
        except NotArithmetic:
            return token.text
    return "*" if token.text == "of" else token.text
