"""Units of measure: which are compatible, and how many of one make another, exactly.

A small table of the units that answers state; what it does not know is a word that equals only itself. Temperatures are not
converted (their zeros differ), currencies neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from selftaught_verifiers.text.plain import words


@dataclass(frozen=True, slots=True)
class Measure:
    """A unit of measure.

    Attributes:
        factor: how many of the dimension's base unit it is.
        dimensions: base dimension and power, sorted.
    """

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]


# Dimension: "names factor; ...". One dimension where units convert exactly; a month is no number of days.
_UNITS = {
    "length": "m meter metre 1; km kilometer kilometre 1000; cm centimeter centimetre 0.01; mm millimeter millimetre 0.001; "
    "dm decimeter decimetre 0.1; um micrometer micron 0.000001; nm nanometer nanometre 0.000000001; in inch 0.0254; "
    "ft foot feet 0.3048; yd yard 0.9144; mi mile 1609.344",
    "mass": "g gram gramme 1; kg kilogram kilo 1000; mg milligram 0.001; t ton tonne 1000000; "
    "lb pound 453.59237; oz ounce 28.349523125",
    "volume": "l liter litre 1; ml milliliter millilitre cc 0.001; cl centiliter 0.01; dl deciliter 0.1; "
    "gal gallon 3.785411784; "
    "qt quart 0.946352946; pt pint 0.473176473; cup 0.2365882365; tbsp tablespoon 0.01478676478125; "
    "tsp teaspoon 0.00492892159375",
    "time": "s sec second 1; ms millisecond 0.001; min minute 60; h hr hour 3600; d day 86400; "
    "wk week 604800; fortnight 1209600",
    "month": "month 1; yr year 12; decade 120; century 1200",
    "usd": "usd dollar $ 1; cent penny \u00a2 0.01; dime 0.1; nickel 0.05",
    "euro": "euro eur \u20ac 1", "gbp": "gbp \u00a3 1", "yen": "yen jpy \u00a5 1",
    "rupee": "rupee inr rs \u20b9 1", "yuan": "yuan rmb cny 1",
    "angle": "deg degree \u00b0 1", "radian": "rad radian 1",
    "celsius": "celsius \u00b0c c 1", "fahrenheit": "fahrenheit \u00b0f f 1",
    "kelvin": "kelvin 1", "power": "watt 1; kw kilowatt 1000", "energy": "j joule 1; kj kilojoule 1000; kwh 3600000",
    "voltage": "v volt 1", "current": "amp ampere 1", "force": "n newton 1; kn kilonewton 1000",
    "pressure": "pa pascal 1; kpa 1000; atm 101325",
    "frequency": "hz hertz 1; khz 1000", "heat": "calorie cal 1; kcal 1000", "amount": "mol mole 1; mmol 0.001",
    "resistance": "ohm 1", "acre": "acre 1", "hectare": "ha hectare 1", "data": "byte 1",
}  # fmt: skip


def _table() -> dict[str, tuple[Fraction, str]]:
    found = {}
    for dimension, units in _UNITS.items():
        for unit in units.split(";"):
            *names, factor = unit.split()
            found |= dict.fromkeys(names, (Fraction(factor), dimension))
    return found


_TABLE = _table()
_COMPOUND = {
    "mph": "mi/h",
    "kph": "km/h",
    "kmh": "km/h",
    "kmph": "km/h",
    "fps": "ft/s",
    "mps": "m/s",
    "sqft": "ft^2",
    "sqm": "m^2",
}
_DEGREES = re.compile(r"\b(?:degrees? |deg )(celsius|fahrenheit|c|f)\b")
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_PART = re.compile(r"([a-z\u00b0\u00a2\u00a3\u00a5\u20ac\u20b9$]+)\.?(?:\^?(-?[1-3]))?")


@lru_cache(maxsize=2048)
def measure(unit: str) -> Measure | None:
    """Return what a unit measures ("km", "square foot", "m/s^2", "miles per hour"), None where the table does not know it."""
    text = unit.strip().lower()
    if not text or len(text) > 60:
        return None
    text = _DEGREES.sub(r"\1", text)
    text = _COMPOUND.get(text, text).replace(" per ", "/").replace(" / ", "/")
    factor = Fraction(1)
    dimensions: dict[str, int] = {}
    sign, power = 1, 0
    last: tuple[Fraction, str] | None = None  # the unit that "squared" would follow
    for part in re.findall(r"/|[^\s/*\u00b7]+", text):
        if part == "/":
            sign, last = -1, None
            continue
        if part in ("square", "sq", "sq.", "cubic", "cu", "cu."):
            power = _POWERS[part.rstrip(".")]
            continue
        if part in ("squared", "cubed") and last is not None:
            more = _POWERS[part] - 1
            factor *= last[0] ** (sign * more)
            dimensions[last[1]] = dimensions.get(last[1], 0) + sign * more
            continue
        match = _PART.fullmatch(part)
        found = _known(match[1]) if match else None
        if match is None or found is None:
            return None
        exponent = sign * (power or int(match[2] or 1))
        factor *= found[0] ** exponent
        dimensions[found[1]] = dimensions.get(found[1], 0) + exponent
        last, power = found, 0
    if not dimensions or power:
        return None
    if "volume" in dimensions:  # a litre is a cubic decimetre
        litres = dimensions.pop("volume")
        factor *= Fraction(1, 1000) ** litres
        dimensions["length"] = dimensions.get("length", 0) + 3 * litres
    return Measure(factor, tuple(sorted(item for item in dimensions.items() if item[1])))


def _known(word: str) -> tuple[Fraction, str] | None:
    found = _TABLE.get(word)
    if found is None and word.endswith("s") and len(word) > 2:
        found = _TABLE.get(word[:-1])
        if found is None and word.endswith("es"):
            found = _TABLE.get(word[:-2])
    return found


_AFTER = re.compile(
    r"\s?((?:(?:square|cubic|sq|cu)\.?\s)?[A-Za-z\u00b0]+(?:\^?[23])?)"
    r"(\s?(?:/|\bper\b)\s?(?:(?:square|cubic)\s)?[A-Za-z]+(?:\^?[23])?)?"
)
_ALSO_WORDS = frozenset(words("in a b d t n v j rs second cup"))


def unit_at(text: str, at: int) -> str:
    """Return the unit of measure that stands at `at`, "" where there is none that the table knows."""
    match = _AFTER.match(text, at, at + 60)
    if match is None:
        return ""
    if match[2] and measure(match[1] + match[2]) is not None:
        return match[1] + match[2]
    if match[1].lower() in _ALSO_WORDS and not re.match(r"\s?(?:[.,;)]|$)", text[match.end(1) : match.end(1) + 4]):
        return ""  # "5 in all"
    return match[1] if measure(match[1]) is not None else ""


_QUANTITY = r"(\d{1,12}(?:,\d{3})*(?:\.\d{1,9})?)\s?-?([A-Za-z]{1,12})\b\.?"
_QUANTITIES = re.compile(_QUANTITY)
_RUN = re.compile(rf"(?<![\w.]){_QUANTITY}(?:\s?(?:,|and\b|,\s?and\b)?\s?{_QUANTITY}){{1,3}}")


def compounds(text: str) -> list[tuple[int, int, Fraction, str]]:
    """Return the quantities such as `1 hour and 30 minutes`: start, end, amount in the first unit, and that unit."""
    found = []
    for run in _RUN.finditer(text):
        parts = [(Fraction(amount.replace(",", "")), measure(unit)) for amount, unit in _QUANTITIES.findall(run[0])]
        measures = [one for _, one in parts if one is not None]
        if len(measures) < len(parts) or len({one.dimensions for one in measures}) > 1:
            continue
        if any(large.factor <= small.factor for large, small in pairwise(measures)):
            continue
        total = sum(
            (amount * one.factor for amount, one in zip((p[0] for p in parts), measures, strict=True)), Fraction(0)
        )
        unit = _QUANTITIES.match(run[0])
        found.append((run.start(), run.end(), total / measures[0].factor, unit[2] if unit else ""))
    return found
