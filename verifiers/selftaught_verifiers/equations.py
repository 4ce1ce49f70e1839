"""The row verifier `equations`: is every equation that the rationale states true?

It reads `a op b = c` and chains of it from prose, exactly and in linear time. It is blind to a wrong set-up: it sees
whether 16 - 3 = 13, not whether 3 was to be subtracted. When unsure what an equation says it does not judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from selftaught_verifiers.answer.plain import unify, without_bold, without_latex, words
from selftaught_verifiers.arithmetic import ARITHMETIC, MAX_TOKENS, Kind, NotArithmetic, Token, evaluate, tokenize
from selftaught_verifiers.verdict import Outcome, Question, Rationale, Verdict, row_verifier

MAX_LENGTH = 200_000
"""Characters of a text that are read, from its start."""

_QUOTE = 120
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation that a text states.

    Attributes:
        text: as it stands in the text.
        left: the value of its left side.
        right: the value of its right side.
        holds: whether the sides are equal, up to the rounding that the printed decimals allow.
    """

    text: str
    left: Fraction
    right: Fraction
    holds: bool


@row_verifier("equations", version="1")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Fail where one stated equation is false; unscorable where the rationale states none."""
    stated = stated_equations(f"{rationale.reasoning}\n{rationale.completion}")
    if not stated:
        return Verdict(Outcome.UNSCORABLE, "no_equations")
    false = [equation for equation in stated if not equation.holds]
    detail = {"stated": len(stated), "false": len(false), "examples": [one.text[:_QUOTE] for one in false[:_SHOWN]]}
    score = 1 - len(false) / len(stated)
    if not false:
        return Verdict(Outcome.PASS, "all_true", score=score, detail=detail)
    return Verdict(Outcome.FAIL, f"false: {false[0].text[:_QUOTE]}", score=score, detail=detail)


_ANNOTATION = re.compile(r"<<([^<>\n]{0,200})>>")


def stated_equations(text: str) -> list[Equation]:
    """Return every equation that `text` states and that can be judged, in order; GSM8K's `<<16-3=13>>` included."""
    text = unify(text[:MAX_LENGTH])
    annotations = "\n".join(match[1] for match in _ANNOTATION.finditer(text))
    prose = _ANNOTATION.sub("", text)
    found = list(_equations(_simplified(prose)))
    return [*found, *_equations(annotations)] if annotations else found


def _simplified(text: str) -> str:
    """LaTeX written out, its braces as brackets, Markdown emphasis gone."""
    text = without_bold(text)
    if "\\" in text:
        text = without_latex(text.replace("\\$", "")).replace("\\boxed", "").replace("\\div", "/")
        text = text.replace("{", "(").replace("}", ")")
    return text


def _equations(text: str) -> Iterator[Equation]:
    tokens = _without_units(tokenize(text))
    for at, token in enumerate(tokens):
        if token.kind is Kind.EQUALS:
            left, right = _left_side(tokens, at), _right_side(tokens, at)
            if len(left) == 1 and not _in_chain(tokens, at):
                continue  # "4 days = 7 + 2" names a quantity
            equation = _judged(text, left, right, about=token.text != "=") if left and right else None
            if equation:
                yield equation


def _in_chain(tokens: Sequence[Token], at: int) -> bool:
    return at > 1 and tokens[at - 2].kind is Kind.EQUALS


# -- units -----------------------------------------------------------------------------------------------------------

_UNIT_WORDS = 4
_GLUED_UNITS = frozenset(words("km cm mm kg mg lb lbs oz ft in hr hrs min mins sec secs ml mph kph cents gb mb"))
# After a number these join, calculate or scale: what they stand in is more than a unit.
_JOINING = frozenset(
    words(
        "of and or times plus minus divided multiplied by more less than half hundred thousand million billion "
        "trillion dozen k x y z n is are was equals to from so then squared cubed twice double triple groups if"
    )
)


def _without_units(tokens: list[Token]) -> list[Token]:
    """Drop the words that say what was counted: `5 red apples + 3 apples = 8` becomes `5 + 3 = 8`."""
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        kept.append(token)
        at += 1
        if token.kind in (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT):
            at = _after_unit(tokens, at)
    return kept


