"""Units beside the numbers of a calculation: what was counted is dropped, what converts is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from selftaught_verifiers.arithmetic.tokens import Kind, Token
from selftaught_verifiers.arithmetic.values import Value
from selftaught_verifiers.text.plain import words

_UNIT_WORDS = 8
GLUED = frozenset(
    words("km cm mm kg mg lb lbs oz ft in hr hrs min mins sec secs ml mph kph cents gb mb am pm th st nd rd")
)
"""Units that stand right behind a number."""

# After a number these join, calculate or scale: what they stand in is more than a unit.
_JOINING = frozenset(
    words(
        "and or plus minus divided multiplied more less fewer greater than half hundred thousand million billion "
        "trillion dozen k x y z n is are was were equals has have had so then squared cubed twice double triple if "
        "because which we he she they it you i but when where since let costs cost gives makes there"
    )
)
_TIMES = frozenset(words("times by to of from groups"))
_LETTERS = frozenset("agmhsl")


def without_units(tokens: list[Token]) -> list[Token]:
    """Drop the words that say what was counted: `5 red apples + 3 apples = 8` becomes `5 + 3 = 8`."""
    kept: list[Token] = []
    add, counts = kept.append, (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT)
    at, length = 0, len(tokens)
    while at < length:
        token = tokens[at]
        add(token)
        at += 1
        if token.kind in counts and at < length and tokens[at].kind in _STARTS:
            at = _after_unit(tokens, at)
    return kept


_STARTS = (Kind.WORD, Kind.OPERATOR, Kind.OPEN)
_ENDS = (Kind.OPERATOR, Kind.EQUALS, Kind.RELATION, Kind.CLOSE)


def _after_unit(tokens: Sequence[Token], at: int) -> int:
    """Where the unit that starts at `at` ends; `at` itself where none stands before an operator or an equals sign."""
    end = at
    while end < len(tokens) and end - at < 2 * _UNIT_WORDS:
        token = tokens[end]
        if token.kind is Kind.WORD:
            if not _is_unit(token, first=end == at):
                break
            end += 1
        elif token.text in ("/", "-") and _word_follows(tokens, end, first=end == at):
            end += 2
        elif token.kind is Kind.OPEN and (close := _remark(tokens, end)):
            end = close
        else:
            break
    if end < len(tokens) and end > at and tokens[end].text == "^" and tokens[end - 1].kind is Kind.WORD:
        end += 2  # cm^2
    return end if end < len(tokens) and tokens[end].kind in _ENDS else at


def _word_follows(tokens: Sequence[Token], at: int, *, first: bool) -> bool:
    """`5/hour`, `60-minute`, `aunt/uncle`: a sign that joins a word to a unit."""
    if at + 1 >= len(tokens) or tokens[at + 1].kind is not Kind.WORD:
        return False
    joined = first and not tokens[at].spaced and not tokens[at + 1].spaced and len(tokens[at + 1].text) > 2
    unit = len(tokens[at + 1].text) > 1 or tokens[at + 1].text in _LETTERS
    return (tokens[at].text == "/" and unit) or joined


def _remark(tokens: Sequence[Token], at: int) -> int:
    """Where `(all balls in one box)` behind a number ends, 0 where the brackets hold anything else."""
    inner = 0
    for end in range(at + 1, min(at + 10, len(tokens))):
        token = tokens[end]
        if token.kind is Kind.CLOSE:
            return end + 1 if inner >= 2 and tokens[at].spaced else 0
        if token.kind is Kind.WORD and len(token.text) > 1:
            inner += 1
        elif token.kind is not Kind.NUMBER or end > at + 1:
            return 0
    return 0


def _is_unit(word: Token, *, first: bool) -> bool:
    lower = word.text.lower()
    if not word.spaced and first:
        return lower in GLUED
    if first and lower in _TIMES and lower != "of":
        return False
    return lower not in _JOINING and lower not in ("times", "by") and (len(lower) > 1 or lower in _LETTERS)


# -- conversions -----------------------------------------------------------------------------------------------------

# Each line holds the units of one dimension with their sizes in the first of them; a month and a year have several.
_TABLE = """
second=1 minute=60 hour=3600 day=86400 week=604800 month=2592000,2678400,2419200,2628000
  year=31536000,31104000,31449600,31557600,31622400 decade=315360000
