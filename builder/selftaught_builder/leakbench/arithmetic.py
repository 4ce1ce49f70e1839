"""The equations of a rationale, found and rewritten: what planted errors are made of.

This is no checker. It reads only plain `a op b = c` with a printed result, GSM8K's `<<a op b=c>>` included, and shares nothing
with the verifiers that planted errors are to test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_STEP = re.compile(
    rf"(?P<left>(?:[$]?{_NUMBER}(?:\s?[-+*/x\u00d7\u2212]\s?[$]?{_NUMBER}){{1,6}})?)"
    rf"(?P<equals>\s?=\s?[$]?)(?:<<(?P<inner>[^<>=\n]{{1,80}})=[^<>=\n]{{1,20}}>>)?(?P<right>{_NUMBER})(?![\d/*x%-])"
)
_OPERAND = re.compile(_NUMBER)
_OPERATOR = re.compile(r"[-+*/x\u00d7\u2212]")
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")


@dataclass(frozen=True)
class Step:
    """One equation of a text.

    Attributes:
        start, end: where it stands.
        left: its left side as printed, "" where that is more than plain numbers and operators.
        equals: the equals sign with what belongs to it (spaces, a currency sign).
        annotation: the left side inside `<<...>>`, None where it has no annotation.
        right: the printed result.
    """

    start: int
    end: int
    left: str
    equals: str
    annotation: str | None
    right: str

    @property
    def text(self) -> str:
        """The equation, written out; its annotation states the same result as its print."""
        inner = "" if self.annotation is None else f"<<{self.annotation}={self.right.replace(',', '')}>>"
        return f"{self.left}{self.equals}{inner}{self.right}"

    @property
    def value(self) -> Fraction | None:
        """What the left side comes to, None where it is not plain."""
        return calculate(self.left) if self.left else None

    @property
    def result(self) -> Fraction:
        """The printed result."""
        return parse(self.right)

    def with_left(self, left: str) -> Step:
        """The step with another left side, in its annotation too."""
        annotation = None if self.annotation is None else re.sub(r"[$\s]", "", left)
        return replace(self, left=left, annotation=annotation)


def steps_of(text: str) -> list[Step]:
    """Return the equations of `text` with a printed result, in order."""
    return [
        Step(match.start(), match.end(), match["left"], match["equals"], match["inner"], match["right"])
        for match in _STEP.finditer(text)
    ]


def without_annotations(text: str) -> str:
    """Return `text` without GSM8K's calculator annotations."""
    return _ANNOTATION.sub("", text)


def operands(left: str) -> list[tuple[int, int, str]]:
    """Return start, end and text of each number of a left side."""
    return [(match.start(), match.end(), match[0]) for match in _OPERAND.finditer(left)]


def operators(left: str) -> list[tuple[int, str]]:
    """Return place and sign of each operator of a left side."""
    return [(match.start(), match[0]) for match in _OPERATOR.finditer(left)]


def parse(number: str) -> Fraction:
    """Return the value of a printed number."""
    return Fraction(number.replace(",", ""))


def show(value: Fraction) -> str | None:
    """Print a value that is not negative with at most two decimals; None where it has more."""
    if value < 0 or (value * 100).denominator != 1:
        return None
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def calculate(left: str) -> Fraction | None:
    """Return the value of numbers joined by `+ - * /`, None where it divides by zero."""
    numbers = [parse(text) for _, _, text in operands(left)]
    signs = ["-" if sign == "\u2212" else "*" if sign in "x\u00d7" else sign for _, sign in operators(left)]
    total, product, sign = Fraction(0), numbers[0], 1
    for operator, number in zip(signs, numbers[1:], strict=True):
        if operator == "*":
            product *= number
        elif operator == "/":
            if not number:
                return None
            product /= number
        else:
            total, product, sign = total + sign * product, number, 1 if operator == "+" else -1
    return total + sign * product