def _after_unit(tokens: Sequence[Token], at: int) -> int:
    """Where the unit that starts at `at` ends; `at` itself where none stands before an operator or an equals sign."""
    end = at
    while end < len(tokens) and end - at < 2 * _UNIT_WORDS:
        token = tokens[end]
        per = token.text == "/" and end + 1 < len(tokens) and tokens[end + 1].kind is Kind.WORD
        if not per and not (token.kind is Kind.WORD and _is_unit(token)):
            break
        end += 2 if per else 1
    if end < len(tokens) and end > at and tokens[end].text == "^" and tokens[end - 1].kind is Kind.WORD:
        end += 2  # cm^2
    follows = tokens[end] if end < len(tokens) else None
    return end if follows and follows.kind in (Kind.OPERATOR, Kind.EQUALS, Kind.CLOSE) else at


def _is_unit(word: Token) -> bool:
    lower = word.text.lower()
    if not word.spaced:
        return lower in _GLUED_UNITS
    return lower not in _JOINING and (len(lower) > 1 or lower in "agmhsl")


# -- sides -----------------------------------------------------------------------------------------------------------

_REFUSE_BEFORE = frozenset(
    words(
        "of times plus minus by half twice double triple thrice sqrt root log ln sin cos tan exp mod than squared "
        "hundred thousand million dozen remainder"
    )
)
_REFUSE_AFTER = frozenset(
    words(
        "of times plus minus divided multiplied hundred thousand million billion trillion dozen half squared cubed x r "
        "remainder mod k"
    )
)
_REFUSE_MARKS = frozenset("\u221a\u2211|\\_^{}~!?<>\u2264\u2265#&@\u03c0\u00b0")


def _left_side(tokens: Sequence[Token], equals: int) -> list[Token]:
    """The longest run of arithmetic before the equals sign, [] where what stands before it leaves doubt."""
    start = equals
    while start > 0 and equals - start <= MAX_TOKENS and tokens[start - 1].kind in ARITHMETIC:
        start -= 1
    side = list(tokens[start:equals])
    while side and _unmatched_open(side):
        side.pop(0)
    if not side or (before := tokens[start - 1] if start else None) is None:
        return _without_bullet(side, None)
    if side[0] is tokens[start] and _doubtful_before(before, tokens[start], tokens[start - 2] if start > 1 else None):
        return []
    return _without_bullet(side, before)


def _doubtful_before(before: Token, first: Token, second_before: Token | None) -> bool:
    if before.kind is Kind.WORD:
        lower = before.text.lower()
        glued = not first.spaced
        unknown = len(lower) == 1 and lower not in "ai"
        return lower in _REFUSE_BEFORE or glued or unknown or first.kind is Kind.OPERATOR
    if before.text in _REFUSE_MARKS:
        return True
    # 3:30 + 1 and 1,5 + 2 are no sums of 30 or 5.
    joined = before.text in ":,." and not first.spaced and not before.spaced
    return joined and second_before is not None and second_before.kind is Kind.NUMBER


def _without_bullet(side: list[Token], before: Token | None) -> list[Token]:
    """`- 5 + 3 = 8` at the start of a line is a list item."""
    bullet = len(side) > 1 and side[0].text in ("-", "*", "+") and side[1].spaced
    return side[1:] if bullet and (before is None or "\n" in before.text) else side


def _unmatched_open(side: Sequence[Token]) -> bool:
    opened = sum(token.kind is Kind.OPEN for token in side) - sum(token.kind is Kind.CLOSE for token in side)
    return opened > 0 and side[0].kind is Kind.OPEN


def _right_side(tokens: Sequence[Token], equals: int) -> list[Token]:
    """The longest run of arithmetic after the equals sign, [] where what follows it leaves doubt."""
    end = equals + 1
    depth = 0
    while end < len(tokens) and end - equals <= MAX_TOKENS and tokens[end].kind in ARITHMETIC:
        depth += (tokens[end].kind is Kind.OPEN) - (tokens[end].kind is Kind.CLOSE)
        if depth < 0:
            break
        end += 1
    side = list(tokens[equals + 1 : end])
    if len(side) > 1 and side[-1].kind is Kind.OPEN:
        side.pop()  # a remark in brackets begins
        return side
    if not side or (end < len(tokens) and _doubtful_after(tokens, end)):
        return []
    return side