millimeter=1 centimeter=10 meter=1000 kilometer=1000000
inch=1 foot=12 yard=36 mile=63360
milligram=1 gram=1000 kilogram=1000000 ton=1000000000
ounce=1 pound=16 ton=32000
cup=1 pint=2 quart=4 gallon=16 tablespoon=1/16 teaspoon=1/48 ounce=1/8
milliliter=1 centiliter=10 liter=1000
cent=1 nickel=5 dime=10 quarter=25 dollar=100
one=1 pair=2 dozen=12 hundred=100 thousand=1000 million=1000000 billion=1000000000
"""
_NAMES = {
    alias: name
    for name, aliases in {
        "second": "s sec", "minute": "min", "hour": "h hr", "millimeter": "mm millimetre", "centimeter": "cm centimetre",
        "meter": "m metre", "kilometer": "km kilometre", "inch": "inche", "foot": "ft feet", "mile": "mi",
        "milligram": "mg", "gram": "g", "kilogram": "kg", "ounce": "oz", "pound": "lb", "milliliter": "ml millilitre",
        "centiliter": "cl", "liter": "l litre", "cent": "\u00a2 pennie penny", "dollar": "$", "century": "centurie",
    }.items()
    for alias in aliases.split()
}  # fmt: skip


def _sizes() -> dict[str, dict[int, tuple[Fraction, ...]]]:
    """Unit to {dimension: its sizes}."""
    sizes: dict[str, dict[int, tuple[Fraction, ...]]] = {}
    for dimension, line in enumerate(_TABLE.strip().replace("\n  ", " ").splitlines()):
        for entry in line.split():
            name, _, values = entry.partition("=")
            if values:
                sizes.setdefault(name, {})[dimension] = tuple(map(Fraction, values.split(",")))
    return sizes


_SIZES = _sizes()
_MEASURE = re.compile(r"[A-Za-z]+|[$\u00a2]")
_SCALES = frozenset(map(Fraction, (10**3, 10**6, 10**9)))


def _measures(text: str) -> list[str]:
    """The units of measure that `text` names, each once."""
    found: dict[str, None] = {}
    for match in _MEASURE.finditer(text.lower()):
        for word in (match[0], match[0].rstrip("s")):
            name = _NAMES.get(word, word)
            if name in _SIZES:
                found[name] = None
                break
    return list(found)[:8]


def converts(one: Value, other: Value, quote: str, *, sums: bool) -> bool:
    """Whether the units in a quote and the ratio of its sides say that the unit changed: `3 * 20 minutes = 1 hour`.

    Args:
        one: the value of the left side.
        other: the value of the right side.
        quote: the equation with its units.
        sums: whether it adds or subtracts, which mixes units: `4 pounds - 6 ounces = 58 ounces`.
    """
    if not one or not other:
        return False
    ratio = abs(Fraction(one) / other)
    if 1 / ratio in _SCALES:
        return True  # losses of 5 thousand a day: 5 * 3 = $15,000
    ratio = max(ratio, 1 / ratio)
    units = _measures(quote)
    for unit in units:
        for dimension, sizes in _SIZES[unit].items():
            others = [_SIZES[name][dimension] for name in units if name != unit and dimension in _SIZES[name]]
            if others and sums:
                return True
            if any(max(a / b, b / a) == ratio for group in others for a in group for b in sizes):
                return True
    return ratio in (12, 100) and any(unit in ("dozen", "hundred") for unit in units)
