"""Reading numbers as people and models write them, exactly.

A number is a `Fraction`: 0.1 is one tenth, never a float. Digits and exponents are bounded, so no input is costly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from selftaught_verifiers.text.plain import trim, unify, without_latex, words
from selftaught_verifiers.text.units import measure

MAX_DIGITS = 200
"""Longer digit runs are not read as numbers."""

_MAX_EXPONENT = 300


@dataclass(frozen=True, slots=True)
class Number:
    """A number as stated.

    Attributes:
        value: the number itself; for `10%` it is 10.
        percent: whether a percent sign or word followed.
        unit: what was counted, in a normal form ("km"); "" where nothing stood.
    """

    value: Fraction
    percent: bool = False
    unit: str = ""

    @property
    def readings(self) -> tuple[Fraction, ...]:
        """The values this can stand for: 10% is 0.1, and 10 where percent is understood."""
        return (self.value, self.value / 100) if self.percent else (self.value,)


_LEXEME = r"(?:\d[\d,.]*|\.\d[\d,.]*)"
_CORE = (
    rf"(?P<sign>[-+]?)\s?(?P<currency>[$\u20ac\u00a3\u00a5\u20b9]?)\s?(?P<inner>-?)(?P<number>{_LEXEME})"
    r"(?:\s?[xX*]\s?10\s?\^\s?\{?(?P<power>[-+]?\d{1,4})\}?|[eE](?P<exponent>[-+]?\d{1,4})(?![\w]))?"
    rf"(?:\s?/\s?\(?(?P<below>-?{_LEXEME})\)?|\s(?P<top>\d{{1,9}})/(?P<bottom>\d{{1,9}}))?"
)
_WHOLE = re.compile(_CORE + r"(?P<rest>.*)", re.DOTALL)
_INSIDE = re.compile(
    r"(?<![A-Za-z0-9_.^])(?P<minus>(?:(?<![)\]])-)?)"
    + _CORE.replace(r"(?P<sign>[-+]?)\s?", "(?P<sign>)")
    + r"(?P<rest>\s?%|\s(?:percent|thousand|million|billion)\b|[kK]\b)?"
)
_GROUPED = (
    (re.compile(r"\d+(?:\.\d*)?|\.\d+"), "", ""),
    (re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"), ",", ""),
    (re.compile(r"0,\d+|\d+,\d{1,2}"), "", ","),
    (re.compile(r"[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?"), ",", ""),
    (re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+"), ".", ","),
    (re.compile(r"[1-9]\d{0,2}\.\d{3}(?:\.\d{3})+"), ".", ""),
)
_SPACED = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:[ \u202f]\d{3})+)(?![\d,/])")
_VARIABLE = re.compile(r"[A-Za-z](?:_?\w)?\s?(?:=|\u2248)\s?")
_ABOUT = re.compile(r"(?:about|approximately|roughly|exactly|approx\.?|around|\u2248|~|=)\s?", re.IGNORECASE)


def parse_decimal(lexeme: str) -> Fraction | None:
    """Return the value of digits with separators and a decimal point or comma, None where they do not fit."""
    lexeme = lexeme.rstrip(".,")
    if lexeme.isdecimal() and len(lexeme) <= MAX_DIGITS:
        return Fraction(int(lexeme))
    if len(lexeme) > MAX_DIGITS:
        return None
    for pattern, thousands, decimal in _GROUPED:
        if pattern.fullmatch(lexeme):
            plain = lexeme.replace(thousands, "") if thousands else lexeme
            return Fraction(plain.replace(decimal, ".") if decimal else plain)
    return None


def _value(match: re.Match[str]) -> Fraction | None:
    """The value of a core match: sign, digits, exponent, fraction or mixed number."""
    value = parse_decimal(match["number"])
    power = match["power"] or match["exponent"]
    if value is None or (power and abs(int(power)) > _MAX_EXPONENT):
        return None
    if power:
        value *= Fraction(10) ** int(power)
    if match["below"]:
        value = _divide(value, parse_decimal(match["below"].lstrip("-")))
        value = -value if value is not None and match["below"].startswith("-") else value
    elif match["top"]:
        part = _divide(Fraction(int(match["top"])), Fraction(int(match["bottom"])))
        value = value + part if part is not None and value.denominator == 1 and part < 1 else None
    if value is None:
        return None
    return -value if (match["sign"] == "-") != (match["inner"] == "-") else value


def _divide(above: Fraction, below: Fraction | None) -> Fraction | None:
    return above / below if below else None


_PERCENT = {"%", "percent", "pct", "percentage", "per cent", "percents"}
_SCALES = {
    "k": 10**3,
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_UNIT = re.compile(r"[A-Za-z\u00b5\u00e9\u20ac\u00a3\u00a5\u00a2\u20b9/%-]+(?:\^-?\d)?")
# A word that joins, negates or calculates is no unit; neither is a lone letter that names an unknown.
_NO_UNIT = frozenset(
    words(
        "or and to through not but maybe perhaps plus minus times more less over between until versus vs x y z n i e "
        "pi of is are was equals half squared cubed remainder am pm"
    )
)
_SYNONYMS = {
    long: short
    for short, names in {
        "km": "kilometer kilometre", "m": "meter metre", "cm": "centimeter centimetre", "mm": "millimeter millimetre",
        "kg": "kilogram", "g": "gram", "h": "hour hr", "min": "minute", "s": "second sec", "ft": "foot feet",
        "in": "inch inches", "mi": "mile", "lb": "pound lbs", "oz": "ounce", "l": "liter litre", "usd": "dollar",
        "euro": "\u20ac eur", "gbp": "\u00a3", "yen": "\u00a5", "rupee": "\u20b9",
    }.items()
    for long in names.split()
}  # fmt: skip


_CURRENCY = {"$": "usd"}
# One dollar sign is a currency, two are LaTeX's.
_DOLLARS = re.compile(r"[^$]{0,20}-?\\?\$\s?-?[\d.][^$]*\Z|\$?-?\s?\\\$")


def _read_unit(rest: str) -> str | None:
    """The normal form of a unit, "" for none, None where `rest` is something else than a unit."""
    parts = rest.replace("(", " ").replace(")", " ").split()
    if len(parts) > 4 or len(rest) > 60:
        return None
    units = []
    for word in (part.strip(".,;") for part in parts):
        if not word:
            continue
        if not _UNIT.fullmatch(word) or word.lower().partition("^")[0].replace(".", "") in _NO_UNIT:
            return None
        units.append(_singular(word.lower()))
    return " ".join(unit for unit in units if unit)


def _singular(word: str) -> str:
    word = _SYNONYMS.get(word, word)
    if "/" in word:
        return word
    stem = word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us")) else word
    return _SYNONYMS.get(stem, stem)


def read_number(text: str) -> Number | None:
    """Read `text` as one number with an optional currency, percent sign or unit; None where it is anything else.

    Understands signs, thousands separators, decimal commas, fractions, mixed numbers, `x = 5`, scientific notation,
    `70k`, `1.5 million` and number words.
    """
    if len(text) > 4 * MAX_DIGITS:
        return None
    text = unify(text)
    if spoken := _SPOKEN.match(text):
        return _read_spoken(text, spoken)
    plain = _unwrap(_without_lead(without_latex(text)))
    spaced = _SPACED.fullmatch(plain)
    if spaced:
        plain = "".join(plain.split())
    match = _WHOLE.match(plain)
    if match is None:
        return _read_words(plain)
    value = _value(match)
    if value is None:
        return None
    return _with_rest(value, match["rest"], match["currency"] or ("$" if "$" in text and _DOLLARS.match(text) else ""))


_SPOKEN = re.compile(
    r"(?P<minus>\s*(?:negative|minus)\s)|(?P<whole>[^.;\n]{1,40}?)\sand\s(?:a|one)\s(?P<part>half|quarter|third)\b",
    re.IGNORECASE,
)


def _read_spoken(text: str, match: re.Match[str]) -> Number | None:
    """`minus five` and `two and a half hours`."""
    rest = text[match.end() :]
    if match["minus"]:
        number = None if _SPOKEN.match(rest) and rest[:1] in "nNmM" else read_number(rest)
        return replace(number, value=-number.value) if number else None
    number = read_number(match["whole"])
    unit = _read_unit(trim(rest))
    if number is None or unit is None or number.percent or number.value.denominator != 1 or number.value < 0:
        return None
    return Number(number.value + _PARTS[match["part"].lower()], unit=number.unit or unit)


def _without_lead(text: str) -> str:
    """`text` without `x =`, `about` and the punctuation at its edges; a leading point stays, `.4` is a number."""
    point = re.match(r"[\s*_`\"'(]*\.\d", text)
    text = "." + trim(text) if point else trim(text)
    if text[:1].isdecimal():
        return text
    for lead in (_VARIABLE, _ABOUT):
        match = lead.match(text)
        text = text[match.end() :] if match else text
    return text


def _unwrap(text: str) -> str:
    """`(-5)` is -5, but (0,9) is a pair."""
    if len(text) > 2 and text[0] == "(" and text[-1] == ")" and "(" not in text[1:]:
        inner = text[1:-1].strip()
        tail = inner.partition(",")[2]
        return text if "," in inner and not (len(tail) == 3 and tail.isdecimal()) else inner
    return text


_PRODUCT = re.compile(r"[a-z]{1,3}(?:\^-?\d)?")


def _with_rest(value: Fraction, rest: str, currency: str = "") -> Number | None:
    glued = bool(rest) and rest[0].isalpha()
    rest = rest.strip()
    lower = rest.lower()
    if glued and _PRODUCT.fullmatch(lower) and lower not in _SCALES and measure(lower) is None:
        return None  # 18a and 3xy are products
    if lower in _PERCENT:
        return Number(value, percent=True)
    head, _, tail = lower.partition(" ")
    if head in _SCALES and (head != "k" or glued):
        value, rest = value * _SCALES[head], tail
    unit = _read_unit(f"{_CURRENCY.get(currency, currency)} {rest}" if currency else rest)
    return None if unit is None else Number(value, unit=unit)


_SMALL = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_WORD_VALUES: dict[str, int] = {word: n for n, word in enumerate(_SMALL)} | {
    word: 10 * n for n, word in enumerate(_TENS, start=2)
}


_CHINESE = {char: n for n, char in enumerate("\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d")} | {
    "\u4e24": 2,
    "\u5341": 10,
    "\u767e": 100,
}


def _read_chinese(text: str) -> Number | None:
    total = digit = 0
    for char in text:
        value = _CHINESE.get(char)
        if value is None:
            return None
        if value >= 10:
            total, digit = total + (digit or 1) * value, 0
        elif digit:
            return None
        else:
            digit = value
    return Number(Fraction(total + digit))


def _read_words(text: str) -> Number | None:
    """Number words, such as "one hundred and five apples", and Chinese numerals up to a thousand."""
    if text[:1] in _CHINESE and len(text) <= 8:
        return _read_chinese(text)
    spoken = text.lower().replace("-", " ").split()[:16]
    if (
        spoken[:1] == ["a"]
        and spoken[1:2]
        and spoken[1] in ("half", "quarter", "third", "fifth", "dozen", "hundred", "thousand", "million")
    ):
        spoken[0] = "one"
    total = current = used = 0
    for word in spoken:
        if word in _WORD_VALUES:
            current += _WORD_VALUES[word]
        elif used and word in ("hundred", "dozen"):
            current *= _SCALES[word]
        elif used and word in ("thousand", "million", "billion"):
            total, current = total + current * _SCALES[word], 0
        elif not (used and word == "and" and used + 1 < len(spoken) and spoken[used + 1] in _WORD_VALUES):
            break
        used += 1
    value = Fraction(total + current)
    part = _PARTS.get(spoken[used]) if used < len(spoken) else None
    if part is not None and used <= 1 and current < 100:
        value, used = (value if used else Fraction(1)) * part, used + 1
        if spoken[used : used + 1] == ["of"] and not any(any(map(str.isdecimal, word)) for word in spoken):
            spoken = spoken[:used]  # two thirds of the cake
    if not used:
        return None
    unit = _read_unit(" ".join(spoken[used:]))
    return None if unit is None else Number(value, unit=unit)


_PARTS: dict[str, Fraction] = {
    name: Fraction(1, n)
    for n, names in {
        2: "half halves", 3: "third thirds", 4: "quarter quarters fourth fourths", 5: "fifth fifths", 6: "sixth sixths",
        8: "eighth eighths", 10: "tenth tenths",
    }.items()
    for name in names.split()
}  # fmt: skip


def find_numbers(text: str) -> Iterator[tuple[int, int, Number]]:
    """Yield every number inside running text with its start and end."""
    for match in _INSIDE.finditer(text):
        value = _value(match)
        if value is None:
            continue
        rest = (match["rest"] or "").strip().lower()
        value = -value if match["minus"] else value
        end = match.end() - (len(match[0]) - len(match[0].rstrip(".,")))
        yield match.start(), end, Number(value * _SCALES.get(rest, 1), percent=rest in _PERCENT)


def parse_number(text: str) -> Fraction | None:
    """Return the exact value of a number written in any usual form, None where `text` is not one number.

    A percentage is its value in hundredths: `10%` is 1/10.
    """
    number = read_number(text)
    return None if number is None else number.readings[-1]


def canonical(value: Fraction) -> str:
    """Write `value` the one way that equal numbers share: `72`, `0.5`, or `1/3` where no decimal ends."""
    if value.denominator == 1:
        return str(value.numerator)
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > 30:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * (10**places // value.denominator)).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
