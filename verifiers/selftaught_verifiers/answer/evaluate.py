"""The value of a formula's tree at a point, exactly where it is rational, within bounds on what it may cost.

Two formulas are taken as the same where they agree at several points that nobody chose with them in mind: rational functions
exactly (Schwartz and Zippel), others to eleven digits relative to the largest number on the way.
"""

from __future__ import annotations

import cmath
import hashlib
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from selftaught_verifiers.answer.expression import Node, Unreadable

Value = Fraction | complex
Matrix = tuple[tuple[Value, ...], ...]

_MAX_BITS = 150_000
_MAX_FACTORIAL = 5_000
_CLOSE = 1e-11


class TooLarge(ValueError):  # noqa: N818 (it names what the value is)
    """The value, or the way to it, is larger than anything that is computed here."""


class Undefined(ArithmeticError):  # noqa: N818 (it names what the value is)
    """The formula has no value at this point."""


class Unknown(Unreadable):
    """The formula holds a part that has no value here; computer algebra may know more."""


class Point:
    """Values for symbols, made from their names, and the largest number met while a formula is evaluated there.

    Args:
        seed: which point.
        positive: whether all symbols are positive there; else they have either sign.
    """

    def __init__(self, seed: int, *, positive: bool) -> None:
        self.seed, self.positive = seed, positive
        self.scale = 1.0

    def symbol(self, name: str) -> Value:
        """The value of a symbol."""
        if name == "i":
            return 1j
        if name == "e":
            return complex(math.e)
        digest = hashlib.blake2b(f"{self.seed}:{name}".encode(), digest_size=4).digest()
        value = Fraction(17 + int.from_bytes(digest[:2]) % 211, 29 + digest[2] % 41)
        return -value if not self.positive and digest[3] % 2 else value

    def seen(self, value: Value) -> Value:
        """Note how large a value is, and refuse what is beyond bounds or no number."""
        if isinstance(value, Fraction):
            if value.numerator.bit_length() > _MAX_BITS or value.denominator.bit_length() > _MAX_BITS:
                raise TooLarge
            return value
        size = abs(value)
        if not math.isfinite(size):
            raise TooLarge
        self.scale = max(self.scale, size)
        return value


