"""Arithmetic in words: `20% of 50`, `half of 12`, `3 times 4`, `5 plus 3 is 8` become tokens of arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from selftaught_verifiers.arithmetic.tokens import Kind, Token
from selftaught_verifiers.text.plain import words

_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4} | {
    name: below for below, name in enumerate(words("fifth sixth seventh eighth ninth tenth eleventh twelfth"), start=5)
}
_COUNTS = {name: count for count, name in enumerate(words("one two three four five six seven eight nine"), start=1)}
FRACTIONS = (
    {name: f"1/{below}" for name, below in _PARTS.items()}
    | {f"one-{name}": f"1/{below}" for name, below in _PARTS.items()}
    | {f"{count}-{name}s": f"{n}/{below}" for name, below in _PARTS.items() for count, n in _COUNTS.items()}
)
"""Fractions in words, to `1/2`, `2/3`, ..."""

_SIGNS = {"plus": "+", "minus": "-", "times": "*", "multiplied": "*", "divided": "/"}
IS = frozenset(words("is equals gives makes yields totals leaves"))
"""Verbs that state a result."""

SPOKEN = frozenset(_SIGNS) | IS | {"percent", "of", "sqrt", "C"}
"""The words that this module reads; a text without any of them is as it is."""

_DETERMINERS = frozenset(words("the his her its their these those all a an"))
_OPERAND_START = (Kind.NUMBER, Kind.OPEN)
_OPERAND_END = (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT)


def written_out(tokens: list[Token]) -> list[Token]:
    """Return the tokens with the arithmetic that stands there in words as arithmetic."""
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind is Kind.WORD and token.text in SPOKEN:
            at = _spoken(tokens, at, kept)
        else:
            kept.append(token)
            at += 1
    return kept


def _spoken(tokens: Sequence[Token], at: int, kept: list[Token]) -> int:
    """Append to `kept` what the word at `at` means; return where reading goes on."""
    token = tokens[at]
    word = token.text
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    before = kept[-1] if kept else None
    end = at + 1
    if word == "of":
        end = _of(tokens, at, kept)
    elif word == "percent" and before and before.kind is Kind.NUMBER:
        kept.append(token._replace(kind=Kind.PERCENT))
    elif word in ("sqrt", "C") and after and after.kind is Kind.OPEN and not after.spaced:
        end = _choose(tokens, at, kept) if word == "C" else at + 1
        if word == "sqrt":
            kept.append(token._replace(kind=Kind.FUNCTION))
    elif word in _SIGNS and before and before.kind is not Kind.BREAK:
        by = word.endswith("ed")
        follows = tokens[at + 1 + by] if at + 1 + by < len(tokens) else None
        said = follows and follows.kind in _OPERAND_START and (not by or (after and after.text == "by"))
        kept.append(token._replace(kind=Kind.OPERATOR, text=_SIGNS[word]) if said else token)
        end = at + 1 + by if said else end
    elif word in IS and after and after.kind is Kind.NUMBER:
        kept.append(token._replace(kind=Kind.EQUALS))
    else:
        kept.append(token)
    return end


def _of(tokens: Sequence[Token], at: int, kept: list[Token]) -> int:
    """`of` multiplies after a percentage or a fraction and before a number."""
    follows = at + 1
    if follows < len(tokens) and tokens[follows].text in _DETERMINERS:
        follows += 1
    if follows >= len(tokens) or tokens[follows].kind not in _OPERAND_START or not kept:
        kept.append(tokens[at])
        return at + 1
    before = kept[-1]
    part = _part(kept)
    if part or before.kind is Kind.PERCENT or _is_fraction(kept):
        kept.append(tokens[at]._replace(kind=Kind.OPERATOR))
        return follows
    kept.append(tokens[at])
    return at + 1


def _part(kept: list[Token]) -> bool:
    """Turn `half`, `a third` or `two thirds` at the end of `kept` into a number; say whether one stood there."""
    word = kept[-1].text.lower() if kept[-1].kind is Kind.WORD else ""
    count = kept[-2].text.lower() if len(kept) > 1 and kept[-2].kind is Kind.WORD else ""
    if count in _COUNTS and word.rstrip("s") in _PARTS:
        kept[-2:] = [kept[-2]._replace(kind=Kind.NUMBER, text=f"{_COUNTS[count]}/{_PARTS[word.rstrip('s')]}")]
        return True
    if word not in FRACTIONS:
        return False
    kept[-1] = kept[-1]._replace(kind=Kind.NUMBER, text=FRACTIONS[word])
    if count in ("a", "an"):
        kept.pop(-2)
    return True


def _is_fraction(kept: Sequence[Token]) -> bool:
    return (
        len(kept) > 2
        and kept[-1].kind is Kind.NUMBER is kept[-3].kind
        and kept[-2].text == "/"
        and not kept[-2].spaced
        and not kept[-1].spaced
    )


def _choose(tokens: Sequence[Token], at: int, kept: list[Token]) -> int:
    """`C(4, 2)` is a binomial where its brackets hold two numbers."""
    inner = tokens[at + 1 : at + 6]
    kinds = [one.kind for one in inner]
    if kinds[1::2] == [Kind.NUMBER, Kind.NUMBER] and inner[2].text == "," and kinds[4] is Kind.CLOSE:
        kept.append(tokens[at]._replace(kind=Kind.FUNCTION))
        kept.extend((inner[0], inner[1], inner[2]._replace(kind=Kind.OPERATOR), inner[3], inner[4]))
        return at + 6
    kept.append(tokens[at])
    return at + 1
