"""Where the numbers of a rationale's calculations come from: the flow of numbers from the question to the last result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice

from selftaught_verifiers.arithmetic.given import MEANT
from selftaught_verifiers.arithmetic.statements import Reading, Statement
from selftaught_verifiers.arithmetic.tokens import Kind, Token
from selftaught_verifiers.arithmetic.values import NotArithmetic, Value, number_value, power, simple

CONSTANTS = frozenset((
    0, 1, 2, 7, 10, 12, 14, 16, 24, 28, 29, 30, 31, 32, 36, 52, 60, 90, 100, 120, 128, 144, 180, 360, 365, 366, 1000,
    1024, 1440, 1760, 2000, 3600, 5280, 10**4, 10**5, 10**6, 10**9,
)) | frozenset(map(Fraction, ("0.5", "0.25", "0.1", "0.01", "0.05", "1.5", "2.5", "3.14", "2.54", "9.8")))  # fmt: skip
"""What units, percentages and halves bring into a calculation unsaid."""

SMALL = frozenset(range(13))
"""Numbers that a reader counts without writing: the people in a story, the items of a list."""

_KNOWN = 60  # numbers that a step in the head may start from; bounds the cost


@dataclass(slots=True)
class Flow:
    """The numbers of a rationale by where they come from.

    Attributes:
        operands: how many operands its calculations have.
        given: the operands that the question gives.
        foreign: operands that are neither the question's nor a result nor an everyday constant.
        nowhere: operands that nothing gives, not even one step in the head, as printed.
        skipped: operands that no step yielded, though one step in the head may; each with its place in reading order.
        results: the values that steps yielded, each with its place in reading order.
        arrived: all values that the rationale arrives at, states or calculates with.
        unused: results that are never seen again, each with its place; the last result is none of them.
    """

    operands: int = 0
    given: set[Value] = field(default_factory=set)
    foreign: set[Value] = field(default_factory=set)
    nowhere: list[str] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    results: dict[Value, int] = field(default_factory=dict)
    arrived: set[Value] = field(default_factory=set)
    unused: dict[Value, int] = field(default_factory=dict)


def number_flow(reading: Reading, question: Collection[Value], silent: Sequence[tuple[int, int]]) -> Flow:
    """Follow the numbers of a rationale in reading order.

    Args:
        reading: the rationale's arithmetic.
        question: the values that the question gives.
        silent: parts of the prose, in order, whose numbers are no arrival: the final answer, mentions of choices.
    """
    flow, facts = Flow(), set[Value]()
    lefts, rights = _sides(reading.statements)
    tokens = reading.tokens
    part = order = 0
    for at, token in enumerate(tokens):
        if token.kind is Kind.WORD:
            meant = MEANT.get(token.text.lower())
            if meant:
                facts.update(meant)
                if not silent or token.start < silent[-1][0]:
                    flow.arrived.add(meant[0])
            continue
        if token.kind is not Kind.NUMBER:
            continue
        try:
            value = number_value(token.text)
        except (NotArithmetic, ValueError):
            continue
        order += 1
        if token.start in lefts:
            _operand(flow, token, value, question, facts, order)
        elif token.start in rights:
            _result(flow, rights[token.start], value, facts, order)
        else:
            while part < len(silent) and silent[part][1] <= token.start:
                part += 1
            if part == len(silent) or token.start < silent[part][0]:
                said = tuple(_values(tokens, at, value))
                facts.update(said)
                flow.arrived.update(said)
            flow.unused.pop(value, None)
    flow.unused.pop(next(reversed(flow.results), 0), None)  # nothing has to use the last result
    return flow


def _sides(statements: Sequence[Statement]) -> tuple[set[int], dict[int, Statement]]:
    """The offsets of operands, and of what stands behind an equals sign with its statement."""
    lefts: set[int] = set()
    rights: dict[int, Statement] = {}
    for statement in statements:
        left = statement.left_tokens
        chained = bool(left) and left[0].start in rights
        if not chained and any(token.kind is Kind.OPERATOR for token in left[1:]):
            lefts.update(token.start for token in left)
        if statement.sign in "=\u2248":
            rights.update((token.start, statement) for token in statement.right_tokens)
    return lefts, rights


def _operand(
    flow: Flow, token: Token, value: Value, question: Collection[Value], facts: set[Value], order: int
) -> None:
    flow.operands += 1
    flow.arrived.add(value)
    flow.unused.pop(value, None)
    if value in question:
        flow.given.add(value)
    elif value in flow.results:
        return
    elif _rewritten(value, question):
        flow.given.add(value)
    elif value in CONSTANTS or _rewritten(value, flow.results):
        return
    elif value in facts:
        flow.foreign.add(value)
    else:
        flow.foreign.add(value)
        flow.skipped.append((token.text, order))
        if value not in SMALL and not _one_step(value, list(islice(chain(question, flow.results, facts), _KNOWN))):
            flow.nowhere.append(token.text)


def _result(flow: Flow, statement: Statement, value: Value, facts: set[Value], order: int) -> None:
    """A lone number is the step's result; of a longer side the numbers are results on the way."""
    flow.unused.pop(value, None)
    flow.arrived.add(value)
    if len(statement.right_tokens) <= 2:
        if statement.left is not None and value not in flow.results:
            flow.unused[value] = order
        flow.results.setdefault(value, order)
    for side in (statement.left, statement.right):
        if side is not None and statement.holds:  # what a false step should have said was not said
            flow.arrived.add(side)
            flow.results.setdefault(side, order)
    facts.add(value)


def _values(tokens: Sequence[Token], at: int, value: Value) -> Iterator[Value]:
    """What a number of the prose says: itself, and the fraction or the power of ten that it begins."""
    yield value
    after = tokens[at + 1 : at + 6]
    texts = [token.text for token in after]
    try:
        if texts[:1] == ["/"] and len(after) > 1 and after[1].kind is Kind.NUMBER and number_value(texts[1]):
            yield simple(Fraction(value) / number_value(texts[1]))
        if texts[:3] == ["*", "10", "^"]:
            sign = -1 if texts[3:4] == ["-"] else 1
            yield simple(value * Fraction(power(10, sign * number_value(texts[4 if sign < 0 else 3]))))
    except (NotArithmetic, ValueError, IndexError):
        return


def _rewritten(value: Value, known: Collection[Value]) -> bool:
    """Whether a number is a known one written otherwise: 0.8 for 20% off, 80 for it, 1/4 for 4, cents for dollars."""
    if not value:
        return True
    return (
        1 - value in known
        or 100 - value in known
        or -value in known
        or value * 100 in known
        or Fraction(value) / 100 in known
        or 1 / Fraction(value) in known
        or value * 1000 in known
        or Fraction(value) / 1000 in known
    )


def _one_step(value: Value, known: Sequence[Value]) -> bool:
    """Whether one step in the head leads from two known numbers to this one."""
    have = set(known)
    return any(
        value - one in have or one - value in have or (one and Fraction(value) / one in have) or value * one in have
        for one in known
    )
