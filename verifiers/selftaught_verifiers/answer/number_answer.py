"""Reading the number that a final answer states, and comparing numbers."""

from __future__ import annotations

import re
from fractions import Fraction

from selftaught_verifiers.answer.extract import Final
from selftaught_verifiers.answer.numbers import Number, canonical, find_numbers, read_number
from selftaught_verifiers.answer.plain import without_bold, without_latex
from selftaught_verifiers.answer.reading import AMBIGUOUS, NO_ANSWER, SENTENCE_END, Reading, sentence

Found = list[tuple[int, int, Number]]

# After one of these words a further number explains the first: "18 because ...", "220 for 12 months".
_EXPLAINS = re.compile(
    r"[^\d]{0,60}?(?:\b(?:because|since|as|which|where|given|after|when|if|per|each|in|at|for|with|from|by|so)\b"
    r"|\(|\u2248)",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(r"[\s,]*(?:which|because|since|as|so|where|given)\b", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"(?:or|and|to|between|through|but|not|maybe|plus|minus)\b|[,;/~\u2013]|-\s", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|was|equals|be)\b|=", re.IGNORECASE)
# What stands right before or after a number and makes another value of it, or none.
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|between|(?:less|more|greater|fewer|smaller|larger) than|under|over|below|above|up to|minus|plus"
    r"|negative|(?:half|third|quarter|percent|out|root) of|twice|double|triple|times|log|ln|sin|cos|tan"
    r"|sqrt|maybe|or|step|part|question|problem)"
    r"\s{0,2}\(?|[<>\u2264\u2265\u221a\\^*+_]\s{0,2}\(?|\b(?:sqrt|frac|geq?|leq?|gt|lt)\s{0,2}\{)\s{0,2}[$]?\Z",
    re.IGNORECASE,
)
_CHANGED_AFTER = re.compile(
    r"\s?(?:\b(?:dozens?|squared|cubed|out of|percent of|times \d|hundred|pi|plus|minus|or so)\b"
    r"|[\u03c0\u221a!^\\]|:\d|[*+/]|-\s?\d"
    r"|\([^\s)]*\d)|(?![gmhslk])[a-z](?![^\W\d_])",
    re.IGNORECASE,
)


def _changed(text: str, start: int, end: int) -> bool:
    """Whether the number at `start` is only a part of what the text says: `less than 18`, `18 dozen`, `18:30`."""
    return bool(_CHANGED_BEFORE.search(text[max(0, start - 24) : start]) or _CHANGED_AFTER.match(text, end))


_ANNOTATION = re.compile(r"<<[^<>]{0,200}>>")  # GSM8K's calculator marks: $<<9*2=18>>18


def read_final_number(final: Final) -> Reading:
    """Read the number that a final answer states."""
    text = _ANNOTATION.sub("", without_bold(final.text))
    if final.method == "box" and (percent := re.match(r"[\s$}]{0,3}(\\?%|percent|pct)", final.after)):
        text += f" {percent[1]}"
    if final.enclosed or final.method == "hash":
        return _as_reading(_whole(text), _listed(text))
    plain = without_latex(text)
    number = _whole(plain) or _whole(sentence(plain))
    if number is not None:
        return _as_reading(number, NO_ANSWER)
    return _leading(sentence(plain)) if final.strict else _last_number(plain)


def _as_reading(number: Number | None, otherwise: Reading) -> Reading:
    return otherwise if number is None else Reading(_shown(number), number=number)


def _shown(number: Number) -> str:
    return canonical(number.value) + ("%" if number.percent else "")


_SEVERAL = re.compile(r"[,;]\s|\b(?:and|or)\b")


def _whole(text: str) -> Number | None:
    """`text` as one number; of `x = 1/3 \u2248 0.33` the exact one, of `3 + 4 = 7` the result."""
    number = read_number(text)
    if number is not None or not ("=" in text or "\u2248" in text or "\\approx" in text):
        return number
    exact = without_latex(text).split("\u2248")
    if text.count("=") > 1 and _SEVERAL.search(text):
        return None  # x = 18, y = 20
    for part in exact if len(exact) <= 3 else ():
        number = read_number(part.rpartition("=")[2])
        if number is not None:
            return number
    return None


def _listed(text: str) -> Reading:
    """A marked answer that is no single number: several numbers are ambiguous, anything else is no number."""
    return AMBIGUOUS if _two_values(text) else NO_ANSWER


def _two_values(text: str) -> bool:
    first = None
    for _, _, number in find_numbers(text):
        if first is not None and number.value != first:
            return True
        first = number.value
    return False


def _leading(text: str) -> Reading:
    """The number of a sentence such as "18 eggs because 16 - 3 = 13" or "The volume of ABCD is 120"."""
    found = list(find_numbers(text))
    if not found:
        return NO_ANSWER
    verb = _IS.search(text)
    if verb and verb.start() < found[-1][0] and (found[0][0] > verb.end() or "=" in text):
        if "=" in text:
            return _as_reading(_whole(text), AMBIGUOUS if _two_values(text) else _first(text, found))
        found = [item for item in found if item[0] >= verb.end()]
    return _first(text, found)


def _first(text: str, found: Found) -> Reading:
    start, end, number = found[0]
    if _changed(text, start, end):
        return AMBIGUOUS
    others = [item for item in found[1:] if item[2].value != number.value]
    gap = text[end : others[0][0]] if others else ""
    if gap and not _AT_ONCE.match(gap) and (_ALTERNATIVE.match(gap.strip()) or not _EXPLAINS.match(gap)):
        return AMBIGUOUS
    return _as_reading(number, NO_ANSWER)


_SPRAY = 5
_LISTED = re.compile(r"[\s,;/]*(?:(?:or|and|to|\u2013)\s*)?", re.IGNORECASE)
_TUPLE = re.compile(r"[\[({]\s?\Z")


def _last_number(line: str) -> Reading:
    """The last number of an unmarked last line, or what its last equals sign says; no list, range or spray counts."""
    result = line.rpartition("=")[2] if "=" in line else ""
    after = list(find_numbers(result))
    if after and not SENTENCE_END.search(result, 0, after[-1][0]):
        return _first(result, after)
    found = list(find_numbers(line))
    if not found:
        return NO_ANSWER
    start, end, number = found[-1]
    if _changed(line, start, end) or (
        _TUPLE.search(line[:start]) and not (len(found) == 1 and line[end : end + 1] == ")")
    ):
        return AMBIGUOUS
    if len(found) > 1 and number != found[-2][2] and _LISTED.fullmatch(line[found[-2][1] : start]):
        return AMBIGUOUS
    if len(found) > _SPRAY and not re.search(r"[A-Za-z=]", line):
        return AMBIGUOUS
    return _as_reading(number, NO_ANSWER)


def same_number(gold: Number, answer: Number) -> bool:
    """Whether two numbers state the same value, exactly; 10% states both 10 and 0.1; unlike units differ."""
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    if gold.percent and answer.percent:
        return gold.value == answer.value
    return any(one == other or _rounds(one, other) for one in gold.readings for other in answer.readings)


_ENOUGH_PLACES = 6


def _rounds(one: Fraction, other: Fraction) -> bool:
    """Whether one is a fraction that no decimal writes and the other that fraction to six places or more."""
    for exact, decimal in ((one, other), (other, one)):
        exact_form, decimal_form = canonical(exact), canonical(decimal)
        places = len(decimal_form.partition(".")[2])
        if "/" in exact_form and "/" not in decimal_form and places >= _ENOUGH_PLACES:
            return abs(exact - decimal) < Fraction(1, 10**places)
    return False
