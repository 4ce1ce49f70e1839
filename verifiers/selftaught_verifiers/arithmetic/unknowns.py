"""Equations in one unknown, tried with the value that the text gives it: `2x + 3 = 11`, and later `x = 5`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from selftaught_verifiers.arithmetic.judging import Judged
from selftaught_verifiers.arithmetic.tokens import ARITHMETIC, Kind, Token
from selftaught_verifiers.arithmetic.values import NotArithmetic, Value, evaluate
from selftaught_verifiers.text.plain import words

_PERCENT = Fraction(1, 100)
_LONGEST = 25  # tokens of a side, so that the filled one can be evaluated
_NAMES = frozenset("bcdefjknopqrtuvwxyzBCDEFGHJKLMNOPQRSTUVWXYZ")  # no articles, no usual units
_CLAUSE = frozenset(
    words("so and then or thus that is are get gives have equation equals becomes therefore hence means to as into")
)


def tried(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token, Judged]]:
    """Yield each equation in an unknown with a known value: its first and last token, and whether the value solves it.

    An unknown counts only where the text gives it one value throughout, a whole number, and an equation only where it
    holds no decimals.
    """
    values = _values(tokens)
    if not values:
        return
    for at, token in enumerate(tokens):
        if token.kind is not Kind.EQUALS or token.text != "=":
            continue
        left, right = _run(tokens, at, -1, values), _run(tokens, at, 1, values)
        names = {one.text for one in (*left, *right) if one.kind is Kind.WORD}
        lone = any(len(side) == 1 and side[0].kind is Kind.WORD for side in (left, right))
        if len(names) != 1 or not left or not right or lone or any("." in one.text for one in (*left, *right)):
            continue  # with decimals the value may be rounded
        value = values[names.pop()]
        try:
            one, other = (evaluate(_filled(side, value), _PERCENT) for side in (left, right))
        except NotArithmetic:
            continue
        yield left[0], right[-1], Judged(one, other, one == other)


def _values(tokens: Sequence[Token]) -> dict[str, list[Token]]:
    """The tokens of each unknown's only value."""
    found: dict[str, dict[Value | None, list[Token]]] = {}
    for at in range(1, len(tokens)):
        name = tokens[at - 1]
        if tokens[at].text == "=" and name.kind is Kind.WORD and name.text in _NAMES:
            before = tokens[at - 2] if at > 1 else None
            if before is None or _is_stop(before) or before.text.lower() in _CLAUSE:
                value, written = _value(tokens, at + 1)
                if written:
                    found.setdefault(name.text, {})[value] = written
    crossed = any(token.kind is Kind.OPERATOR and token.text == "*" and token.spaced for token in tokens)
    return {
        name: written
        for name, values in found.items()
        if len(values) == 1 and not (name in "xX" and crossed)
        for value, written in values.items()
        if value is not None and value.denominator == 1
    }


def _value(tokens: Sequence[Token], at: int) -> tuple[Value | None, list[Token]]:
    """The arithmetic that starts at `at`: its value, None where it has none or an alternative follows, and its tokens."""
    end = at
    while end < len(tokens) and end - at < _LONGEST and tokens[end].kind in ARITHMETIC:
        end += 1
    run = list(tokens[at:end])
    if end < len(tokens) and (tokens[end].text in ("or", "and", "\u00b1") or tokens[end].text in _NAMES):
        return None, run
    try:
        return (evaluate(run, _PERCENT) if run else None), run
    except NotArithmetic:
        return None, run


def _run(tokens: Sequence[Token], at: int, way: int, values: dict[str, list[Token]]) -> list[Token]:
    """The side of an equation that begins beside its sign; [] where it does not end at a clause's border."""
    run: list[Token] = []
    index = at + way
    while 0 <= index < len(tokens) and len(run) < _LONGEST:
        token = tokens[index]
        if token.kind not in ARITHMETIC and token.text not in values:
            break
        run.append(token)
        index += way
    border = tokens[index] if 0 <= index < len(tokens) else None
    ends = border is None or border.kind is Kind.EQUALS or border.text.lower() in _CLAUSE or _is_stop(border)
    return run[::way] if ends else []


def _is_stop(token: Token) -> bool:
    return "\n" in token.text or token.text in (".", ",", ";", ":", "$")


def _filled(side: Sequence[Token], value: Sequence[Token]) -> list[Token]:
    """The side with the value in brackets for the unknown."""
    made: list[Token] = []
    for token in side:
        if token.kind is not Kind.WORD:
            made.append(token)
            continue
        made.append(token._replace(kind=Kind.OPEN, text="("))
        made.extend(one._replace(spaced=False) for one in value)
        made.append(token._replace(kind=Kind.CLOSE, text=")", spaced=False))
    return made
