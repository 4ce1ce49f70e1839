"""Comparing two formulas: by their shape, and the parts of a shape by their values.

Lists and sets compare without order, tuples and intervals with it, matrices cell by cell, equations up to a factor, relations
up to a positive one; `x = 2` is 2, `2 < x` is `(2, inf)`, `1 +- a` is two values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from selftaught_verifiers.answer.evaluate import (
    Point,
    TooLarge,
    Undefined,
    Unknown,
    Value,
    close,
    evaluate,
    inexact,
    scalar,
)
from selftaught_verifiers.answer.expression import Node, Unreadable, parse
from selftaught_verifiers.answer.shape import (
    Item,
    Piece,
    equation,
    infinity,
    is_symbolic,
    items_of,
    names_of,
    pieces_of_line,
    places_of,
    sides_of,
    union,
    variable,
)

_POINTS = ((1, True), (2, True), (3, True), (4, False), (5, False), (6, False))
_ENOUGH_PLACES = 6


class NeedsAlgebra(Exception):  # noqa: N818 (it names what is missing)
    """Only computer algebra can compare the two."""


def same_formula(gold: Node, answer: Node, *, relative: float = 0.0) -> bool:
    """Whether two formulas state the same answer.

    Args:
        gold: the known answer.
        answer: the stated one.
        relative: how far two numbers may differ, as a share of the gold number; 0 is exact.

    Raises:
        NeedsAlgebra: one holds a part that has no value here.
    """
    try:
        return _Comparison(relative).same(gold, answer)
    except TooLarge:
        return False
    except Unreadable as error:
        raise NeedsAlgebra(str(error)) from None


@lru_cache(maxsize=4096)
def read_formula(text: str) -> Node | None:
    """Return the tree of a formula, None where the text is none."""
    try:
        return parse(text)
    except (Unreadable, RecursionError):
        return None


class _Comparison:
    def __init__(self, relative: float) -> None:
        self.relative = Fraction(relative) if relative > 0 else Fraction(0)

    def same(self, gold: Node, answer: Node) -> bool:
        if gold == answer:
            return True
        golds, answers = items_of(gold), items_of(answer)
        if len(golds) == len(answers) == 1:
            return self._same_item(golds[0], answers[0])
        return self._same_items(gold, golds, answer, answers)

    # -- several items -------------------------------------------------------------------------------------------

    def _same_items(self, gold: Node, golds: Sequence[Item], answer: Node, answers: Sequence[Item]) -> bool:
        listed, given = names_of(golds), names_of(answers)
        if len(golds) > 1 and len(answers) > 1 and (listed or given) and not (listed and given):
            # AB = 4, CD = 5 against 4, 5: unnamed values follow the order of the names
            if gold.kind == "set" or answer.kind == "set":
                return False
            return len(golds) == len(answers) and all(map(self._same_value, golds, answers))
        if listed and len(answers) == 1 and answers[0].node.kind == "tuple":
            return self._named_tuple(golds, answers[0], listed)
        if given and len(golds) == 1 and golds[0].node.kind == "tuple":
            return self._named_tuple(answers, golds[0], given, swapped=True)
        if {one.node.kind for one in (*golds, *answers)} & {"tuple", "cup"} or any(i.signs for i in (*golds, *answers)):
            pieces = [pieces_of_line(items) for items in (golds, answers)]
            if all(pieces) and any(item.signs or item.node.kind == "cup" for item in (*golds, *answers)):
                return self._unordered(pieces[0] or [], pieces[1] or [], self._same_piece)
        return self._unordered(golds, answers, self._same_item)

    def _named_tuple(self, named: Sequence[Item], whole: Item, names: Sequence[str], *, swapped: bool = False) -> bool:
        """`x = 7, y = 6` against `(7, 6)`: by the names of the tuple where it has some, else in alphabetical order."""
        values = whole.node.parts
        if whole.node.name != "()" or len(values) != len(named):
            return False
        order = sorted(names)
        if whole.name is not None and whole.name.kind == "tuple":
            order = [part.name for part in whole.name.parts]
        if sorted(order) != sorted(names):
            return False
        by_name = dict(zip(names, named, strict=True))
        pairs = ((by_name[name].node, value) for name, value in zip(order, values, strict=True))
        return all(self.same(b, a) if swapped else self.same(a, b) for a, b in pairs)

    def _unordered(self, golds: Sequence[Any], answers: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
        """Whether each has its match on the other side; what is said twice counts once."""
        if len(golds) * len(answers) > 1_000:
            raise TooLarge
        matrix = [[_attempt(same, one, other) for other in answers] for one in golds]
        if all(any(cell is True for cell in row) for row in matrix) and all(
            any(row[index] is True for row in matrix) for index in range(len(answers))
        ):
            return True
        if any(cell is None for row in matrix for cell in row):
            raise Unknown("an item")
        return False

    # -- one item ------------------------------------------------------------------------------------------------

    def _same_value(self, gold: Item, answer: Item) -> bool:
        return not gold.signs and not answer.signs and self.same(gold.node, answer.node)

    def _same_item(self, gold: Item, answer: Item) -> bool:
        lines = [
            pieces_of_line([item]) if item.signs or item.node.kind in ("cup", "tuple") else None
            for item in (gold, answer)
        ]
        one, other = lines
        if one and other and (gold.signs or answer.signs or gold.node.kind == "cup" or answer.node.kind == "cup"):
            if variable(gold) and variable(answer) and variable(gold) != variable(answer):
                return False
            return self._unordered(one, other, self._same_piece)
        if gold.signs or answer.signs:
            return self._same_relation(gold, answer)
        if gold.name is not None and answer.name is not None and gold.name != answer.name:
            if gold.name.kind == answer.name.kind == "symbol":
                return (is_symbolic(gold.node) or is_symbolic(answer.node)) and self._same_relation(
                    equation(gold), equation(answer)
                )
            if gold.name.kind == answer.name.kind == "tuple":
                return False
            if gold.name.kind == answer.name.kind == "*" and gold.name.parts[0] != answer.name.parts[0]:
                return False  # f(x) and g(x)
        return self._same_node(gold.node, answer.node)

    def _same_node(self, gold: Node, answer: Node) -> bool:
        if gold == answer:
            return True
        kinds = {gold.kind, answer.kind}
        if "relation" in kinds or "list" in kinds or "set" in kinds:
            if kinds == {"set"} or "relation" in kinds or "list" in kinds:
                return self.same(gold, answer) if (gold.kind, answer.kind) != ("relation", "relation") else False
            return False
        if "tuple" in kinds:
            return (
                kinds == {"tuple"}
                and gold.name == answer.name
                and len(gold.parts) == len(answer.parts)
                and all(map(self.same, gold.parts, answer.parts))
            )
        if "ratio" in kinds:
            return kinds == {"ratio"} and len(gold.parts) == len(answer.parts) and self._proportional(gold, answer)
        if kinds & {"cup", "cap", "setminus"}:
            if kinds == {"cup"} and (one := union(gold)) and (other := union(answer)):
                return self._unordered(one, other, self.same)
            return gold.kind == answer.kind and all(map(self.same, gold.parts, answer.parts))
        if "congruence" in kinds:
            return len(kinds) == 1 and self._congruent(gold, answer)
        if "text" in kinds:
            return kinds == {"text"} and gold.name == answer.name
        if kinds == {"big"} and gold.name == answer.name and self._same_big(gold, answer):
            return True
        if kinds == {"unit"}:
            return gold.name.rstrip("s.") == answer.name.rstrip("s.") and self.same(gold.parts[0], answer.parts[0])
        infinite = [infinity(one) for one in (gold, answer)]
        if any(infinite):
            return infinite[0] == infinite[1]
        return self._same_scalar(gold, answer)

    def _same_big(self, gold: Node, answer: Node) -> bool:
        """Whether two sums or products agree part by part; where they do not, they may yet have the same value."""
        return gold.parts[0] == answer.parts[0] and all(
            _attempt(self.same, one, other) is True for one, other in zip(gold.parts[1:], answer.parts[1:], strict=True)
        )

    def _congruent(self, gold: Node, answer: Node) -> bool:
        """Whether two congruences have one modulus and residues that differ by a multiple of it; a left side may be missing."""
        (*left, residue, modulus), (*other_left, other, other_modulus) = gold.parts, answer.parts
        if not self.same(modulus, other_modulus) or (left and other_left and not self.same(left[0], other_left[0])):
            return False
        point = Point(1, positive=True)
        step, gap = scalar(modulus, point), scalar(Node("+", (residue, Node("negative", (other,)))), point)
        if not isinstance(step, Fraction) or not isinstance(gap, Fraction) or not step:
            raise Unknown("congruence")
        return not gap or (not any(map(is_symbolic, (residue, other, modulus))) and (gap / step).denominator == 1)

    def _proportional(self, gold: Node, answer: Node) -> bool:
        point = Point(1, positive=True)
        ones, others = ([scalar(part, point) for part in node.parts] for node in (gold, answer))
        return all(
            close(a * other, b * one, 1.0)
            for one, other in zip(ones, others, strict=True)
            for a, b in [(ones[0], others[0])]
        )

    def _same_piece(self, gold: Piece, answer: Piece) -> bool:
        return gold.brackets == answer.brackets and all(
            one is other if one is None or other is None else self._same_node(one, other)
            for one, other in ((gold.low, answer.low), (gold.high, answer.high))
        )

    # -- values --------------------------------------------------------------------------------------------------

    def _same_scalar(self, gold: Node, answer: Node) -> bool:
        symbolic = is_symbolic(gold) or is_symbolic(answer)
        agreed = 0
        for seed, positive in _POINTS if symbolic else _POINTS[:1]:
            point = Point(seed, positive=positive)
            try:
                one, other = evaluate(gold, point), evaluate(answer, point)
            except Undefined:
                continue
            if isinstance(one, tuple) or isinstance(other, tuple):
                if not (isinstance(one, tuple) and isinstance(other, tuple)) or list(map(len, one)) != list(
                    map(len, other)
                ):
                    return False
                pairs = [pair for rows in zip(one, other, strict=True) for pair in zip(*rows, strict=True)]
            else:
                pairs = [(one, other)]
            if not all(self._near(a, b, point.scale) for a, b in pairs) and not (
                not symbolic and self._other_reading(gold, answer, point)
            ):
                return False
            agreed += 1
        if agreed < (2 if symbolic else 1):
            raise Unknown("no value")
        return True

    def _near(self, gold: Value, answer: Value, scale: float) -> bool:
        if close(gold, answer, scale):
            return True
        if not self.relative:
            return False
        if isinstance(gold, Fraction) and isinstance(answer, Fraction):
            return abs(gold - answer) <= self.relative * abs(gold)
        return abs(inexact(gold) - inexact(answer)) <= float(self.relative) * abs(inexact(gold))

    def _other_reading(self, gold: Node, answer: Node, point: Point) -> bool:
        """10% is 10 as well; a decimal of six places or more may stand for what no decimal writes."""
        for one, other in ((gold, answer), (answer, gold)):
            if one.kind == "percent" and close(scalar(one.parts[0], point), scalar(other, point), point.scale):
                return True
            places = places_of(one)
            if places >= _ENOUGH_PLACES and places_of(other) < 0:
                value, exact = scalar(one, point), scalar(other, point)
                if abs(inexact(value) - inexact(exact)) < 10.0**-places:
                    return True
        return False

    # -- equations and relations ---------------------------------------------------------------------------------

    def _same_relation(self, gold: Item, answer: Item) -> bool:
        if not gold.signs or not answer.signs:
            named, other = (gold, answer) if answer.signs else (answer, gold)
            if named.name is None or other.signs != ("=",):
                return False
            named = equation(named)
            gold, answer = (named, other) if answer.signs else (other, named)
        ones, others = sides_of(gold), sides_of(answer)
        if ones is None or others is None or [sign for sign, _, _ in ones] != [sign for sign, _, _ in others]:
            return False
        return all(self._same_side(sign, (a, b), (c, d)) for (sign, a, b), (_, c, d) in zip(ones, others, strict=True))

    def _same_side(self, sign: str, gold: tuple[Node, Node], answer: tuple[Node, Node]) -> bool:
        """Whether the differences of both sides are in one proportion at all points."""
        first: Value | None = None
        agreed = 0
        for seed, positive in _POINTS:
            point = Point(seed, positive=positive)
            try:
                one, other = (scalar(Node("+", (b, Node("negative", (a,)))), point) for a, b in (gold, answer))
            except Undefined:
                continue
            if not one or not other:
                if not one and not other:
                    continue
                return False
            ratio = (
                one / other
                if isinstance(one, Fraction) and isinstance(other, Fraction)
                else inexact(one) / inexact(other)
            )
            if sign in ("<", "<=") and not inexact(ratio).real > 0:
                return False
            if first is not None and not close(first, ratio, 1.0):
                return False
            first = ratio
            agreed += 1
        if agreed < 2:
            raise Unknown("no value")
        return True


def _attempt(same: Callable[[Any, Any], bool], one: Any, other: Any) -> bool | None:
    """`same`, None where it cannot tell."""
    try:
        return same(one, other)
    except TooLarge:
        return False
    except Unreadable:
        return None
