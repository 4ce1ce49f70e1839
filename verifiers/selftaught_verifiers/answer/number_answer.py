"""Reading the number that a final answer states, and comparing numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from selftaught_verifiers.answer.reading import AMBIGUOUS, NO_ANSWER, SENTENCE_END, Reading, sentence
from selftaught_verifiers.text.extract import Final
from selftaught_verifiers.text.numbers import Number, canonical, find_numbers, read_number
from selftaught_verifiers.text.plain import without_bold, without_latex
from selftaught_verifiers.text.units import compounds, measure, unit_at

Found = list[tuple[int, int, Number]]

# After one of these words a further number explains the first: "18 because ...", "220 for 12 months".
_EXPLAINS = re.compile(
    r"[^\d]{0,60}?(?:\b(?:because|since|as|which|where|given|after|when|if|per|each|in|at|for|with|from|by|so|of|out of|over"
    r"|car|puisque|pour|en|dans|par|apr\u00e8s|avec|d'ici|porque|para|por|despu\u00e9s|con|weil|nach|f\u00fcr|pro|mit|da)\b"
    r"|\(|\u2248)",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(r"[\s,(]*(?:not|rather than|instead of|which|because|since|as|so|where|given)\b", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"(?:or|and|to|between|through|but|not|maybe|plus|minus)\b|[,;/~\u2013]|-\s", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|was|equals|be)\b|=", re.IGNORECASE)
# What stands right before or after a number and makes another value of it, or none.
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|(?:cannot|not|n't) be|\w+n't be|between|(?:less|more|greater|fewer|smaller|larger) than"
    r"|under|over|below|above|up to|minus|plus"
    r"|nicht|no es|no son|n'est pas|ne sont pas|n\u00e3o \u00e9|non \u00e8|such as|e\.g\.,?"
    r"|negative|(?:half|third|quarter|percent|out|root) of|twice|double|triple|times|log|ln|sin|cos|tan"
    r"|sqrt|maybe|either|or|nor|step|part|question|problem)"
    r"\s{0,2}\(?|[<>\u2264\u2265\u2260\u221a\u00b1\\^*+_]\s{0,2}\(?|[\w)}]\s?/\s?|\\(?:pm|mp|ne|neq|geq?|leq?|[gl]eqslant|gt|lt)\s{0,2}|\b[A-Za-z]\(|\b(?:sqrt|frac|geq?|leq?|gt|lt)\s{0,2}\{"
    r"|\u4e0d\u662f|\u5e76\u975e|\u043d\u0435)\s{0,2}[$]?\Z",
    re.IGNORECASE,
)
_CHANGED_AFTER = re.compile(
    r"\s?(?:\b(?:dozens?|squared|cubed|out of|percent of|times \d|hundred|pi|plus|minus|or so"
    r"|or (?:more|less|fewer|higher|lower|above|below)|and a (?:bit|little|half|quarter))\b"
    r"|(?:st|nd|rd|th)\s(?:of\b|(?-i:[A-Z]))"
    r"|[\u03c0\u221a\u2030^\\]|!(?!\s|$)|:\d|[*+/]|-\s?\d"
    r"|\u3067\u306f(?:\u306a|\u3042\u308a\u307e\u305b\u3093)|\u3058\u3083\u306a|(?:\uc774|\uac00) \uc544\ub2d9\ub2c8\ub2e4"
    r"|\([^\s)]*\d)|(?![gmhslk])[a-z](?![^\W\d_])",
    re.IGNORECASE,
)


def _changed(text: str, start: int, end: int) -> bool:
    """Whether the number at `start` is only a part of what the text says: `less than 18`, `18 dozen`, `18:30`."""
    return bool(_CHANGED_BEFORE.search(text[max(0, start - 24) : start]) or _CHANGED_AFTER.match(text, end))


_ANNOTATION = re.compile(r"<<[^<>]{0,200}>>")  # GSM8K's calculator marks: $<<9*2=18>>18


_BECAUSE = re.compile(r"[\s,]\(?(?:because|since|where|given that|weil|car|porque)\b", re.IGNORECASE)
_LIST_MARK = re.compile(r"^\s*\d{1,2}[.)]\s+(?=[A-Za-z*])")
_LEAD = re.compile(
    r"^\s*(?:so |thus |hence |therefore,? )?(?:the )?(?:result|total|value|sum|solution|res|ans)\s?(?:is |[:=\uff1a])\s?",
    re.IGNORECASE,
)


def read_final_number(final: Final) -> Reading:
    """Read the number that a final answer states."""
    text = _ANNOTATION.sub("", without_bold(final.text))
    if final.method == "box" and (percent := re.match(r"[\s$}]{0,3}(\\?%|percent|pct)", final.after)):
        text += f" {percent[1]}"
    if final.enclosed or final.method == "hash":
        return _as_reading(_whole(text), _listed(text))
    if not final.strict:
        text = _LIST_MARK.sub("", _LEAD.sub("", text))
    elif not final.enclosed and (reason := _BECAUSE.search(text)) and any(map(str.isdecimal, text[: reason.start()])):
        text = text[: reason.start()]
    # Of a line that nothing marks the first sentence is not the last word.
    first = sentence(text) if final.strict else text
    number = _whole(first) or (_whole(text) if first != text else None)
    if number is not None:
        return _as_reading(number, NO_ANSWER)
    plain = without_latex(text)
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


_CONDITION = re.compile(r"(?:\s\w{1,15})?,?\s\(?(?:if|when|for|otherwise)\b", re.IGNORECASE)
_OTHERWISE = re.compile(r"\b(?:otherwise|or else|or (?:maybe|perhaps|possibly))\b", re.IGNORECASE)


def _first(text: str, found: Found) -> Reading:
    start, end, number = found[0]
    if _changed(text, start, end):
        return AMBIGUOUS
    others = [item for item in found[1:] if item[2].value != number.value]
    gap = text[end : others[0][0]] if others else ""
    if _OTHERWISE.search(gap) or (gap and _CONDITION.match(gap) and _CONDITION.match(text, others[0][1])):
        return AMBIGUOUS
    if gap and not _AT_ONCE.match(gap) and (_ALTERNATIVE.match(gap.strip(" (")) or not _EXPLAINS.match(gap)):
        return AMBIGUOUS
    return _with_unit(text, start, end, number)


def _with_unit(text: str, start: int, end: int, number: Number) -> Reading:
    """The number with the unit of measure that stands beside it, so that 5 miles is not 5 km."""
    unit = unit_at(text, end) if not number.percent else ""
    if not unit and start and text[start - 1] in "\u20ac\u00a3\u00a5$":
        unit = {"$": _MONEY}.get(text[start - 1], text[start - 1])
    return _as_reading(replace(number, unit=unit.casefold()) if unit else number, NO_ANSWER)


# "The answer is 9. Upon review, it is 10."
_ANOTHER = re.compile(
    r"(?:^|[.!?;,\u2014\u2013-]\s)(?:[A-Za-z' ]{1,40},\s|(?:in fact|but|so|and|then)\s|[A-Za-z\d' ]{1,40}(?= to get))?"
    r"(?:(?:it|that|this|(?:the|my) (?:correct |right |actual |real |true |final )?(?:answer|result|total|value))"
    r"(?:'s| is| was| should be| must be| equals)\s(?:\w{1,10}\s)?|(?:i|we| to) (?:get|got|mean|meant|say)\s| to get\s"
    r"|(?:update|fix|corrected|revised)[:,]\s)?"
    r"(?P<number>[$]?-?\d[\d.,]{0,15})(?!\s?%)\W{0,8}(?:\n|\Z)",
    re.IGNORECASE,
)


def corrected(final: Final, number: Number) -> bool:
    """Whether what follows a marked answer, in its line or the next lines, ends on another number as the answer."""
    if final.method not in ("phrase", "box"):
        return False
    text = ("" if final.enclosed else final.text) + final.after[:300]
    if len(text) < 8 or not re.search(r"[.!?;,\u2014\u2013-]\s", text):
        return False
    others = (read_number(match["number"].rstrip(".,")) for match in _ANOTHER.finditer(text))
    return any(other is not None and other.value != number.value for other in others)


_SPRAY = 5
_LISTED = re.compile(r"(?:[\s,;/\u2026]|\.(?=\.)|(?<=\.)\.)*(?:(?:or|and|to|\u2013)\s*)?", re.IGNORECASE)
_COUNTED = re.compile(r"\s[A-Za-z]+(?:\s[a-z]+)?,?\s(?:and|or)\s\$?", re.IGNORECASE)  # 5 apples and 3 oranges
_TUPLE = re.compile(r"[\[({]\s?\Z")


# What only explains the number before it: "$80 after a 20% discount", "48 pens (12 per box)".
_ASIDE = re.compile(
    r"(?<=[^\s(])\s(?:(?:after|with|at|including|minus|plus|less|from|before)\s(?:an?\s|the\s|another\s)?"
    r"\d[\d.]{0,8}\s?(?:%|percent)\s(?:\w{1,12}\s)?(?:discount|off|tax|tip|interest|increase|decrease|markup|reduction|raise"
    r"|rate|commission|fee|loss|profit|sale)"
    r"|\((?!or\b|=|not\b)[A-Za-z\d\s%.$*/+-]{0,80}\b(?:per|each|every)\b[^()\d]{0,40}\))"
    r"[\s.!]*\Z",
    re.IGNORECASE,
)
_CALLED = re.compile(r"[A-Za-z_]\([\"'][^()]{0,60}\Z")  # a string that a program is given
_ARROW = re.compile(r"^\s*(?:[=-]>|[\u2192\u21d2\u2234])\s?")


def _without_aside(line: str) -> str:
    aside = _ASIDE.search(line)
    return line[: aside.start()] if aside and re.search(r"\d", line[: aside.start()]) else line


def _last_number(line: str) -> Reading:
    """The last number of an unmarked last line, or what its last equals sign says; no list, range or spray counts."""
    line = _without_aside(_ARROW.sub("", line))
    result = line.rpartition("=")[2] if "=" in line else ""
    after = list(find_numbers(result))
    if after and not SENTENCE_END.search(result, 0, after[-1][0]):
        return _first(result, after)
    found = list(find_numbers(line))
    if not found:
        return NO_ANSWER
    start, end, number = found[-1]
    if _CALLED.search(line[:start]) or _changed(line, start, end):
        return AMBIGUOUS
    if _TUPLE.search(line[:start]) and not (len(found) == 1 and line[end : end + 1] == ")"):
        return AMBIGUOUS
    gap = line[found[-2][1] : start] if len(found) > 1 else ""
    if len(found) > 1 and number != found[-2][2] and (_LISTED.fullmatch(gap) or _COUNTED.fullmatch(gap)):
        return AMBIGUOUS
    if len(found) > _SPRAY and not re.search(r"[A-Za-z=]", line):
        return AMBIGUOUS
    return _with_unit(line, start, end, number)


_TWO_UNITS = re.compile(r"\d\s?-?[A-Za-z]{1,12}\.?,?\s(?:and\s)?\d")


def read_compound(final: Final) -> Number | None:
    """Read `1 hour and 30 minutes` as a number of its first unit: the first one after a marker, else the last one."""
    if not _TWO_UNITS.search(final.text):
        return None
    text = without_latex(sentence(final.text) if final.strict and not final.enclosed else final.text)
    found = compounds(text)
    if not found:
        return None
    start, end, amount, unit = found[0] if final.strict else found[-1]
    rest = text[:start] if final.strict else text[end:]
    return None if re.search(r"\d", rest) else Number(amount, unit=unit)


def same_number(gold: Number, answer: Number, relative: float = 0.0) -> bool:
    """Whether two numbers state the same value, exactly; 10% states both 10 and 0.1; compatible units are converted.

    Args:
        gold: the known number.
        answer: the stated one.
        relative: how far it may be off, as a share of the known one.
    """
    if gold.unit and answer.unit and gold.unit != answer.unit:
        one, other = measure(gold.unit), measure(answer.unit)
        if one is None or other is None:
            # Words that the table does not know are what was counted; "$5", "$5 profit" and "5 profit" are one.
            counted = {unit.removeprefix(_MONEY).strip() for unit in (gold.unit, answer.unit)} - {""}
            return len(counted) < 2 and same_number(replace(gold, unit=""), answer, relative)
        if one.dimensions != other.dimensions:
            wage = {gold.unit, answer.unit.partition(" per ")[0]} == {_MONEY}  # $12 and "$12 per hour"
            return (wage or {gold.unit, answer.unit} == _POUNDS) and same_number(
                replace(gold, unit=""), answer, relative
            )
        answer = Number(answer.value * other.factor / one.factor)
        gold = Number(gold.value)
    if gold.percent and answer.percent:
        return _near(gold.value, answer.value, relative)
    return any(_near(one, other, relative) or _rounds(one, other) for one in gold.readings for other in answer.readings)


_MONEY = "usd"
_POUNDS = {"lb", "gbp"}  # "5 pounds" may be either


def _near(gold: Fraction, answer: Fraction, relative: float) -> bool:
    return gold == answer or (relative > 0 and abs(gold - answer) <= Fraction(relative) * abs(gold))


_ENOUGH_PLACES = 6


def _rounds(one: Fraction, other: Fraction) -> bool:
    """Whether one is a fraction that no decimal writes and the other that fraction to six places or more."""
    for exact, decimal in ((one, other), (other, one)):
        exact_form, decimal_form = canonical(exact), canonical(decimal)
        places = len(decimal_form.partition(".")[2])
        if "/" in exact_form and "/" not in decimal_form and places >= _ENOUGH_PLACES:
            return abs(exact - decimal) < Fraction(1, 10**places)
    return False
