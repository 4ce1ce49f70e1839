"""Is a stated equation true? Up to rounding, percentages and changes of unit; no answer where it may be a notation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from selftaught_verifiers.arithmetic.phrases import IS
from selftaught_verifiers.arithmetic.tokens import Kind, Token
from selftaught_verifiers.arithmetic.units import converts
from selftaught_verifiers.arithmetic.values import NotArithmetic, Value, evaluate, number_value
from selftaught_verifiers.text.plain import words

_PERCENTS = (Fraction(1, 100), Fraction(1))
_ABOUT = Fraction(1, 50)
# 8.333...%, and 11 + 3 = 2 p.m.
_ELSE = re.compile(r"\s?(?:\.{0,3}\s?%|[ap]\.?m\b|o'clock)", re.IGNORECASE)
_SENTENCE = re.compile(r"[.;,\n]")


class Judged(NamedTuple):
    """The values of a statement's sides and whether it is true."""

    left: Value
    right: Value
    holds: bool


def judged(
    text: str, tokens: Sequence[Token], at: int, sign: str, left: Sequence[Token], right: Sequence[Token]
) -> Judged | None:
    """Judge a statement; None where nothing is calculated, or it is false in a way that may be a notation.

    Args:
        text: the text that the tokens' offsets are in.
        tokens: its tokens.
        at: the place of the sign.
        sign: `=`, `\u2248`, `<`, `>`, `\u2264`, `\u2265`.
        left: the left side.
        right: the right side.
    """
    equation = sign in "=\u2248"
    if equation and not _calculates(left, right, chain=_in_chain(tokens, at)):
        return None
    percent = any(token.kind is Kind.PERCENT for token in (*left, *right))
    try:
        if not equation:
            return _compared(text, tokens, at, sign, left, right)
        lefts, rights = _readings(left, percent=percent), _readings(right, percent=percent)
    except NotArithmetic:
        return None
    for one in lefts:
        for other, factor in zip(rights, _PERCENTS, strict=False):
            if _agree(one, other, left, right, about=sign != "=", factor=factor):
                return Judged(one, other, holds=True)
    one, other = lefts[0], rights[0]
    rest = text[right[-1].end : right[-1].end + 30]
    after = _SENTENCE.split(rest, maxsplit=1)[0]
    doubtful = _notation(text, left) or _notation(text, right) or _in_words(right) or _ELSE.match(rest)
    if doubtful or _cut(one, other, left, right):
        return None
    sums = any(token.text in ("+", "-") for token in (*left[1:], *right[1:]))
    quote = text[left[0].start : right[-1].end] + " ".join(after.split(" ")[:3])
    return None if converts(one, other, quote, sums=sums) else Judged(one, other, holds=False)


def _in_chain(tokens: Sequence[Token], at: int) -> bool:
    return at > 1 and tokens[at - 2].kind is Kind.EQUALS and tokens[at - 2].text not in IS


def _calculates(left: Sequence[Token], right: Sequence[Token], *, chain: bool) -> bool:
    """Whether either side is more than a number; "4 days = 7 + 2" names a quantity unless it ends a chain."""
    if not chain and (len(left) == 1 or (is_part(left) and left[2].end < right[0].start - 4)):
        return False
    return any(
        token.kind is Kind.FUNCTION or (token.kind in _CALCULATING and index)
        for side in (left, right)
        for index, token in enumerate(side)
    )


_CALCULATING = (Kind.OPERATOR, Kind.FACTORIAL)


def is_part(side: Sequence[Token]) -> bool:
    """Whether a side is a lone proper fraction such as 1/4, which with words behind it names a part."""
    if len(side) != 3 or side[1].text != "/" or side[1].spaced or side[2].spaced:
        return False
    return len(side[0].text) <= len(side[2].text) <= 3 and side[0].text < side[2].text


def _readings(side: Sequence[Token], *, percent: bool) -> list[Value]:
    """What a side can mean: percentages as hundredths, as plain numbers, or `80 + 10%` as 80 and a tenth of it."""
    values = [evaluate(side, factor) for factor in (_PERCENTS if percent else _PERCENTS[:1])]
    if percent and len(side) == 4 and side[1].text in ("+", "-") and side[3].kind is Kind.PERCENT:
        share = evaluate(side[2:], _PERCENTS[0])
        values.append(values[0] + (evaluate(side[:1], _PERCENTS[0]) - 1) * share * (1 if side[1].text == "+" else -1))
    return values


_NO_CLAIM = frozenset(
    words(
        "if whether not no never false incorrect wrong contradiction contradicts impossible invalid is check suppose "
        "assume unless cannot can't doesn't isn't when until while for otherwise else or test true"
    )
)


