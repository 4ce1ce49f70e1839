"""What a text states in arithmetic: equations and inequalities between plain numbers, each judged where that is beyond doubt.

Exact, and linear in the text. Where it is unsure what a statement says, it does not judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from selftaught_verifiers.arithmetic.judging import is_part, judged
from selftaught_verifiers.arithmetic.phrases import IS, SPOKEN, written_out
from selftaught_verifiers.arithmetic.sides import doubtful_speech, left_side, right_side
from selftaught_verifiers.arithmetic.tokens import BOX, Kind, Token, tokenize
from selftaught_verifiers.arithmetic.units import without_units
from selftaught_verifiers.arithmetic.unknowns import tried
from selftaught_verifiers.arithmetic.values import NotArithmetic, Value, number_value
from selftaught_verifiers.text.plain import unify, without_bold, without_latex

MAX_LENGTH = 100_000
"""Characters of a text that are read, from its start."""

MAX_STATEMENTS = 4_000
"""Statements of a text that are judged, from its start."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An equation or an inequality that a text states.

    Attributes:
        text: as it stands in the text.
        sign: `=`, `\u2248`, `<`, `>`, `\u2264`, `\u2265`.
        left: the value of its left side, None where it is not judged.
        right: the value of its right side, None where it is not judged.
        holds: whether it is true, up to the rounding that the printed decimals allow; None where it is not judged.
        left_tokens: the arithmetic before the sign, without units.
        right_tokens: the arithmetic after the sign, without units.
    """

    text: str
    sign: str
    left: Value | None
    right: Value | None
    holds: bool | None
    left_tokens: tuple[Token, ...]
    right_tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The arithmetic of a text.

    Attributes:
        prose: the text without calculator annotations and LaTeX; the tokens' offsets are in it.
        tokens: its tokens, without units inside calculations.
        statements: what it states, in order.
        annotations: what its calculator annotations (`<<16-3=13>>`) state, in order.
        solutions: equations in an unknown, tried with the one value that the text gives it.
        misprints: annotations that disagree with the number printed right after them, as they stand.
    """

    prose: str
    tokens: tuple[Token, ...]
    statements: tuple[Statement, ...]
    annotations: tuple[Statement, ...]
    solutions: tuple[Statement, ...]
    misprints: tuple[str, ...]


_ANNOTATION = re.compile(r"<<([^<>\n]{0,200})>>")


@lru_cache(maxsize=8)
def read(text: str) -> Reading:
    """Return the arithmetic of `text`; several verifiers ask for the same text in turn, it is read once."""
    text = unify(text[:MAX_LENGTH])
    annotations: tuple[Statement, ...] = ()
    misprints: tuple[str, ...] = ()
    prose = text
    if "<<" in text:
        inner = "\n".join(match[1] for match in _ANNOTATION.finditer(text))
        annotations = tuple(islice(_statements(inner, tokenize(inner)), MAX_STATEMENTS))
        misprints = tuple(_misprints(text))
        prose = _ANNOTATION.sub("", text)
    prose = _simplified(prose)
    tokens = tokenize(prose)
    if not SPOKEN.isdisjoint([token.text for token in tokens]):
        tokens = written_out(tokens)
    tokens = without_units(tokens)
    statements = tuple(islice(_statements(prose, tokens), MAX_STATEMENTS))
    solutions = tuple(islice(_solutions(prose, tokens), MAX_STATEMENTS))
    return Reading(prose, tuple(tokens), statements, annotations, solutions, misprints)


_BINOMIAL = re.compile(r"\\[dt]?binom\s{0,3}\{([^{}]*)\}\s{0,3}\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s{0,3}(?=[{(]|\d(?!\d))")


def _simplified(text: str) -> str:
    """LaTeX written out, its braces as brackets, Markdown emphasis gone."""
    text = without_bold(text)
    if "\\" in text:
        text = _ROOT.sub("\u221a", _BINOMIAL.sub(r"C(\1,\2)", text.replace("\\$", "").replace("\\_", "_")))
        text = without_latex(text).replace("\\boxed", BOX).replace("\\div", "/")
        text = text.replace("\\leq", "\u2264").replace("\\geq", "\u2265").replace("{", "(").replace("}", ")")
    return text


# -- finding ---------------------------------------------------------------------------------------------------------


def _statements(text: str, tokens: Sequence[Token]) -> Iterator[Statement]:
    for at, token in enumerate(tokens):
        if token.kind is Kind.EQUALS or token.kind is Kind.RELATION:
            statement = _statement(text, tokens, at)
            if statement is not None:
                yield statement


_SIGNS = {"<=": "\u2264", ">=": "\u2265", "==": "="} | dict.fromkeys(IS, "=")


def _statement(text: str, tokens: Sequence[Token], at: int) -> Statement | None:
    token = tokens[at]
    left, doubt_left = left_side(tokens, at)
    right, doubt_right = right_side(tokens, at)
    if not left and not right:
        return None
    sign = _SIGNS.get(token.text, token.text)
    spoken = token.text in IS
    if spoken and (len(left) < 3 or len(right) > 2 or is_part(left) or doubtful_speech(tokens, at, left, right)):
        return None
    start, end = (left[0] if left else token).start, (right[-1] if right else token).end
    quote = " ".join(text[start : min(end, start + 2000)].split())
    found = None
    if left and right and not doubt_left and not doubt_right:
        found = judged(text, tokens, at, sign, left, right)
    one, other, holds = found or (None, None, None)
    return Statement(quote, sign, one, other, holds, tuple(left), tuple(right))


def _solutions(text: str, tokens: Sequence[Token]) -> Iterator[Statement]:
    for first, last, found in tried(tokens):
        quote = " ".join(text[first.start : last.end].split())
        yield Statement(quote, "=", found.left, found.right, found.holds, (), ())


# -- annotations -----------------------------------------------------------------------------------------------------

_PRINTED = re.compile(
    r"<<[^<>\n]{0,200}=\s?([-$]{0,2}[\d.,]{1,30})>>\s?"
    r"(-?[$\u20ac\u00a3]?(?:\d[\d,]{0,30}(?:\.\d{1,30})?|\.\d{1,30}))(?![\d,/]|\s\d{3})"
)


def _misprints(text: str) -> Iterator[str]:
    """Annotations whose result is not the number printed right after them."""
    for match in _PRINTED.finditer(text):
        try:
            result, printed = (_plain_number(match[group]) for group in (1, 2))
        except (NotArithmetic, ValueError):
            continue
        if result != printed and not _same_print(result, printed, match[2].rstrip(",.")):
            yield match[0]


def _plain_number(text: str) -> Value:
    text = text.rstrip(",.")
    negative = text.startswith("-")
    value = number_value(text.lstrip("-$"))
    return -value if negative else value


def _same_print(result: Value, printed: Value, text: str) -> bool:
    """Rounded, in percent, in cents or another unit, or without its sign."""
    step = Fraction(1, 10 ** len(text.partition(".")[2]))
    if abs(abs(result) - abs(printed)) < step and (result.denominator != 1 or result == -printed < 0):
        return True
    return bool(result and printed) and abs(Fraction(result) / printed) in (100, Fraction(1, 100), 60, Fraction(1, 60))
