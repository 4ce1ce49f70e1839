"""Tokens of arithmetic as it stands in prose."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

BOX = "\u25a0"
"""Stands where a final answer is boxed; no token."""


class Kind(Enum):
    """What a token is."""

    NUMBER = "number"
    OPERATOR = "operator"
    OPEN = "("
    CLOSE = ")"
    PERCENT = "%"
    FUNCTION = "function"
    FACTORIAL = "!"
    EQUALS = "="
    RELATION = "<"
    WORD = "word"
    BREAK = "break"


ARITHMETIC = frozenset((Kind.NUMBER, Kind.OPERATOR, Kind.OPEN, Kind.CLOSE, Kind.PERCENT, Kind.FUNCTION, Kind.FACTORIAL))
"""The kinds that an expression is made of."""


class Token(NamedTuple):
    """A token of running text.

    Attributes:
        kind: what it is.
        text: as it stands, operators unified to + - * / ^, and `of` where it multiplies.
        start: its offset.
        end: the offset after it.
        spaced: whether whitespace stands before it.
    """

    kind: Kind
    text: str
    start: int
    end: int
    spaced: bool


_TOKEN = re.compile(
    r"(?P<number>(?:[$\u20ac\u00a3] ?)?(?:\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|\.\d+))"
    r"|(?P<skipped>[$\u20ac\u00a3](?=\s?[-\u2212]\s?[\d.])|\u25a0)|(?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*)"
    r"|(?P<arrow>=>|->|!=|:=|<-(?!\d)|-->)|(?P<operator>\*\*|[-+*/^\u00d7\u00f7\u2212\u2013\u22c5\u00b7\u2217])"
    r"|(?P<relation>[<>]=|[<>\u2264\u2265])|(?P<equals>==?|\u2248)|(?P<break>\n\s*|[^\s])"
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
    "arrow": Kind.BREAK,
    "operator": Kind.OPERATOR,
    "relation": Kind.RELATION,
    "equals": Kind.EQUALS,
    "break": Kind.BREAK,
}
_MARKS = {
    "(": Kind.OPEN,
    "[": Kind.OPEN,
    ")": Kind.CLOSE,
    "]": Kind.CLOSE,
    "%": Kind.PERCENT,
    "\u221a": Kind.FUNCTION,
}
_OPERANDS_END = (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT)


def tokenize(text: str) -> list[Token]:
    """Split text into tokens; an `x` between two operands is a times sign, `5!` a factorial."""
    tokens: list[Token] = []
    add, kinds, marks = tokens.append, _KINDS, _MARKS
    end, crosses, before = 0, False, Kind.BREAK
    for match in _TOKEN.finditer(text):
        start = match.start()
        if match.lastgroup == "skipped":
            continue  # $-5 is -5
        found, kind = match[0], kinds[match.lastgroup]  # ty: ignore[invalid-argument-type]
        if kind is Kind.BREAK:
            if found in marks:
                kind = marks[found]
            elif found == "!" and start == end and before in (Kind.NUMBER, Kind.CLOSE):
                kind = Kind.FACTORIAL if _is_factorial(text, start) else Kind.BREAK
        elif kind is Kind.OPERATOR:
            found = _OPERATORS.get(found, found)
        elif kind is Kind.WORD and found in ("x", "X"):
            crosses = True
        add(Token(kind, found, start, match.end(), start > end))
        end, before = match.end(), kind
    return _with_crosses(tokens) if crosses else tokens


_AFTER_FACTORIAL = re.compile(r"\s?[-+*/^=)\u2248\u00d7]|\d|\(")


def _is_factorial(text: str, at: int) -> bool:
    """`5!` calculates where arithmetic goes on; at a sentence's end it is an exclamation."""
    return bool(_AFTER_FACTORIAL.match(text, at + 1))


def _with_crosses(tokens: list[Token]) -> list[Token]:
    for at, token in enumerate(tokens):
        if token.text in ("x", "X") and 0 < at < len(tokens) - 1 and tokens[at + 1].kind in (Kind.NUMBER, Kind.OPEN):
            before = tokens[at - 1].kind
            if before in _OPERANDS_END or (before is Kind.WORD and token.spaced):
                tokens[at] = Token(Kind.OPERATOR, "*", token.start, token.end, token.spaced)
    return tokens