def _compared(
    text: str, tokens: Sequence[Token], at: int, sign: str, left: Sequence[Token], right: Sequence[Token]
) -> Judged | None:
    """An inequality; only where its sentence supposes and denies nothing."""
    first = max(0, at - len(left) - 12)
    around = [*tokens[first : at - len(left)], *tokens[at + 1 + len(right) : at + len(right) + 12]]
    if any(token.text.lower() in _NO_CLAIM or token.text == "?" for token in around):
        return None
    quote = text[left[0].start : right[-1].end]
    if quote.count("<") + quote.count(">") > 1:
        return None
    one, other = evaluate(left, _PERCENTS[0]), evaluate(right, _PERCENTS[0])
    holds = {"<": one < other, ">": one > other, "\u2264": one <= other, "\u2265": one >= other}[sign]
    plain = all(token.kind is not Kind.PERCENT for token in (*left, *right))
    letters = re.search(r"[A-Za-z\"']", quote + text[right[-1].end : right[-1].end + 12])
    return Judged(one, other, holds) if holds or (plain and not letters) else None


def _cut(one: Value, other: Value, left: Sequence[Token], right: Sequence[Token]) -> bool:
    """`50 / 3 = 16` counts what fits, and leaves a remainder unsaid."""
    return len(right) == 1 and one.denominator != 1 and int(one) == other and any(t.text == "/" for t in left)


def _in_words(side: Sequence[Token]) -> bool:
    """`= 360 divided by 5` goes on after the result."""
    return any(token.text == "of" or (token.kind is Kind.OPERATOR and token.end - token.start > 2) for token in side)


def _notation(text: str, side: Sequence[Token]) -> bool:
    """Whether a side may mean something else: `28 / 1/5` (28 fifths?), `3x108` (a lost power), `20% of 10 + 3`."""
    shares = [token for token in side if token.text == "of"]
    if shares and any(token.text in ("+", "-", "/") for token in side if token.start > shares[0].start):
        return True
    for first, second, third in zip(side, side[1:], side[2:], strict=False):
        if first.text == "/" and third.text == "/" and second.kind is Kind.NUMBER:
            return True
        tight = not second.spaced and not third.spaced
        crossed = second.text == "*" and tight and text[second.start] in "x\u00d7"
        if crossed and third.text.startswith("10") and len(third.text) > 2:
            return True
    return False


def _agree(
    one: Value, other: Value, left: Sequence[Token], right: Sequence[Token], *, about: bool, factor: Fraction
) -> bool:
    if one == other:
        return True
    if about and abs(one - other) <= _ABOUT * max(abs(one), abs(other)):
        return True
    return _rounds(one, other, left, right, factor) or _rounds(other, one, right, left, factor)


def _rounds(exact: Value, printed: Value, exact_side: Sequence[Token], side: Sequence[Token], factor: Fraction) -> bool:
    """Whether `printed` is a lone number and is `exact` rounded or cut to the digits that it shows."""
    step = _step(side, factor)
    if step is None:
        return False
    off = abs(exact - printed)
    if step == 1:
        return exact.denominator != 1 and off <= Fraction(1, 2) and not _sums_exactly(exact_side)
    if abs(exact).denominator == 1 and step > 1:
        return off <= step / 2
    return off <= step / 2 or (off < step and abs(printed) < abs(exact))


def _sums_exactly(side: Sequence[Token]) -> bool:
    """Whether a side only adds decimals of the same few places: nobody rounds 0.3 + 0.4 to 1."""
    if any(token.kind is Kind.OPERATOR and token.text not in ("+", "-") for token in side):
        return False
    return all("." not in token.text or len(token.text.partition(".")[2]) < 3 for token in side)


def _step(side: Sequence[Token], factor: Fraction) -> Fraction | None:
    """The place value of the last digit that a lone number shows: 1/100 for 3.14, 10 for 3.1 * 10^2."""
    kinds = [token.kind for token in side]
    numbers = [token for token in side if token.kind is Kind.NUMBER]
    if not numbers or "/" in numbers[0].text:
        return None
    step = Fraction(1, 10 ** len(numbers[0].text.partition(".")[2]))
    if len(numbers) == 1:
        return step * factor if Kind.PERCENT in kinds else step
    scientific = [token.text for token in side if token.kind is Kind.OPERATOR and token.text != "-"] == ["*", "^"]
    if scientific and len(numbers) == 3 and numbers[1].text == "10":
        exponent = int(number_value(numbers[2].text)) * (-1 if side[-2].text == "-" else 1)
        return step * Fraction(10) ** exponent if abs(exponent) <= 60 else None
    return None
