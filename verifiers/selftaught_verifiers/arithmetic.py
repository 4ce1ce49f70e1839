"""Arithmetic as it stands in prose: tokens, and an exact evaluator over `Fraction`.

Digits, operands, depth and exponents are bounded, so that no text is costly. Nothing is handed to `eval`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

MAX_TOKENS = 80
"""Longer expressions are not evaluated."""

_MAX_DIGITS = 30
_MAX_DEPTH = 20
_MAX_EXPONENT = 12
_MAX_BASE = 10**6


class Kind(Enum):
    """What a token is."""

    NUMBER = "number"
    OPERATOR = "operator"
    OPEN = "("
    CLOSE = ")"
    PERCENT = "%"
    EQUALS = "="
    WORD = "word"
    BREAK = "break"


ARITHMETIC = frozenset((Kind.NUMBER, Kind.OPERATOR, Kind.OPEN, Kind.CLOSE, Kind.PERCENT))
"""The kinds that an expression is made of."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of running text.

    Attributes:
        kind: what it is.
        text: as it stands, operators unified to + - * / ^.
        start: its offset.
        end: the offset after it.
        spaced: whether whitespace stands before it.
    """

    kind: Kind
    text: str
    start: int
    end: int
    spaced: bool


class NotArithmetic(ValueError):  # noqa: N818 (a finding, no error)
    """The tokens are no arithmetic expression, or one too big to evaluate."""


_TOKEN = re.compile(
    r"(?P<number>(?:[$\u20ac\u00a3] ?)?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+))|(?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*)"
    r"|(?P<operator>\*\*|[-+*/^\u00d7\u00f7\u2212\u2013\u22c5\u00b7\u2217])|(?P<equals>[=\u2248])|(?P<break>\s*\n\s*|[^\s])"
)
_OPERATORS = {
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2212": "-",
    "\u2013": "-",
    "\u22c5": "*",
    "\u00b7": "*",
    "\u2217": "*",
    "**": "^",
}
_KINDS = {
    "number": Kind.NUMBER,
    "word": Kind.WORD,
    "operator": Kind.OPERATOR,
    "equals": Kind.EQUALS,
    "break": Kind.BREAK,
}
_MARKS = {"(": Kind.OPEN, "[": Kind.OPEN, ")": Kind.CLOSE, "]": Kind.CLOSE, "%": Kind.PERCENT}


def tokenize(text: str) -> list[Token]:
    """Split text into tokens; an `x` between two operands is a times sign."""
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(text):
        found, kind = match[0], _KINDS[match.lastgroup or "break"]
        if kind is Kind.BREAK:
            kind = _MARKS.get(found, Kind.BREAK)
        elif kind is Kind.OPERATOR:
            found = _OPERATORS.get(found, found)
        tokens.append(Token(kind, found, match.start(), match.end(), match.start() > end))
        end = match.end()
    return [_times(tokens, at) if token.text in ("x", "X") else token for at, token in enumerate(tokens)]


def _times(tokens: Sequence[Token], at: int) -> Token:
    token = tokens[at]
    after = tokens[at + 1].kind if at + 1 < len(tokens) else Kind.BREAK
    before = tokens[at - 1].kind if at else Kind.BREAK
    operand_before = before in (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT, Kind.WORD) and (
        before is not Kind.WORD or token.spaced
    )
    if operand_before and after in (Kind.NUMBER, Kind.OPEN):
        return Token(Kind.OPERATOR, "*", token.start, token.end, token.spaced)
    return token


def number_value(text: str) -> Fraction:
    """Return the value of a number token.

    Raises:
        NotArithmetic: it has too many digits.
    """
    plain = text.lstrip("$\u20ac\u00a3 ").replace(",", "")
    if len(plain) > _MAX_DIGITS:
        raise NotArithmetic(text[:40])
    return Fraction(plain)


def evaluate(tokens: Iterable[Token], percent: Fraction) -> Fraction:
    """Evaluate an expression exactly by precedence climbing.

    Args:
        tokens: the whole expression.
        percent: what a percent sign multiplies by: 1/100, or 1 where percentages are written as plain numbers.

    Raises:
        NotArithmetic: no complete expression, a division by zero, or too big.
    """
    reader = _Reader(list(tokens), percent)
    value = reader.sum(0)
    if reader.at != len(reader.tokens):
        raise NotArithmetic("something follows the expression")
    return value


class _Reader:
    def __init__(self, tokens: list[Token], percent: Fraction) -> None:
        if len(tokens) > MAX_TOKENS:
            raise NotArithmetic("too long")
        self.tokens, self.percent, self.at = tokens, percent, 0

    def _take(self, symbols: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at].kind is Kind.OPERATOR:
            text = self.tokens[self.at].text
            if text in symbols:
                self.at += 1
                return text
        return None

    def sum(self, depth: int) -> Fraction:
        value = self._product(depth)
        while operator := self._take("+-"):
            term = self._product(depth)
            value = value + term if operator == "+" else value - term
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._power(depth)
        while True:
            operator = self._take("*/") or ("*" if self._touches() else None)
            if operator is None:
                return value
            factor = self._power(depth)
            if operator == "/" and factor == 0:
                raise NotArithmetic("division by zero")
            value = value * factor if operator == "*" else value / factor

    def _touches(self) -> bool:
        """2(3+4) is a product; 2 (3+4) may be a remark."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        return token is not None and token.kind is Kind.OPEN and not token.spaced

    def _power(self, depth: int) -> Fraction:
        if self._take("-"):
            return -self._power(self._deeper(depth))
        base = self._atom(depth)
        if not self._take("^"):
            return base
        exponent = self._power(self._deeper(depth))
        if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT or abs(base) > _MAX_BASE:
            raise NotArithmetic("a power out of bounds")
        if base.denominator > _MAX_BASE or (base == 0 and exponent < 0):
            raise NotArithmetic("a power out of bounds")
        return base ** int(exponent)

    def _atom(self, depth: int) -> Fraction:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token.kind not in (Kind.NUMBER, Kind.OPEN):
            raise NotArithmetic("an operand is missing")
        self.at += 1
        value = number_value(token.text) if token.kind is Kind.NUMBER else self._group(depth)
        if self.at < len(self.tokens) and self.tokens[self.at].kind is Kind.PERCENT:
            self.at += 1
            value *= self.percent
        return value

    def _group(self, depth: int) -> Fraction:
        value = self.sum(self._deeper(depth))
        if self.at >= len(self.tokens) or self.tokens[self.at].kind is not Kind.CLOSE:
            raise NotArithmetic("a bracket is open")
        self.at += 1
        return value

    @staticmethod
    def _deeper(depth: int) -> int:
        if depth >= _MAX_DEPTH:
            raise NotArithmetic("too deep")
        return depth + 1
