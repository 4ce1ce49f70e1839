"""The sides of a stated equation: the runs of arithmetic around its sign, and whether their surroundings leave doubt."""

from __future__ import annotations

from collections.abc import Sequence

from selftaught_verifiers.arithmetic.phrases import FRACTIONS
from selftaught_verifiers.arithmetic.tokens import ARITHMETIC, Kind, Token
from selftaught_verifiers.arithmetic.units import GLUED
from selftaught_verifiers.arithmetic.values import MAX_TOKENS
from selftaught_verifiers.text.plain import words

_REFUSE_BEFORE = frozenset(
    words(
        "times plus minus half twice double triple thrice sqrt root log ln sin cos tan exp mod than squared hundred "
        "thousand million dozen remainder modulo lcm gcd max min"
    )
)
# "an average of 3 + 4 = 7" and "five percent of 5 + 3 = 8" say something else; "a total of 3 + 4 = 7" does not.
_REFUSE_OF = (
    frozenset(
        words(
            "percent percentage out average mean median product quotient ratio root square cube multiple fraction part "
            "parts power log factor multiples powers thirds quarters fourths fifths"
        )
    )
    | FRACTIONS.keys()
)
_REFUSE_AFTER = frozenset(words("plus minus divided multiplied half squared cubed x r remainder mod modulo k"))
_REFUSE_MARKS = frozenset("\u2211|\\_^{}~!?<>\u2264\u2265#&@\u03c0\u00b0\u221a\u00b1")


def left_side(tokens: Sequence[Token], equals: int) -> tuple[list[Token], bool]:
    """The longest run of arithmetic before the sign, and whether what stands before it leaves doubt."""
    start = equals
    while start > 0 and equals - start <= MAX_TOKENS and tokens[start - 1].kind in ARITHMETIC:
        start -= 1
    first = start
    depth = sum((token.kind is Kind.OPEN) - (token.kind is Kind.CLOSE) for token in tokens[start:equals])
    while depth > 0 and first < equals and tokens[first].kind is Kind.OPEN:
        first, depth = first + 1, depth - 1
    side = list(tokens[first:equals])
    before = tokens[start - 1] if start else None
    side = _without_bullet(side, before)
    if not side or before is None:
        return side, False
    doubt = first == start and side[0] is tokens[start] and _doubtful_before(tokens, start)
    return side, doubt


def _doubtful_before(tokens: Sequence[Token], start: int) -> bool:
    before, first = tokens[start - 1], tokens[start]
    second = tokens[start - 2] if start > 1 else None
    if before.kind is Kind.WORD:
        negative = first.text == "-" and first.spaced and not tokens[start + 1].spaced  # is -1 + 2 = 1
        return not first.spaced or (first.kind is Kind.OPERATOR and not negative) or _doubtful_word(tokens, start - 1)
    if before.text in _REFUSE_MARKS:
        return True
    if before.text in (":", ",", ".") and not before.spaced and second is not None:
        if first.kind is Kind.OPERATOR:
            return before.text == "."  # 11 a.m. - 2 hours = 9 a.m.
        # 3:30 + 1, 1,5 + 2 and 14, 400 / 80 are no calculations with 30, 5 or 400.
        return second.kind is Kind.NUMBER and (not first.spaced or len(first.text) == 3)
    return before.text == "." and second is not None and second.kind is Kind.OPERATOR


_SCALING = ("multipl", "divid", "split", "times")
_LABELS = frozenset(
    words("step steps page pages day days week weeks month months year years question chapter line lines case choice")
)


def _doubtful_word(tokens: Sequence[Token], at: int) -> bool:
    """Whether the word at `at`, right before a calculation, makes more of it than it says."""
    word = tokens[at].text.lower()
    if word == "of":
        second = tokens[at - 1] if at else None
        return second is not None and (second.kind is not Kind.WORD or second.text.lower() in _REFUSE_OF)
    if word == "by":
        return any(token.text.lower().startswith(_SCALING) for token in tokens[max(0, at - 6) : at])
    if word in _LABELS:
        return len(tokens[at + 1].text) < 3  # day 1 * 2
    unknown = len(word) == 1 and word not in "ai"
    return unknown or word in _REFUSE_BEFORE or _in_a_sum(tokens, at + 1)


def _in_a_sum(tokens: Sequence[Token], start: int) -> bool:
    """`25 + his 1 teacher + 1 = 27`: a few words before the run stands an operator, the run is only a part."""
    for at in range(start - 1, max(-1, start - 5), -1):
        token = tokens[at]
        if token.kind is Kind.OPERATOR:
            return at > 0 and token.spaced and tokens[at - 1].kind is not Kind.BREAK
        if token.kind is not Kind.WORD or token.text.lower() in _CLAUSE:
            return False
    return False


