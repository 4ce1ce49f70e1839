"""Numbers that a question gives, as values: in digits, in words, as fractions, percentages, ordinals and clock times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from selftaught_verifiers.arithmetic.values import NotArithmetic, Value, divide, number_value, simple
from selftaught_verifiers.text.plain import unify, without_latex, words

MAX_LENGTH = 20_000
"""Characters of a question that are read."""

MAX_NUMBERS = 400
"""Numbers of a question that are read."""

_SMALL = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = words("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "k": 1000}
_MEANT: dict[str, tuple[Value, ...]] = (
    {word: (value,) for value, word in enumerate(_SMALL)}
    | {word: (10 * value,) for value, word in enumerate(_TENS, start=2)}
    | {word: (value, Fraction(1, value)) for value, word in enumerate(_ORDINALS, start=1)}
    | {
        "half": (2, Fraction(1, 2)),
        "halves": (2, Fraction(1, 2)),
        "halved": (2, Fraction(1, 2)),
        "quarter": (4, Fraction(1, 4), 25, 15),
        "once": (1,),
        "twice": (2,),
        "double": (2,),
        "doubles": (2,),
        "doubled": (2,),
        "couple": (2,),
        "pair": (2,),
        "twin": (2,),
        "both": (2,),
        "thrice": (3,),
        "triple": (3,),
        "tripled": (3,),
        "trio": (3,),
        "quadruple": (4,),
        "dozen": (12,),
        "score": (20,),
        "century": (100,),
        "decade": (10,),
        "hundred": (100,),
        "thousand": (1000,),
        "million": (10**6,),
        "billion": (10**9,),
    }
)
_PLURALS = {f"{word}s": values for word, values in _MEANT.items()}
MEANT = _PLURALS | _MEANT
"""What a word can stand for in a calculation: `third` for 3 and 1/3."""

_LEXEME = re.compile(
    r"(?P<number>\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?(?P<below>\d{1,9}(?![\d.])))?(?P<percent>\s?(?:%|percent))?"
    r"|(?P<word>[a-z]+)"
)


@lru_cache(maxsize=64)
def question_numbers(text: str) -> frozenset[Value]:
    """Return the values that `text` gives to calculate with, and what they stand for: 20% for 0.2, 0.8, 1.2, 80, 120."""
    found: set[Value] = set()
    for _, given in zip(range(MAX_NUMBERS), _given(without_latex(unify(text[:MAX_LENGTH])).lower()), strict=False):
        found.update(given)
    return frozenset(found)


def _given(text: str) -> Iterator[tuple[Value, ...]]:
    spoken: Value | None = None  # a number in words that may go on: "two hundred and five"
    last: Value | None = None
    for match in _LEXEME.finditer(text):
        word = match["word"]
        if word is None:
            spoken = None
            values = _digits(match)
            last = values[0] if values else None
            yield values
            continue
        if word in _SCALES and last is not None:
            last = last * _SCALES[word]
            spoken = last
            yield (last,)
        elif word == "and":
            continue
        elif word in MEANT:
            values = MEANT[word]
            joined = _joined(spoken, values[0])
            spoken = last = joined if joined is not None else values[0]
            yield values if joined is None else (*values, joined)
        elif word in ("percent", "percentage") and last is not None:
            yield _percent(last)
        else:
            spoken = last = None


def _joined(spoken: Value | None, value: Value) -> Value | None:
    """`twenty` and `five`, `two hundred` and `five`; None where the two are apart."""
    if spoken is None or value.denominator != 1 or spoken.denominator != 1:
        return None
    return spoken + value if (spoken % 100 == 0 or (spoken % 10 == 0 and value < 10)) and 0 < value < spoken else None


def _digits(match: re.Match[str]) -> tuple[Value, ...]:
    try:
        value = number_value(match["number"].rstrip(",").lstrip("0") or "0")
        if match["below"]:
            return _fraction(value, int(match["below"]))
    except (NotArithmetic, ValueError):
        return ()
    return _percent(value) if match["percent"] else (value,)


def _percent(value: Value) -> tuple[Value, ...]:
    share = simple(Fraction(value) / 100)
    return (value, share, 1 - share, 1 + share, 100 - value, 100 + value)


def _fraction(above: Value, below: Value) -> tuple[Value, ...]:
    part = divide(above, below)
    return (part, above, below, below - above, below + above, 1 - part, 1 + part)
