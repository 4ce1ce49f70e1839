"""The shape of a formula: the items that it lists, and the pieces of a line that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from selftaught_verifiers.answer.expression import Node


@dataclass(frozen=True, slots=True)
class Item:
    """One stated value with the name it was given, or a relation (then `signs` are set)."""

    node: Node
    name: Node | None = None
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the number line; a point where both ends are one."""

    low: Node | None
    high: Node | None
    brackets: str


_INFINITE = Node("constant", name="inf")
_EMPTY = Node("constant", name="empty")


def items_of(node: Node) -> list[Item]:
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
        return items_of(items[0].node)  # x in {1, 2}
    return items


def _spread(item: Item) -> list[Item]:
    if not _holds(item.node, "plusminus"):
        return [item]
    return [Item(_with_sign(item.node, sign), item.name, item.signs) for sign in ("\u00b1", "\u2213")]


def _with_sign(node: Node, plus: str) -> Node:
    parts = tuple(_with_sign(part, plus) for part in node.parts)
    if node.kind == "plusminus":
        other = parts[1] if node.name == plus else Node("negative", (parts[1],))
        return Node("+", (parts[0], other))
    return Node(node.kind, parts, node.name, node.value, node.places)


def _item(node: Node) -> Item:
    if node.kind != "relation":
        return Item(node)
    signs, parts = node.name.split(), list(node.parts)
    if signs[0] == "in" and len(parts) == 2:
        return Item(parts[1], parts[0])
    if not set(signs) <= {"=", "~="}:
        return Item(node, signs=tuple(signs))
    if signs[0] == "~=" and _is_name(parts[0]):
        signs = ["=", *signs[1:]]
    exact = signs.index("~=") if "~=" in signs else len(signs)
    parts = parts[: exact + 1]
    if len(parts) == 1:
        return Item(parts[0])
    if _is_name(parts[0]):
        return Item(parts[-1], parts[0])
    if len(parts) == 2 and parts[1].kind == "symbol":
        return Item(parts[0], parts[1])
    if not any(map(is_symbolic, parts)):
        return Item(parts[-1])
    return Item(Node("relation", tuple(parts), " ".join(["="] * (len(parts) - 1))), signs=("=",) * (len(parts) - 1))


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


def names_of(items: Sequence[Item]) -> list[str] | None:
    """The names of several stated values, where each has one of its own."""
    names = [item.name.name for item in items if item.name is not None and item.name.kind == "symbol"]
    return names if len(items) == len(set(names)) == len(names) > 1 else None


def _holds(node: Node, kind: str) -> bool:
    return node.kind == kind or any(_holds(part, kind) for part in node.parts)


def is_symbolic(node: Node) -> bool:
    """Whether a formula has a symbol other than e and i."""
    return (node.kind == "symbol" and node.name not in ("e", "i")) or any(map(is_symbolic, node.parts))


def places_of(node: Node) -> int:
    """How many decimal places a number is written with; -1 for anything else."""
    if node.kind in ("negative", "unit"):
        return places_of(node.parts[0])
    return node.places if node.kind == "number" else -1


def infinity(node: Node) -> int:
    """1 for infinity, -1 for minus infinity, 0 for anything else."""
    if node.kind == "constant" and node.name == "inf":
        return 1
    return -infinity(node.parts[0]) if node.kind == "negative" else 0


def union(node: Node) -> list[Node]:
    """The parts of a union, or the one part that there is."""
    return [part for one in node.parts for part in union(one)] if node.kind == "cup" else [node]


def equation(item: Item) -> Item:
    """A named value as a relation: the name equals the value."""
    assert item.name is not None  # noqa: S101 (for the type checker)
    return Item(Node("relation", (item.name, item.node), "="), signs=("=",))


def sides_of(item: Item) -> list[tuple[str, Node, Node]] | None:
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


def variable(item: Item) -> Node | None:
    """The one name that a relation or membership is about."""
    if not item.signs:
        return item.name
    names = [part for part in item.node.parts if _is_name(part)]
    return names[0] if len(names) == 1 else None


def pieces_of_line(items: Sequence[Item]) -> list[Piece] | None:
    """Intervals, sets and inequalities in one unknown, as pieces of the number line; None where it is something else."""
    found: list[Piece] = []
    for item in items:
        pieces = _inequality(item) if item.signs else _pieces(item.node)
        if pieces is None:
            return None
        found.extend(pieces)
    return found


def _pieces(node: Node) -> list[Piece] | None:
    if node.kind == "cup":
        return pieces_of_line([Item(part) for part in union(node)])
    if node.kind == "set":
        return [Piece(part, part, "[]") for part in node.parts]
    if node.kind == "tuple" and len(node.parts) == 2:
        low, high = node.parts
        return [
            Piece(
                None if infinity(low) < 0 else low,
                None if infinity(high) > 0 else high,
                ("(" if infinity(low) < 0 else node.name[0]) + (")" if infinity(high) > 0 else node.name[1]),
            )
        ]
    return None


def _inequality(item: Item) -> list[Piece] | None:
    sides = sides_of(item)
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


def _absolute(low: Node | None, high: Node | None, brackets: list[str]) -> list[Piece] | None:
    def minus(node: Node) -> Node:
        return Node("negative", (node,))

    turned = {"(": ")", "[": "]", ")": "(", "]": "["}
    if low is None and high is not None:
        return [Piece(minus(high), high, turned[brackets[1]] + brackets[1])]
    if low is None:
        return None
    return [
        Piece(low, high, "".join(brackets)),
        Piece(None if high is None else minus(high), minus(low), turned[brackets[1]] + turned[brackets[0]]),
    ]
