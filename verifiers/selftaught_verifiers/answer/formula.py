"""Comparing two formulas: by their shape, and the parts of a shape by their values.

Lists and sets compare without order, tuples and intervals with it, matrices cell by cell, equations up to a factor, relations
up to a positive one; `x = 2` is 2, `2 < x` is `(2, inf)`, `1 +- a` is two values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
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


@dataclass(frozen=True, slots=True)
class _Item:
    """One stated value with the name it was given, or a relation (then `signs` are set)."""

    node: Node
    name: Node | None = None
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of the number line; a point where both ends are one."""

    low: Node | None
    high: Node | None
    brackets: str


_INFINITE = Node("constant", name="inf")
_EMPTY = Node("constant", name="empty")


class _Comparison:
    def __init__(self, relative: float) -> None:
        self.relative = Fraction(relative) if relative > 0 else Fraction(0)

    def same(self, gold: Node, answer: Node) -> bool:
        if gold == answer:
            return True
        golds, answers = _items(gold), _items(answer)
        if len(golds) == len(answers) == 1:
            return self._same_item(golds[0], answers[0])
        return self._same_items(gold, golds, answer, answers)

    # -- several items -------------------------------------------------------------------------------------------

    def _same_items(self, gold: Node, golds: Sequence[_Item], answer: Node, answers: Sequence[_Item]) -> bool:
        listed, given = _names(golds), _names(answers)
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
            pieces = [_line(items) for items in (golds, answers)]
            if all(pieces) and any(item.signs or item.node.kind == "cup" for item in (*golds, *answers)):
                return self._unordered(pieces[0] or [], pieces[1] or [], self._same_piece)
        return self._unordered(golds, answers, self._same_item)

    def _named_tuple(
        self, named: Sequence[_Item], whole: _Item, names: Sequence[str], *, swapped: bool = False
    ) -> bool:
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

    def _same_value(self, gold: _Item, answer: _Item) -> bool:
        return not gold.signs and not answer.signs and self.same(gold.node, answer.node)

    def _same_item(self, gold: _Item, answer: _Item) -> bool:
        lines = [_line([item]) if item.signs or item.node.kind in ("cup", "tuple") else None for item in (gold, answer)]
        one, other = lines
        if one and other and (gold.signs or answer.signs or gold.node.kind == "cup" or answer.node.kind == "cup"):
            if _variable(gold) and _variable(answer) and _variable(gold) != _variable(answer):
                return False
            return self._unordered(one, other, self._same_piece)
        if gold.signs or answer.signs:
            return self._same_relation(gold, answer)
        if gold.name is not None and answer.name is not None and gold.name != answer.name:
            if gold.name.kind == answer.name.kind == "symbol":
                return (_symbolic(gold.node) or _symbolic(answer.node)) and self._same_relation(
                    _equation(gold), _equation(answer)
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
            if kinds == {"cup"} and (one := _union(gold)) and (other := _union(answer)):
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
        infinite = [_infinity(one) for one in (gold, answer)]
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
        return not gap or (not any(map(_symbolic, (residue, other, modulus))) and (gap / step).denominator == 1)

    def _proportional(self, gold: Node, answer: Node) -> bool:
        point = Point(1, positive=True)
        ones, others = ([scalar(part, point) for part in node.parts] for node in (gold, answer))
        return all(
            close(a * other, b * one, 1.0)
            for one, other in zip(ones, others, strict=True)
            for a, b in [(ones[0], others[0])]
        )

    def _same_piece(self, gold: _Piece, answer: _Piece) -> bool:
        return gold.brackets == answer.brackets and all(
            one is other if one is None or other is None else self._same_node(one, other)
            for one, other in ((gold.low, answer.low), (gold.high, answer.high))
        )

    # -- values --------------------------------------------------------------------------------------------------

    def _same_scalar(self, gold: Node, answer: Node) -> bool:
        symbolic = _symbolic(gold) or _symbolic(answer)
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
            places = _places(one)
            if places >= _ENOUGH_PLACES and _places(other) < 0:
                value, exact = scalar(one, point), scalar(other, point)
                if abs(inexact(value) - inexact(exact)) < 10.0**-places:
                    return True
        return False

    # -- equations and relations ---------------------------------------------------------------------------------

    def _same_relation(self, gold: _Item, answer: _Item) -> bool:
        if not gold.signs or not answer.signs:
            named, other = (gold, answer) if answer.signs else (answer, gold)
            if named.name is None or other.signs != ("=",):
                return False
            named = _equation(named)
            gold, answer = (named, other) if answer.signs else (other, named)
        ones, others = _sides(gold), _sides(answer)
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


# -- what a tree states ----------------------------------------------------------------------------------------------


def _items(node: Node) -> list[_Item]:
    r"""The stated values of a list or set, or the one stated value; `1 \pm a` states two."""
    spread = node.kind == "list" or (node.kind == "set" and node.parts != (_EMPTY,))
    parts = node.parts if spread else (node,)
    items = [item for part in parts for item in _spread(_item(part))]
    if (
        len(items) == 1
        and items[0].name is not None
        and items[0].node.kind == "set"
        and items[0].node.parts != (_EMPTY,)
    ):
        return _items(items[0].node)  # x in {1, 2}
    return items


def _spread(item: _Item) -> list[_Item]:
    if not _holds(item.node, "plusminus"):
        return [item]
    return [_Item(_with_sign(item.node, sign), item.name, item.signs) for sign in ("\u00b1", "\u2213")]


def _with_sign(node: Node, plus: str) -> Node:
    parts = tuple(_with_sign(part, plus) for part in node.parts)
    if node.kind == "plusminus":
        other = parts[1] if node.name == plus else Node("negative", (parts[1],))
        return Node("+", (parts[0], other))
    return Node(node.kind, parts, node.name, node.value, node.places)


def _item(node: Node) -> _Item:
    if node.kind != "relation":
        return _Item(node)
    signs, parts = node.name.split(), list(node.parts)
    if signs[0] == "in" and len(parts) == 2:
        return _Item(parts[1], parts[0])
    if not set(signs) <= {"=", "~="}:
        return _Item(node, signs=tuple(signs))
    if signs[0] == "~=" and _is_name(parts[0]):
        signs = ["=", *signs[1:]]
    exact = signs.index("~=") if "~=" in signs else len(signs)
    parts = parts[: exact + 1]
    if len(parts) == 1:
        return _Item(parts[0])
    if _is_name(parts[0]):
        return _Item(parts[-1], parts[0])
    if len(parts) == 2 and parts[1].kind == "symbol":
        return _Item(parts[0], parts[1])
    if not any(map(_symbolic, parts)):
        return _Item(parts[-1])
    return _Item(Node("relation", tuple(parts), " ".join(["="] * (len(parts) - 1))), signs=("=",) * (len(parts) - 1))


def _is_name(node: Node) -> bool:
    """Whether a left side only names what stands on the right: x, x_1, f(x), |AB|, A:B, NO/BO, (p, q)."""
    if node.kind == "symbol":
        return True
    if node.kind == "text":
        return True
    if node.kind == "*" and node.name == "()":
        return node.parts[0].kind == "symbol" and _argument(node.parts[1])
    if node.kind == "*" and node.parts[1].kind == "symbol" and node.parts[1].name.startswith("\\angle"):
        return True  # m\angle A
    if node.kind == "call" and node.name == "abs":
        return node.parts[0].kind == "symbol" and node.parts[0].name.isupper()
    if node.kind == "/":
        return all(part.kind == "symbol" and part.name.isupper() and len(part.name) > 1 for part in node.parts)
    return node.kind in ("ratio", "tuple") and all(part.kind == "symbol" for part in node.parts)


def _argument(node: Node) -> bool:
    return node.kind in ("symbol", "number") or (node.kind == "tuple" and all(map(_argument, node.parts)))


def _names(items: Sequence[_Item]) -> list[str] | None:
    """The names of several stated values, where each has one of its own."""
    names = [item.name.name for item in items if item.name is not None and item.name.kind == "symbol"]
    return names if len(items) == len(set(names)) == len(names) > 1 else None


def _holds(node: Node, kind: str) -> bool:
    return node.kind == kind or any(_holds(part, kind) for part in node.parts)


def _symbolic(node: Node) -> bool:
    return (node.kind == "symbol" and node.name not in ("e", "i")) or any(map(_symbolic, node.parts))


def _places(node: Node) -> int:
    if node.kind in ("negative", "unit"):
        return _places(node.parts[0])
    return node.places if node.kind == "number" else -1


def _infinity(node: Node) -> int:
    if node.kind == "constant" and node.name == "inf":
        return 1
    return -_infinity(node.parts[0]) if node.kind == "negative" else 0


def _union(node: Node) -> list[Node]:
    return [part for one in node.parts for part in _union(one)] if node.kind == "cup" else [node]


def _equation(item: _Item) -> _Item:
    assert item.name is not None  # noqa: S101 (for the type checker)
    return _Item(Node("relation", (item.name, item.node), "="), signs=("=",))


def _sides(item: _Item) -> list[tuple[str, Node, Node]] | None:
    """A chain of relations as (sign, left, right), each turned so that the smaller side stands left."""
    found = []
    for sign, (left, right) in zip(item.signs, pairwise(item.node.parts), strict=True):
        if sign in (">", ">="):
            found.append(("<" + sign[1:], right, left))
        elif sign in ("<", "<=", "=", "!="):
            found.append((sign, left, right))
        else:
            return None
    return found[::-1] if len(found) > 1 and item.signs[0] in (">", ">=") else found


def _variable(item: _Item) -> Node | None:
    """The one name that a relation or membership is about."""
    if not item.signs:
        return item.name
    names = [part for part in item.node.parts if _is_name(part)]
    return names[0] if len(names) == 1 else None


def _line(items: Sequence[_Item]) -> list[_Piece] | None:
    """Intervals, sets and inequalities in one unknown, as pieces of the number line; None where it is something else."""
    found: list[_Piece] = []
    for item in items:
        pieces = _inequality(item) if item.signs else _pieces(item.node)
        if pieces is None:
            return None
        found.extend(pieces)
    return found


def _pieces(node: Node) -> list[_Piece] | None:
    if node.kind == "cup":
        return _line([_Item(part) for part in _union(node)])
    if node.kind == "set":
        return [_Piece(part, part, "[]") for part in node.parts]
    if node.kind == "tuple" and len(node.parts) == 2:
        low, high = node.parts
        return [
            _Piece(
                None if _infinity(low) < 0 else low,
                None if _infinity(high) > 0 else high,
                ("(" if _infinity(low) < 0 else node.name[0]) + (")" if _infinity(high) > 0 else node.name[1]),
            )
        ]
    return None


def _inequality(item: _Item) -> list[_Piece] | None:
    sides = _sides(item)
    if sides is None or any(sign not in ("<", "<=") for sign, _, _ in sides) or len(sides) > 2:
        return None
    low = high = None
    brackets = ["(", ")"]
    unknown = None
    for sign, left, right in sides:
        if _is_unknown(left) and not _symbolic_beyond(right):
            unknown, high, brackets[1] = left, right, "]" if sign == "<=" else ")"
        elif _is_unknown(right) and not _symbolic_beyond(left):
            unknown, low, brackets[0] = right, left, "[" if sign == "<=" else "("
        else:
            return None
    if unknown is None:
        return None
    if unknown.kind == "call":  # |x| between bounds
        return _absolute(low, high, brackets)
    return _pieces(Node("tuple", (low or Node("negative", (_INFINITE,)), high or _INFINITE), "".join(brackets)))


def _is_unknown(node: Node) -> bool:
    if node.kind == "call" and node.name == "abs":
        return node.parts[0].kind == "symbol"
    return _is_name(node) and node.kind in ("symbol", "*")


def _symbolic_beyond(node: Node) -> bool:
    return _is_unknown(node)


def _absolute(low: Node | None, high: Node | None, brackets: list[str]) -> list[_Piece] | None:
    def minus(node: Node) -> Node:
        return Node("negative", (node,))

    turned = {"(": ")", "[": "]", ")": "(", "]": "["}
    if low is None and high is not None:
        return [_Piece(minus(high), high, turned[brackets[1]] + brackets[1])]
    if low is None:
        return None
    return [
        _Piece(low, high, "".join(brackets)),
        _Piece(None if high is None else minus(high), minus(low), turned[brackets[1]] + turned[brackets[0]]),
    ]
