"""The row verifier `number_provenance`: where do the numbers of a rationale's calculations come from?

In a word problem every operand comes from the question, from an earlier result, from a fact that the rationale states
before it calculates with it, from one step in the head, or is a common constant; and everywhere the known answer, where it is a
number, is something that the rationale arrives at. It sees the rationale of another question, an operand that no step
yielded and an answer out of nowhere. It does not see a wrong operation on the right numbers, nor whether a result is
right: that is for `equations`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from selftaught_verifiers.arithmetic.given import question_numbers
from selftaught_verifiers.arithmetic.statements import Reading, read
from selftaught_verifiers.arithmetic.tokens import Kind
from selftaught_verifiers.arithmetic.values import Value, simple
from selftaught_verifiers.reasoning.equations import whole_text
from selftaught_verifiers.reasoning.number_flow import Flow, number_flow
from selftaught_verifiers.text.numbers import canonical, parse_number
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

_SHOWN = 8


@row_verifier("number_provenance", version="1")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Fail where an operand or the answer comes from nowhere; unscorable without a question or a calculation.

    The score is the share of grounded operands.
    """
    if not question.text.strip():
        return Verdict(Outcome.UNSCORABLE, "no_question")
    reading = read(whole_text(rationale))
    answer = _known_answer(question)
    flow = number_flow(reading, question_numbers(question.text), _silent(reading.prose))
    if not flow.operands:
        return Verdict(Outcome.UNSCORABLE, "no_calculations")
    replaced = _replaced(flow, answer)
    ungrounded = list(dict.fromkeys([*flow.nowhere, *replaced]))
    detail: dict[str, object] = {"operands": flow.operands}
    if ungrounded:
        detail["ungrounded"] = ungrounded[:_SHOWN]
    if flow.unused:
        detail["unused"] = [canonical(Fraction(value)) for value in flow.unused][:_SHOWN]
    reason = ""
    if question.kind == "number" and not _is_algebra(reading):
        reason = _operand_finding(flow, replaced)
    if (
        not reason
        and answer is not None
        and _yields(reading)
        and not any(_same(answer, value) for value in flow.arrived)
    ):
        reason = f"answer from nowhere: {canonical(Fraction(answer))[:40]}"
    score = 1 - len(ungrounded) / max(flow.operands, len(ungrounded))
    return Verdict(Outcome.FAIL if reason else Outcome.PASS, reason or "grounded", score=score, detail=detail)


def _yields(reading: Reading) -> bool:
    """Whether a calculation with a result is stated at all."""
    return any(
        0 < len(one.right_tokens) <= 2 and any(token.kind is Kind.OPERATOR for token in one.left_tokens)
        for one in reading.statements
    )


def _operand_finding(flow: Flow, replaced: Sequence[str]) -> str:
    if flow.nowhere:
        return f"from nowhere: {flow.nowhere[0]}"
    if replaced:
        return f"no step yields: {replaced[0]}"
    if len(flow.foreign) > max(1, len(flow.given)):
        return "numbers of another question"
    return ""


def _replaced(flow: Flow, answer: Value | None) -> list[str]:
    """Operands that no step yielded, after a result that is never seen again: the step said something else."""
    places = [place for value, place in flow.unused.items() if value != answer]
    first = min(places, default=None)
    return [] if first is None else [text for text, place in flow.skipped if place > first]


def _is_algebra(reading: Reading) -> bool:
    """Whether equations hold an unknown; rewriting those makes numbers that no stated step yields."""
    tokens = reading.tokens
    for at, token in enumerate(tokens):
        if token.kind is Kind.WORD and len(token.text) == 1 and token.text not in "aAI":
            around = (*tokens[max(0, at - 1) : at], *tokens[at + 1 : at + 2])
            if any(one.kind is Kind.OPERATOR or one.kind is Kind.EQUALS for one in around):
                return True
            if at and tokens[at - 1].kind is Kind.NUMBER and not token.spaced:
                return True
    return False


# -- the answer ------------------------------------------------------------------------------------------------------

_FINAL = re.compile(r"####|\u25a0|answer\s(?:is|:)|answer:|solution:", re.IGNORECASE)
_CHOICE = re.compile(
    r"\b(?:choices?|options?|candidates?)\b|choice\\?_|^\W{0,3}[A-H][).:]", re.IGNORECASE | re.MULTILINE
)
_END = re.compile(r"\n|[.;](?=\s)")


def _silent(prose: str) -> list[tuple[int, int]]:
    """The final answer and the mentions of choices: a number that stands only there was not arrived at."""
    final = None
    for match in _FINAL.finditer(prose):
        final = match.start()
    end = len(prose) if final is None else final
    spans: list[tuple[int, int]] = []
    for match in _CHOICE.finditer(prose, 0, end):
        if not spans or match.start() >= spans[-1][1]:
            stop = _END.search(prose, match.end(), end)
            spans.append((match.start(), stop.start() if stop else end))
    return [*spans, (end, len(prose))] if final is not None else spans


def _known_answer(question: Question) -> Value | None:
    """The known answer as a number, the text of the right choice included; None where it is no number."""
    text = question.gold
    if question.kind == "letter":
        text = question.choices.get(question.gold) or _option(question)
    value = parse_number(text) if text and question.kind in ("number", "letter", "math") else None
    return None if value is None else simple(value)


def _option(question: Question) -> str:
    """The text of the right choice where the question's text lists the choices itself."""
    option = re.search(
        rf"^\W{{0,2}}{re.escape(question.gold)}[:.)]\s{{0,3}}([^\n]{{1,200}})$", question.text, re.MULTILINE
    )
    return option[1].strip() if option else ""


_UNITS = frozenset((60, Fraction(1, 60), 12, Fraction(1, 12)))
_CLOSE = Fraction(3, 100)


def _same(answer: Value, value: Value) -> bool:
    """Whether two values are one up to sign, rounding of decimals, and a unit: percent, cents, hours, powers of ten."""
    if answer == value or answer == -value:
        return True
    if not value or not answer:
        return False
    ratio = abs(Fraction(answer) / value)
    whole = answer.denominator == 1 and value.denominator == 1
    return ratio in _UNITS or _is_power_of_ten(ratio) or (not whole and abs(ratio - 1) <= _CLOSE)


def _is_power_of_ten(ratio: Fraction) -> bool:
    above, below = ratio.numerator, ratio.denominator
    one, other = (above, below) if below == 1 else (below, above)
    return other == 1 and str(one).strip("0") == "1" and one > 1