def close(one: Value, other: Value, scale: float) -> bool:
    """Whether two values are the same: exactly where both are rational, else to eleven digits of `scale` or of themselves."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    one, other = inexact(one), inexact(other)
    size = max(abs(one), abs(other))
    if size < 1e-9:  # so small that only its own digits may decide; a true zero is rounding of the scale
        return abs(one - other) <= _CLOSE * size or size <= 1e-15 * scale
    return abs(one - other) <= _CLOSE * size or abs(one - other) <= 1e-14 * scale


def evaluate(node: Node, point: Point) -> Value | Matrix:
    """Return the value of `node` at `point`.

    Raises:
        TooLarge: it, or a part, is beyond bounds.
        Undefined: it has none there.
        Unknown: it holds what has no value.
    """
    function = _KINDS.get(node.kind)
    if function is None:
        raise Unknown(node.kind)
    try:
        return function(node, point)
    except (OverflowError, MemoryError):
        raise TooLarge from None
    except (ZeroDivisionError, ValueError) as error:
        if isinstance(error, (TooLarge, Undefined, Unreadable)):
            raise
        raise Undefined from None


def scalar(node: Node, point: Point) -> Value:
    """Return the value of `node`, which is no matrix.

    Raises:
        Unknown: it is one, or has no value; and all that `evaluate` raises.
    """
    value = evaluate(node, point)
    if isinstance(value, tuple):
        raise Unknown("a matrix")
    return value


def inexact(value: Value) -> complex:
    """Return a number as a complex one; raises TooLarge where floating point has none so large."""
    if not isinstance(value, Fraction):
        return value
    try:
        return complex(float(value))
    except OverflowError:
        raise TooLarge from None


def _add(one: Value, other: Value, point: Point) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return point.seen(one + other)
    one, other = inexact(one), inexact(other)
    point.seen(one)
    point.seen(other)
    return point.seen(one + other)


def _multiply(one: Value, other: Value, point: Point) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return point.seen(one * other)
    return point.seen(inexact(one) * inexact(other))


def _divide(one: Value, other: Value, point: Point) -> Value:
    if not other:
        raise Undefined
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return point.seen(one / other)
    return point.seen(inexact(one) / inexact(other))


def _power(base: Value, exponent: Value, point: Point) -> Value:
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and abs(exponent) <= 2**40:
        whole = exponent.numerator
        if isinstance(base, Fraction):
            if not base and whole < 0:
                raise Undefined
            bits = max(base.numerator.bit_length(), base.denominator.bit_length())
            if abs(base) != 1 and bits > 0 and base and bits * abs(whole) > _MAX_BITS:
                raise TooLarge
            return point.seen(base ** (whole if abs(base) != 1 else whole % 2))
        if abs(whole) > 10_000:
            raise TooLarge
        return point.seen(base**whole)
    if isinstance(exponent, Fraction) and abs(exponent) > 2**40:
        raise TooLarge
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        root = _exact_root(base, exponent.denominator)
        if root is not None:
            return _power(root, Fraction(exponent.numerator), point)
        if base < 0 and exponent.denominator % 2:  # the real root, as people mean it
            size = _power(-base, exponent, point)
            return size if exponent.numerator % 2 == 0 else -size
    base, exponent = inexact(base), inexact(exponent)
    if not base:
        raise Undefined
    return point.seen(_real(base**exponent, base.imag == 0 and base.real > 0 and exponent.imag == 0))


def _real(value: complex, real: bool) -> complex:
    return complex(value.real) if real else value


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    if base < 0 or degree > 64:
        return None
    above, below = (_whole_root(part, degree) for part in (base.numerator, base.denominator))
    return None if above is None or below is None else Fraction(above, below)


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    if value.bit_length() > 1_000:
        return None
    root = round(value ** (1 / degree))
    return next((near for near in (root - 1, root, root + 1) if near >= 0 and near**degree == value), None)


def _call(node: Node, point: Point) -> Value:
    argument, *rest = node.parts
    name = node.name
    if name == "det":
        raise Unknown(name)
    if name in ("gcd", "lcm"):
        return _common(name, argument, point)
    if name in _ANGULAR:
        return point.seen(_ANGULAR[name](inexact(scalar(_in_radians(argument), point))))
    value = scalar(argument, point)
    if name == "sqrt":
        degree = scalar(rest[0], point) if rest else Fraction(2)
        if isinstance(value, Fraction) and value < 0 and degree == 2 and not _symbolic(argument):
            return _multiply(1j, _power(-value, Fraction(1, 2), point), point)
        if isinstance(value, Fraction) and value < 0 and degree == 2:
            raise Undefined  # of a symbol's value: another point may do
        return _power(value, _divide(Fraction(1), degree, point), point)
    if name == "cbrt":
        return _power(value, Fraction(1, 3), point)
    if name == "abs":
        return abs(value) if isinstance(value, Fraction) else complex(abs(value))
    if name in ("floor", "ceil"):
        if isinstance(value, complex) and (value.imag or abs(value.real - round(value.real)) < 1e-9):
            raise Unknown(name)
        return Fraction(math.floor(_whole(value)) if name == "floor" else math.ceil(_whole(value)))
    if name in ("ln", "log", "exp"):
        return _logarithm(name, value, rest, point)
    if name == "binom":
        return _binomial(value, scalar(rest[0], point), point)
    raise Unknown(name)


_DEGREE = Node("/", (Node("constant", name="pi"), Node("number", value=Fraction(180))))


def _in_radians(node: Node) -> Node:
    """An angle with its degrees as shares of pi."""
    if node.kind == "degrees":
        return Node("*", (node.parts[0], _DEGREE))
    if node.kind not in ("+", "*", "/", "negative"):
        return node
    return Node(node.kind, tuple(map(_in_radians, node.parts)), node.name, node.value, node.places)


def _common(name: str, argument: Node, point: Point) -> Value:
    """The greatest common divisor or least common multiple, of fractions too (a symbol's value may be one)."""
    found = Fraction(0) if name == "gcd" else Fraction(1)
    parts = argument.parts if argument.kind == "tuple" else ()
    if len(parts) < 2:
        raise Unknown(name)
    for at, part in enumerate(parts):
        value = scalar(part, point)
        if not isinstance(value, Fraction) or not value:
            raise Unknown(name)
        below = math.lcm(found.denominator, value.denominator)
        both = int(found * below), int(value * below)
        found = (Fraction((math.gcd if name == "gcd" else math.lcm)(*both), below)) if at else abs(value)
    return point.seen(found)


def _whole(value: Value) -> Fraction | float:
    return value if isinstance(value, Fraction) else value.real


def _symbolic(node: Node) -> bool:
    return (node.kind == "symbol" and node.name not in ("i", "e")) or any(map(_symbolic, node.parts))


def _logarithm(name: str, value: Value, rest: list[Node], point: Point) -> Value:
    if name == "exp":
        return point.seen(cmath.exp(inexact(value)))
    if not value:
        raise Undefined
    if isinstance(value, Fraction) and value > 0:
        # Of large integers, which no float holds, too.
        logarithm = complex(math.log(value.numerator) - math.log(value.denominator))
    elif isinstance(value, Fraction):
        raise Undefined
    else:
        logarithm = cmath.log(value)
    if not rest:
        return point.seen(logarithm)
    return _divide(point.seen(logarithm), _logarithm("ln", scalar(rest[0], point), [], point), point)


def _binomial(above: Value, below: Value, point: Point) -> Value:
    if not (isinstance(above, Fraction) and isinstance(below, Fraction)) or below.denominator != 1:
        raise Unknown("binom")
    if above.denominator != 1 and 0 <= below <= 20:  # a symbol's value
        product = Fraction(1)
        for step in range(below.numerator):
            product *= (above - step) / (step + 1)
        return point.seen(product)
    if above.denominator != 1:
        raise Unknown("binom")
    if not 0 <= below <= above or above > _MAX_FACTORIAL:
        raise TooLarge if above > _MAX_FACTORIAL else Unknown("binom")
    return point.seen(Fraction(math.comb(above.numerator, below.numerator)))


def _factorial(node: Node, point: Point) -> Value:
    value = scalar(node.parts[0], point)
    if not isinstance(value, Fraction) or value.denominator != 1 or value < 0 or _symbolic(node.parts[0]):
        raise Unknown("factorial")
    if value > _MAX_FACTORIAL:
        raise TooLarge
    return point.seen(Fraction(math.factorial(value.numerator)))


_ANGULAR: Mapping[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda angle: 1 / cmath.tan(angle),
    "sec": lambda angle: 1 / cmath.cos(angle),
    "csc": lambda angle: 1 / cmath.sin(angle),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
}


_MAX_TERMS = 200


def _big(node: Node, point: Point) -> Value:
    """A sum or product between whole bounds."""
    index, *bounds, body = node.parts
    low, high = (scalar(bound, point) for bound in bounds)
    if not (isinstance(low, Fraction) and isinstance(high, Fraction) and low.denominator == high.denominator == 1):
        raise Unknown(node.name)
    if any(map(_symbolic, bounds)) or high - low >= _MAX_TERMS:
        raise Unknown(node.name)
    total: Value = Fraction(node.name == "prod")
    for value in range(int(low), int(high) + 1):
        term = scalar(substitute(body, index.name, value), point)
        total = _multiply(total, term, point) if node.name == "prod" else _add(total, term, point)
    return total


def substitute(node: Node, name: str, value: int) -> Node:
    """Return `node` with a whole number in the place of a symbol.

    Raises:
        Unknown: the symbol stands in another one's subscript.
    """
    if node.kind == "symbol":
        if node.name == name:
            return Node("number", value=Fraction(value))
        if "_" in node.name and name in node.name.partition("_")[2]:
            raise Unknown("a subscript")
        return node
    parts = tuple(substitute(part, name, value) for part in node.parts)
    return Node(node.kind, parts, node.name, node.value, node.places)


def _constant(node: Node, point: Point) -> Value:
    if node.name == "pi":
        return complex(math.pi)
    raise Unknown(node.name)


def _sum(node: Node, point: Point) -> Value | Matrix:
    one, other = (evaluate(part, point) for part in node.parts)
    if isinstance(one, tuple) and isinstance(other, tuple):
        if len(one) != len(other) or len(one[0]) != len(other[0]):
            raise Undefined
        return tuple(
            tuple(_add(a, b, point) for a, b in zip(*rows, strict=True)) for rows in zip(one, other, strict=True)
        )
    if isinstance(one, tuple) or isinstance(other, tuple):
        raise Undefined
    return _add(one, other, point)


def _product(node: Node, point: Point) -> Value | Matrix:
    one, other = (evaluate(part, point) for part in node.parts)
    if isinstance(one, tuple) and isinstance(other, tuple):
        if len(one[0]) != len(other):
            raise Undefined
        return tuple(tuple(_dot(row, column, point) for column in zip(*other, strict=True)) for row in one)
    if isinstance(one, tuple):
        one, other = other, one
    if isinstance(other, tuple):
        assert not isinstance(one, tuple)  # noqa: S101 (for the type checker)
        return tuple(tuple(_multiply(one, cell, point) for cell in row) for row in other)
    assert not isinstance(one, tuple)  # noqa: S101 (for the type checker)
    return _multiply(one, other, point)


def _dot(row: tuple[Value, ...], column: tuple[Value, ...], point: Point) -> Value:
    total: Value = Fraction(0)
    for one, other in zip(row, column, strict=True):
        total = _add(total, _multiply(one, other, point), point)
    return total


def _negative(node: Node, point: Point) -> Value | Matrix:
    value = evaluate(node.parts[0], point)
    return tuple(tuple(-cell for cell in row) for row in value) if isinstance(value, tuple) else -value


def _matrix(node: Node, point: Point) -> Matrix:
    if node.name:
        raise Unknown("determinant")
    return tuple(tuple(scalar(cell, point) for cell in row.parts) for row in node.parts)


def _raised(node: Node, point: Point) -> Value:
    base, exponent = node.parts
    if base.kind == "symbol" and base.name == "e":
        return point.seen(cmath.exp(inexact(scalar(exponent, point))))
    return _power(scalar(base, point), scalar(exponent, point), point)


_KINDS: Mapping[str, Callable[[Node, Point], Value | Matrix]] = {
    "number": lambda node, point: node.value,
    "symbol": lambda node, point: point.symbol(node.name),
    "constant": _constant,
    "+": _sum,
    "*": _product,
    "/": lambda node, point: _divide(scalar(node.parts[0], point), scalar(node.parts[1], point), point),
    "^": _raised,
    "negative": _negative,
    "factorial": _factorial,
    "percent": lambda node, point: _divide(scalar(node.parts[0], point), Fraction(100), point),
    "degrees": lambda node, point: scalar(node.parts[0], point),
    "call": _call,
    "big": _big,
    "matrix": _matrix,
    "unit": lambda node, point: evaluate(node.parts[0], point),
}