_CLAUSE = frozenset(words("so or because then thus is gives get have has means and makes costs hence be are was were"))


def _without_bullet(side: list[Token], before: Token | None) -> list[Token]:
    """`- 5 + 3 = 8` at the start of a line is a list item."""
    bullet = len(side) > 1 and side[0].text in ("-", "*", "+") and side[1].spaced
    return side[1:] if bullet and (before is None or "\n" in before.text) else side


def right_side(tokens: Sequence[Token], equals: int) -> tuple[list[Token], bool]:
    """The longest run of arithmetic after the sign, and whether what follows it leaves doubt."""
    end = equals + 1
    depth = 0
    while end < len(tokens) and end - equals <= MAX_TOKENS and tokens[end].kind in ARITHMETIC:
        depth += (tokens[end].kind is Kind.OPEN) - (tokens[end].kind is Kind.CLOSE)
        if depth < 0 or (tokens[end].kind is Kind.NUMBER is tokens[end - 1].kind and not _mixed(tokens, end)):
            break
        end += 1
    side = list(tokens[equals + 1 : end])
    follows = tokens[end] if end < len(tokens) else None
    if follows and follows.kind is Kind.NUMBER:
        return side, len(follows.text) == 3 and follows.text.isdecimal()  # 6800 / 2 = 3 400
    if len(side) > 1 and side[-1].text == "/" and not side[-1].spaced and _is_unit(follows):
        side.pop()  # = $100/month
        return side, False
    if len(side) > 1 and side[-1].kind is Kind.OPEN:
        side.pop()  # a remark in brackets begins
        return side, False
    if len(side) > 1 and side[-1].kind is Kind.OPERATOR and side[-1].text in ("-", "+", "*") and side[-1].spaced:
        side.pop()  # "= 5 - which is", "= 5 * "
        return side, True
    return side, bool(side) and end < len(tokens) and _doubtful_after(tokens, end)


def _is_unit(token: Token | None) -> bool:
    return token is not None and token.kind is Kind.WORD and (len(token.text) > 1 or token.text in "hsmgl")


def _mixed(tokens: Sequence[Token], at: int) -> bool:
    """Whether `1/2` follows at `at`, the part of a mixed number."""
    rest = tokens[at : at + 3]
    return len(rest) == 3 and rest[1].text == "/" and rest[2].kind is Kind.NUMBER and not rest[1].spaced


def _doubtful_after(tokens: Sequence[Token], end: int) -> bool:
    after = tokens[end]
    follows = tokens[end + 1] if end + 1 < len(tokens) else None
    if after.kind is Kind.WORD:
        lower = after.text.lower()
        unknown = len(lower) == 1 and lower not in "aim"
        if lower == "and" and follows is not None and follows.kind in (Kind.NUMBER, Kind.OPEN):
            return follows.kind is Kind.OPEN or (end + 2 < len(tokens) and tokens[end + 2].text == "/")  # 5 and 2/3
        if lower in ("of", "times"):
            next_but_one = tokens[end + 2 : end + 3] if follows and follows.kind is Kind.WORD else []
            return any(token and token.kind in (Kind.NUMBER, Kind.OPEN) for token in (follows, *next_but_one))
        return lower in _REFUSE_AFTER or unknown or (not after.spaced and lower not in GLUED)
    if after.text in (":", ",", ".") and follows is not None and follows.kind is Kind.NUMBER:
        return not after.spaced and not follows.spaced
    return after.text in _REFUSE_MARKS and after.text not in "!?|&#"


_COMPARING = frozenset(words("more less fewer greater larger smaller higher lower times percent percentage over of"))
_SUPPOSING = frozenset(words("if whether when suppose assume assuming unless"))


def doubtful_speech(tokens: Sequence[Token], at: int, left: Sequence[Token], right: Sequence[Token]) -> bool:
    """`5 + 3 is 8` states; `5 + 3 is 8 more than`, `if 5 + 3 is 8`, `steps 3-5 is 2` do not."""
    after = at + 1 + len(right)
    if any(token.text.lower() in _COMPARING for token in tokens[after : after + 2]):
        return True
    end = left[0].start
    for index in range(at - len(left) - 1, max(-1, at - len(left) - 9), -1):
        token = tokens[index]
        if token.kind is Kind.BREAK or token.start > end:
            break
        if token.text.lower() in _SUPPOSING or token.text.lower() in _LABELS:
            return True
    return False
