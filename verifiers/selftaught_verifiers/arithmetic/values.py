"""Values of arithmetic expressions, exact.

Digits, operands, depth, exponents, factorials and roots are bounded, so that no text is costly. Nothing is handed to `eval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, isqrt

from selftaught_verifiers.arithmetic.tokens import Kind, Token

MAX_TOKENS = 80
"""Longer expressions are not evaluated."""

Value = int | Fraction
"""An exact number; whole ones are ints, which calculate faster."""

_MAX_DIGITS = 30
_MAX_BITS = 400
_MAX_DEPTH = 20
_MAX_EXPONENT = 60
_MAX_FACTORIAL = 60


class NotArithmetic(ValueError):  # noqa: N818 (a finding, no error)
    """The tokens are no arithmetic expression, or one too big to evaluate."""


@lru_cache(maxsize=8192)
def number_value(text: str) -> Value:
    """Return the value of a number token: digits with thousands commas and a currency sign, or a fraction `1/3`.

    Raises:
        NotArithmetic: it has too many digits, or leading zeros as codes and clock times have.
    """
    plain = text.lstrip("$\u20ac\u00a3 ").replace(",", "")
    if len(plain) > _MAX_DIGITS or (plain[0] == "0" and plain[1:2].isdecimal()):
        raise NotArithmetic(text[:40])
    return int(plain) if plain.isdecimal() else simple(Fraction(plain))


def simple(value: Value) -> Value:
    """Return `value` as an int where it is whole."""
    return value.numerator if value.denominator == 1 else value


def evaluate(tokens: Sequence[Token], percent: Fraction) -> Value:
    """Evaluate an expression by precedence climbing, exactly; a root that is irrational to 40 digits.

    Args:
        tokens: the whole expression.
        percent: what a percent sign multiplies by: 1/100, or 1 where percentages are written as plain numbers.

    Raises:
        NotArithmetic: no complete expression, a division by zero, or too big.
    """
    if len(tokens) == 1 and tokens[0].kind is Kind.NUMBER:
        return number_value(tokens[0].text)
    if len(tokens) == 3 and tokens[1].kind is Kind.OPERATOR and tokens[0].kind is Kind.NUMBER is tokens[2].kind:
        return _calculate(number_value(tokens[0].text), tokens[1].text, number_value(tokens[2].text))
    reader = _Reader(tokens, percent)
    value = reader.sum(0)
    if reader.at != len(reader.tokens):
        raise NotArithmetic("something follows the expression")
    return value


def _calculate(one: Value, operator: str, other: Value) -> Value:
    if operator == "+":
        return one + other
    if operator == "-":
        return one - other
    if operator == "/":
        return divide(one, other)
    if operator == "^":
        return power(one, other)
    if operator in ("*", "of"):
        return one * other
    raise NotArithmetic("no operator")


class _Reader:
    def __init__(self, tokens: Sequence[Token], percent: Fraction) -> None:
        if len(tokens) > MAX_TOKENS:
            raise NotArithmetic("too long")
        self.tokens, self.percent, self.at = tokens, percent, 0

    def _peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self, symbols: tuple[str, ...]) -> str | None:
        token = self._peek()
        if token is not None and token.kind is Kind.OPERATOR and token.text in symbols:
            self.at += 1
            return token.text
        return None

    def sum(self, depth: int) -> Value:
        value = self._product(depth)
        while operator := self._take(("+", "-")):
            term = self._product(depth)
            value = value + term if operator == "+" else value - term
        return _bounded(value)

    def _product(self, depth: int) -> Value:
        value = self._power(depth)
        while True:
            operator = self._take(("*", "/", "of")) or ("*" if self._touches() else None)
            if operator is None:
                return value
            factor = self._power(depth)
            value = _bounded(divide(value, factor) if operator == "/" else value * factor)

    def _touches(self) -> bool:
        """2(3+4) is a product; 2 (3+4) may be a remark."""
        token = self._peek()
        return token is not None and token.kind in (Kind.OPEN, Kind.FUNCTION) and not token.spaced

    def _power(self, depth: int) -> Value:
        if self._take(("-",)):
            return -self._power(self._deeper(depth))
        base = self._factorial(depth)
        if not self._take(("^",)):
            return base
        return power(base, self._power(self._deeper(depth)))

    def _factorial(self, depth: int) -> Value:
        value = self._atom(depth)
        while (token := self._peek()) is not None and token.kind is Kind.FACTORIAL:
            if value.denominator != 1 or not 0 <= value <= _MAX_FACTORIAL:
                raise NotArithmetic("a factorial out of bounds")
            value, self.at = factorial(int(value)), self.at + 1
        return value

    def _atom(self, depth: int) -> Value:
        token = self._peek()
        if token is None:
            raise NotArithmetic("an operand is missing")
        self.at += 1
        if token.kind is Kind.NUMBER:
            value = self._mixed(token)
        elif token.kind is Kind.OPEN:
            value = self._group(depth)
        elif token.kind is Kind.FUNCTION:
            value = self._function(token, self._deeper(depth))
        else:
            raise NotArithmetic("an operand is missing")
        after = self._peek()
        if after is not None and after.kind is Kind.PERCENT:
            self.at += 1
            value = simple(value * self.percent)
        return value

    def _mixed(self, token: Token) -> Value:
        """`2 1/2` is two and a half."""
        value, at = number_value(token.text), self.at
        rest = self.tokens[at : at + 3]
        if len(rest) == 3 and rest[0].kind is Kind.NUMBER and rest[1].text == "/" and rest[2].kind is Kind.NUMBER:
            above, below = number_value(rest[0].text), number_value(rest[2].text)
            tight = rest[0].spaced and not rest[1].spaced and not rest[2].spaced
            if not tight or value.denominator != 1 or not 0 < above < below:
                raise NotArithmetic("two numbers side by side")
            self.at += 3
            return value + divide(above, below)
        return value

    def _function(self, token: Token, depth: int) -> Value:
        if token.text == "C":
            return self._choose(depth)
        return root(self._factorial(depth))

    def _choose(self, depth: int) -> Value:
        """`C(n,k)`, written by the tokenizer's caller as C ( n , k ): the comma is an operator here."""
        if (token := self._peek()) is None or token.kind is not Kind.OPEN:
            raise NotArithmetic("a bracket is missing")
        self.at += 1
        above = self.sum(depth)
        if not self._take((",",)):
            raise NotArithmetic("a comma is missing")
        below = self.sum(depth)
        self._close()
        if above.denominator != 1 or below.denominator != 1 or not 0 <= below <= above <= 10 * _MAX_FACTORIAL:
            raise NotArithmetic("a binomial out of bounds")
        return _bounded(comb(int(above), int(below)))

    def _group(self, depth: int) -> Value:
        value = self.sum(self._deeper(depth))
        self._close()
        return value

    def _close(self) -> None:
        if (token := self._peek()) is None or token.kind is not Kind.CLOSE:
            raise NotArithmetic("a bracket is open")
        self.at += 1

    @staticmethod
    def _deeper(depth: int) -> int:
        if depth >= _MAX_DEPTH:
            raise NotArithmetic("too deep")
        return depth + 1