def _doubtful_after(tokens: Sequence[Token], end: int) -> bool:
    after = tokens[end]
    if after.kind is Kind.WORD:
        lower = after.text.lower()
        unknown = len(lower) == 1 and lower not in "aim"
        return lower in _REFUSE_AFTER or unknown or (not after.spaced and lower not in _GLUED_UNITS)
    follows = tokens[end + 1] if end + 1 < len(tokens) else None
    if after.text in ":,." and follows is not None and follows.kind is Kind.NUMBER:
        return not after.spaced and not follows.spaced
    return after.text in _REFUSE_MARKS and after.text not in "!?|&#"


# -- judging ---------------------------------------------------------------------------------------------------------

_PERCENTS = (Fraction(1, 100), Fraction(1))
# Ratios of common units: 3 * 20 minutes = 1 hour is true although 60 is not 1.
_CONVERSIONS = frozenset(map(Fraction, (7, 10, 12, 16, 24, 30, 36, 52, 60, 100, 365, 1000, 3600, 5280, 1_000_000)))
_ABOUT = Fraction(1, 50)


def _judged(text: str, left: list[Token], right: list[Token], *, about: bool) -> Equation | None:
    """The equation, None where it calculates nothing, is no arithmetic, or false in a way that may be a notation."""
    sides = (left, right)
    if not any(token.kind is Kind.OPERATOR for side in sides for token in side[1:]):
        return None
    percent = any(token.kind is Kind.PERCENT for side in sides for token in side)
    factors = _PERCENTS if percent else _PERCENTS[:1]
    try:
        lefts, rights = ([evaluate(side, factor) for factor in factors] for side in sides)
    except NotArithmetic:
        return None
    quote = " ".join(text[left[0].start : right[-1].end].split())
    for one in lefts:
        for other in rights:
            if _agree(one, other, left, right, about=about):
                return Equation(quote, one, other, holds=True)
    one, other = lefts[0], rights[0]
    doubtful = percent or _notation(left) or _notation(right)
    if doubtful or _converts(one, other, text[left[0].start : right[-1].end + 20]):
        return None
    return Equation(quote, one, other, holds=False)


def _notation(side: Sequence[Token]) -> bool:
    """Whether a side may mean something else: `28 / 1/5` (28 fifths?), `3x108` (a lost power of ten)."""
    for first, second, third in zip(side, side[1:], side[2:], strict=False):
        if first.text == "/" and third.text == "/" and second.kind is Kind.NUMBER:
            return True
        tight = not second.spaced and not third.spaced
        if second.text == "*" and tight and third.text.startswith("10") and len(third.text) > 2:
            return True
    return False


def _agree(one: Fraction, other: Fraction, left: list[Token], right: list[Token], *, about: bool) -> bool:
    if one == other:
        return True
    if about and abs(one - other) <= _ABOUT * max(abs(one), abs(other)):
        return True
    return any(_rounds(exact, printed, side) for exact, printed, side in ((one, other, right), (other, one, left)))


def _rounds(exact: Fraction, printed: Fraction, side: Sequence[Token]) -> bool:
    """Whether `printed`, a lone number, is `exact` rounded or cut to the decimals that it shows."""
    numbers = [token for token in side if token.kind is Kind.NUMBER]
    if len(numbers) != 1:
        return False
    places = len(numbers[0].text.partition(".")[2])
    if places == 0:
        return exact.denominator != 1 and abs(exact - printed) <= Fraction(1, 2)
    off, step = abs(exact - printed), Fraction(1, 10**places)
    return off <= step / 2 or (off < step and abs(printed) < abs(exact))


def _converts(one: Fraction, other: Fraction, quote: str) -> bool:
    """Whether words in the equation and the ratio of its sides say that the unit changed."""
    if not one or not other or not re.search(r"[A-Za-z]", quote):
        return False
    ratio = abs(one / other)
    return ratio in _CONVERSIONS or 1 / ratio in _CONVERSIONS