def _bounded(value: Value) -> Value:
    if value.numerator.bit_length() > _MAX_BITS or value.denominator.bit_length() > _MAX_BITS:
        raise NotArithmetic("too big")
    return value


def divide(value: Value, by: Value) -> Value:
    """Return the exact quotient.

    Raises:
        NotArithmetic: a division by zero.
    """
    if by == 0:
        raise NotArithmetic("division by zero")
    if value.denominator == 1 == by.denominator and value % by == 0:
        return value // by
    return simple(Fraction(value) / by)


def power(base: Value, exponent: Value) -> Value:
    """Return `base` to a whole power, or to the power 1/2.

    Raises:
        NotArithmetic: any other exponent, or a result out of bounds.
    """
    if exponent == Fraction(1, 2):
        return root(base)
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT or (base == 0 and exponent < 0):
        raise NotArithmetic("a power out of bounds")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if (bits - 1) * abs(exponent) > _MAX_BITS:
        raise NotArithmetic("a power out of bounds")
    return simple(Fraction(base) ** int(exponent))


_ROOT_DIGITS = 10**40


def root(value: Value) -> Value:
    """Return the square root, exact where it is rational, else cut after 40 digits.

    Raises:
        NotArithmetic: a negative number.
    """
    if value < 0:
        raise NotArithmetic("the root of a negative number")
    above, below = isqrt(value.numerator), isqrt(value.denominator)
    if above * above == value.numerator and below * below == value.denominator:
        return simple(Fraction(above, below))
    return Fraction(isqrt(value.numerator * value.denominator * _ROOT_DIGITS**2), value.denominator * _ROOT_DIGITS)
