r"""Reading mathematics as people and models write it, in LaTeX or plain ASCII, into a tree; nothing is evaluated here.

The grammar is what final answers are made of: numbers, symbols, roots, powers, functions, factorials, `\pm`, tuples, intervals,
sets and unions, matrices, ratios, equations and relations, and lists of these. What it does not know (sums, limits,
integrals) raises `Unreadable`, and is left to computer algebra.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from selftaught_verifiers.text.numbers import parse_decimal
from selftaught_verifiers.text.plain import unify, words

MAX_LENGTH = 1_500
"""Characters of a formula that are read."""

_MAX_TOKENS = 600
_MAX_DEPTH = 40
_MAX_PARTS = 60


class Unreadable(ValueError):  # noqa: N818 (it names what the text is)
    """The text is no formula of this grammar."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a formula.

    Attributes:
        kind: what it is: `number`, `symbol`, `+`, `*`, `/`, `^`, `negative`, `plusminus`, `call`, `tuple`, `set`, `list`,
            `relation`, `ratio`, `union`, `matrix`, ...
        parts: the parts it is made of.
        name: of a symbol or function its name, of a tuple its two brackets, of a relation its signs, `()` of a product
            whose second part stands in brackets: f(x).
        value: of a number its value.
        places: of a number the decimal places written, -1 where it is no decimal.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: Fraction = Fraction(0)
    places: int = -1


_TOKEN = re.compile(
    r"\\(?:begin|end)\s*\{[a-z]{1,12}\*?\}(?:\s*\{[clr| ]{1,20}\})?"
    r"|\\[A-Za-z]+|\\\\|\\."
    r"|\d+(?:\.\d+)?|\.\d+"
    r"|[A-Za-z]+|<=|>=|!=|==|\*\*|->|\.\.\.|\s+|.",
    re.DOTALL,
)
_DROPPED = frozenset(
    words(
        r"\left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \displaystyle \textstyle \limits \; \: \! \quad \qquad "
        r"\middle \rm \bf \it \notag \nonumber"
    )
) | {r"\,", r"\ ", "$", "&nbsp;", "~", r"\(", r"\)", r"\[", r"\]"}
_WORDED = frozenset(
    words(
        r"\text \textbf \textit \textrm \textnormal \mbox \mathrm \mathbf \mathit \mathsf \operatorname \textup \hbox \mathcal "
        r"\boldsymbol \bm \mathbb \vec \overrightarrow \overline \widehat \hat \bar \fbox"
    )
)
_RENAMED = {
    r"\cdot": "*", r"\times": "*", r"\ast": "*", r"\div": "/", r"\pm": "\u00b1", r"\mp": "\u2213", r"\le": "<=",
    r"\leq": "<=",
    r"\leqslant": "<=", r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=", r"\lt": "<", r"\gt": ">", r"\neq": "!=",
    r"\ne": "!=",
    r"\equiv": "==", "\u2261": "==",
    r"\in": "in", r"\approx": "~=", r"\simeq": "~=", r"\cup": "cup", r"\bigcup": "cup", r"\cap": "cap", r"\infty": "inf",
    r"\pi": "pi", r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\dbinom": r"\binom", r"\tbinom": r"\binom",
    r"\%": "%", r"\degree": "deg", r"\{": "{set", r"\}": "set}", r"\lbrace": "{set", r"\rbrace": "set}", r"\lvert": "|",
    r"\rvert": "|", r"\vert": "|", r"\mid": "|", r"\langle": "<(", r"\rangle": ")>", r"\lfloor": "floor(",
    r"\rfloor": "floor)",
    r"\lceil": "ceil(", r"\rceil": "ceil)", r"\colon": ":", r"\emptyset": "empty", r"\varnothing": "empty", r"\lbrack": "[",
    r"\rbrack": "]", r"\setminus": "setminus", r"\backslash": "setminus", r"\implies": "=>", r"\varphi": r"\phi",
    r"\varepsilon": r"\epsilon", r"\vartheta": r"\theta", r"\and": ",", r"\or": ",", r"\wedge": ",", r"\land": ",",
    r"\lor": ",",
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u2208": "in", "\u2248": "~=", "\u222a": "cup", "\u2229": "cap",
    "\u221e": "inf", "\u03c0": "pi", "\u221a": "sqrt", "\u00b0": "deg", "\u2205": "empty", "\u03b8": r"\theta",
    "\u03b1": r"\alpha",
    "\u03b2": r"\beta", "\u03bb": r"\lambda", "**": "^", "==": "=", "and": ",", "or": ",", "infinity": "inf", "infty": "inf",
    "oo": "inf", "U": "U", "degrees": "deg", "degree": "deg", "percent": "%", r"\#": "#", "\uff1b": ";",
}  # fmt: skip
_FUNCTIONS = frozenset(
    words(
        "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh ln log exp sqrt abs lg cbrt min max gcd lcm"
    )
)
_GREEK = frozenset(
    "\\" + name
    for name in words(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi psi omega Gamma Delta "
        "Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar circ angle triangle"
    )
)
_RELATIONS = frozenset(("=", "==", "<", ">", "<=", ">=", "!=", "in", "~="))
_CLOSES = frozenset((")", "]", "}", "set}", "|", ")>", "floor)", "ceil)"))


def parse(text: str) -> Node:
    """Return the tree of a formula.

    A list's parts stand between commas, semicolons, `and` or `or`; a `unit` node wraps what had trailing words.

    Raises:
        Unreadable: it is none, or too long or deep.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    parser = _Parser(_tokens(_prepared(text)))
    node = parser.items(frozenset(("",)))
    if parser.peek():
        raise Unreadable(f"{parser.peek()!r} is left over")
    return node


def _prepared(text: str) -> str:
    text = unify(text).replace("\\\\\\\\", "\\\\").replace("{,}", "\uff0c")
    text = re.sub(r"\\quad(?=[a-z])", " ", re.sub(r",\s?\\!\s?", "\uff0c", text))
    text = _REPEATING.sub(_repeated, _JOINS.sub(" , ", text))
    text = re.sub(r"(?<=\d)(?:\\,|\\ )(?=\d{3})", "", text)
    text = _MODULUS.sub(lambda match: f"\\modulus{{{next(filter(None, match.groups()))}}}", text)
    return text if "\\begin" in text else re.sub(r"\\\\(?=[A-Za-z]{2})", r"\\", text)


_MODULUS = re.compile(
    r"\\pmod\s*(?:\{([^{}]{1,20})\}|(\w+))"
    r"|\(\s*(?:\\(?:text|mathrm|operatorname)\s*\{\s*mod\s*\}|\\?b?mod)\s*(?:\{([^{}]{1,20})\}|([\w^]{1,20}))\s*\)"
)
_REPEATING = re.compile(r"(?<![\d.])(\d{0,20})\.(\d{0,20})\\(?:overline|bar|dot)\s*(?:\{(\d{1,20})\}|(\d))")


def _repeated(match: re.Match[str]) -> str:
    r"""`0.1\overline{6}` as a fraction."""
    whole, fixed, repeated = match[1] or "0", match[2], match[3] or match[4]
    above = int(whole + fixed + repeated) - int(whole + fixed)
    return f"\\frac{{{above}}}{{{(10 ** len(repeated) - 1) * 10 ** len(fixed)}}}"


_JOINS = re.compile(r"\\(?:text(?:bf|rm|normal|it)?|mbox|mathrm|quad)\s*\{\s*,?\s*(?:and|or|,|;)\s*\}")

# A thousands comma: 1,234,567 with no digit before or after; inside brackets a comma parts items.
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")


def _tokens(text: str) -> list[str]:
    if "," in text and not re.search(r"[(\[{]", text):
        text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = text.replace("\uff0c", "")
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        lexeme = match[0]
        if lexeme.isspace():
            if found and found[-1] != " ":
                found.append(" ")
            continue
        if lexeme in _DROPPED:
            continue
        found.append(_RENAMED.get(lexeme, lexeme))
        if len(found) > _MAX_TOKENS:
            raise Unreadable("too long")
    return found


def number(value: Fraction | int, places: int = -1) -> Node:
    """Return the node of a number."""
    return Node("number", value=Fraction(value), places=places)


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.in_bars = 0

    def peek(self) -> str:
        """The next lexeme that is no space; "" at the end."""
        while self.at < len(self.tokens) and self.tokens[self.at] == " ":
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        lexeme = self.peek()
        self.at += 1
        return lexeme

    def expect(self, lexeme: str) -> None:
        if self.take() != lexeme:
            raise Unreadable(f"{lexeme!r} is missing")

    def spaced(self) -> bool:
        """Whether a space stands before the next lexeme."""
        return self.at < len(self.tokens) and self.tokens[self.at] == " "

    # -- lists, relations, unions --------------------------------------------------------------------------------

    def items(self, ends: frozenset[str]) -> Node:
        """Items between commas and semicolons; where both stand, a semicolon parts groups."""
        groups: list[list[Node]] = [[]]
        self._skip_separators()
        while self.peek() not in ends:
            groups[-1].append(self.relation())
            if sum(map(len, groups)) > _MAX_PARTS:
                raise Unreadable("too many items")
            separator = self.peek()
            if separator in ends:
                break
            if separator not in (",", ";") and not self._trailing(ends):
                raise Unreadable(f"{separator!r} after an item")
            if self._skip_separators() and groups[-1]:
                groups.append([])
        groups = [group for group in groups if group]
        if len(groups) > 1 and any(len(group) > 1 for group in groups):
            return Node("list", tuple(Node("tuple", tuple(group), "()") for group in groups))
        flat = tuple(item for group in groups for item in group)
        if not flat:
            raise Unreadable("nothing")
        return flat[0] if len(flat) == 1 else Node("list", flat)

    def _skip_separators(self) -> bool:
        semicolon = False
        while self.peek() in (",", ";"):
            semicolon = self.take() == ";" or semicolon
        return semicolon

    def _trailing(self, ends: frozenset[str]) -> bool:
        """Skip a full stop at the very end."""
        mark = self.at
        if self.peek() == ".":
            self.take()
            if self.peek() in ends:
                return True
        self.at = mark
        return False

    def relation(self) -> Node:
        parts, signs = [self.ratio()], []
        while self.peek() in _RELATIONS:
            signs.append(self.take())
            parts.append(self.ratio())
            if len(parts) > _MAX_PARTS:
                raise Unreadable("too many signs")
        if self.peek() == "\\modulus":
            if set(signs) - {"=="} or len(parts) > 2:
                raise Unreadable("a modulus")
            self.take()
            return Node("congruence", (*parts, self.braced()))
        if "==" in signs:
            raise Unreadable("a congruence without its modulus")
        return Node("relation", tuple(parts), " ".join(signs)) if signs else parts[0]

    def ratio(self) -> Node:
        parts = [self.union()]
        while self.peek() == ":":
            self.take()
            parts.append(self.union())
        return Node("ratio", tuple(parts)) if len(parts) > 1 else parts[0]

    def union(self) -> Node:
        node = self.sum()
        while True:
            lexeme = self.peek()
            if lexeme == "U" and node.kind in ("tuple", "set", "cup"):
                lexeme = "cup"
            if lexeme not in ("cup", "cap", "setminus"):
                return node
            self.take()
            node = Node(lexeme, (node, self.sum()))

    # -- arithmetic ------------------------------------------------------------------------------------------------

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")
        lexeme = self.peek()
        if lexeme in ("+", "-", "\u00b1", "\u2213"):
            self.take()
            node = self.product()
            node = {"+": node, "-": Node("negative", (node,))}.get(lexeme) or Node(
                "plusminus", (number(0), node), lexeme
            )
        else:
            node = self.product()
        while self.peek() in ("+", "-", "\u00b1", "\u2213"):
            lexeme = self.take()
            other = self.product()
            if lexeme == "+":
                node = Node("+", (node, other))
            elif lexeme == "-":
                node = Node("+", (node, Node("negative", (other,))))
            else:
                node = Node("plusminus", (node, other), lexeme)
        self.depth -= 1
        return node

    def product(self) -> Node:
        node = self.factor()
        while True:
            lexeme = self.peek()
            if lexeme in ("*", "/"):
                self.take()
                node = Node(lexeme, (node, self.factor()))
            elif self._juxtaposed(lexeme):
                before, opens = self.tokens[self.at - 1], lexeme
                other = self.factor()
                if other.kind == "number" and (node.kind == "number" or before == " "):
                    raise Unreadable("numbers in a row")  # 1 2 3 is no product, x 2 none either
                node = self._joined(node, other, opens)
            else:
                return node

    def _juxtaposed(self, lexeme: str) -> bool:
        if (
            not lexeme
            or lexeme in _CLOSES
            or lexeme in _RELATIONS
            or lexeme in (",", ";", "&", "\\\\", ":", ".", "!", "\\modulus")
        ):
            return False
        if lexeme == "|":
            return not self.in_bars
        if lexeme in (
            "+",
            "-",
            "\u00b1",
            "\u2213",
            "*",
            "/",
            "^",
            "_",
            "cup",
            "cap",
            "setminus",
            "in",
            "U",
            "%",
            "deg",
            "'",
        ):
            return False
        return lexeme not in ("[", "{set", "<(") and not lexeme.startswith("\\end")

    def _joined(self, node: Node, other: Node, opens: str) -> Node:
        if other.kind == "text":
            return Node("unit", (node,), other.name)
        whole = node.kind == "number" and node.value.denominator == 1 and node.places < 0
        if whole and other.kind == "/" and other.name == "frac":
            above, below = other.parts
            if above.kind == below.kind == "number" and 0 < above.value < below.value:
                return Node("+", (node, other))  # 3\frac{1}{2} is a mixed number
        return Node("*", (node, other), "()" if opens == "(" else "")

    def factor(self) -> Node:
        if self.peek() in ("-", "+"):
            sign = self.take()
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise Unreadable("too deep")
            node = self.factor()
            self.depth -= 1
            return Node("negative", (node,)) if sign == "-" else node
        node = self.primary()
        while True:
            lexeme = self.peek()
            if lexeme == "^":
                self.take()
                if self.peek() in ("\\circ", "deg"):
                    self.take()
                    node = Node("degrees", (node,))
                    continue
                mark = self.at
                if self.peek() == "{":
                    self.take()
                    if self.take() in ("\\circ", "deg") and self.peek() == "}":
                        self.take()
                        node = Node("degrees", (node,))
                        continue
                    self.at = mark
                if self.peek() in ("\\prime", "'"):
                    self.take()
                    node = self._primed(node)
                    continue
                node = Node("^", (node, self._exponent()))
            elif lexeme == "!":
                self.take()
                node = Node("factorial", (node,))
            elif lexeme == "%":
                self.take()
                node = Node("percent", (node,))
            elif lexeme == "deg":
                self.take()
                node = Node("degrees", (node,))
            elif lexeme == "'":
                self.take()
                node = self._primed(node)
            else:
                return node

    def _primed(self, node: Node) -> Node:
        if node.kind != "symbol":
            raise Unreadable("a prime after no symbol")
        return Node("symbol", name=node.name + "'")

    def _exponent(self) -> Node:
        if self.peek() == "{":
            return self.braced()
        return self.factor()

    def braced(self) -> Node:
        """The content of LaTeX braces, or the one lexeme there."""
        if self.peek() == "{":
            self.take()
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise Unreadable("too deep")
            node = self.items(frozenset("}"))
            self.expect("}")
            self.depth -= 1
            return node
        lexeme = self.peek()
        if lexeme.isdecimal() and len(lexeme) > 1:
            self.tokens[self.at] = lexeme[1:]  # \frac13 is one third
            return number(int(lexeme[0]))
        return self.primary()

    def primary(self) -> Node:
        lexeme = self.take()
        if not lexeme:
            raise Unreadable("it ends early")
        if lexeme[0].isdecimal() or (lexeme[0] == "." and len(lexeme) > 1 and lexeme[1].isdecimal()):
            return _decimal(lexeme)
        if lexeme in ("(", "["):
            return self._bracketed(lexeme)
        if lexeme == "<(":
            return self._list_in("<(", ")>", "()")
        if lexeme in ("{set", "{"):
            return self._braces(lexeme)
        if lexeme == "|":
            self.in_bars += 1
            node = Node("call", (self.sum(),), "abs")
            self.in_bars -= 1
            self.expect("|")
            return node
        if lexeme in ("floor(", "ceil("):
            node = Node("call", (self.sum(),), lexeme[:-1])
            self.expect(f"{lexeme[:-1]})")
            return node
        if lexeme.startswith("\\begin"):
            return self._matrix(lexeme)
        if lexeme == "\\boxed" or lexeme in _WORDED:
            return self._worded(lexeme)
        if lexeme == "\\frac":
            above, below = self.braced(), self.braced()
            if above == Node("symbol", name="d") and below.kind == "*" and below.parts[0] == above:
                raise Unreadable("a derivative")
            return Node("/", (above, below), "frac")
        if lexeme in ("\\sum", "\\prod"):
            return self._big(lexeme[1:])
        if lexeme == "\\binom":
            return Node("call", (self.braced(), self.braced()), "binom")
        name = lexeme.lstrip("\\")
        if name in _FUNCTIONS:
            return self._function(name)
        if lexeme in ("inf", "pi", "empty"):
            return Node("constant", name=lexeme)
        return self._symbol(lexeme)

    def _bracketed(self, opening: str) -> Node:
        bars, self.in_bars = self.in_bars, 0
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")
        if self.peek() in (")", "]"):
            raise Unreadable("empty brackets")
        mark = self.at
        node = self.items(frozenset((")", "]")))
        closing = self.take()
        if closing not in (")", "]"):
            raise Unreadable("a bracket is left open")
        self.depth -= 1
        self.in_bars = bars
        commas = self._separated(mark, self.at - 1)
        if node.kind == "list" or commas:
            parts = node.parts if node.kind == "list" else (node,)
            return Node("tuple", parts, opening + closing)
        if opening + closing == "()":
            return node if node.kind != "relation" else Node("tuple", (node,), "()")
        if opening + closing == "[]":
            return Node("tuple", (node,), "[]") if node.kind != "matrix" else node
        raise Unreadable("brackets that do not fit")

    def _separated(self, start: int, end: int) -> bool:
        return bool(end > start and "," in self.tokens[start:end] and self.tokens[end - 1] == ",")

    def _list_in(self, opening: str, closing: str, brackets: str) -> Node:
        node = self.items(frozenset((closing,)))
        self.expect(closing)
        return Node("tuple", node.parts if node.kind == "list" else (node,), brackets)

    def _braces(self, opening: str) -> Node:
        closing = "set}" if opening == "{set" else "}"
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")
        if self.peek() == closing:
            self.take()
            self.depth -= 1
            return Node("constant", name="empty")
        node = self.items(frozenset((closing,)))
        self.expect(closing)
        self.depth -= 1
        if opening == "{set" or node.kind == "list":
            return Node("set", node.parts if node.kind == "list" else (node,))
        return node

    def _big(self, name: str) -> Node:
        """A sum or product over an index, up to the next plus or minus sign."""
        self.expect("_")
        self.expect("{")
        low = self.relation()
        self.expect("}")
        self.expect("^")
        high = self._exponent()
        if low.kind != "relation" or low.name != "=" or len(low.parts) != 2 or low.parts[0].kind != "symbol":
            raise Unreadable(f"a {name} without an index")
        return Node("big", (*low.parts, high, self.product()), name)

    def _matrix(self, lexeme: str) -> Node:
        name = re.sub(r"\\begin\s*\{|\}.*", "", lexeme)
        if name not in ("pmatrix", "bmatrix", "matrix", "array", "vmatrix", "Bmatrix", "smallmatrix"):
            raise Unreadable(name)
        rows: list[list[Node]] = [[]]
        while not self.peek().startswith("\\end"):
            sign = self.peek()
            if not sign:
                raise Unreadable("a matrix is left open")
            if sign == "\\\\":
                self.take()
                if not rows[-1]:
                    raise Unreadable("an empty row")
                rows.append([])
            elif sign == "&":
                self.take()
            else:
                rows[-1].append(self.sum())
            if sum(map(len, rows)) > _MAX_PARTS:
                raise Unreadable("too many cells")
        self.take()
        rows = [row for row in rows if row]
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise Unreadable("no rectangle")
        return Node("matrix", tuple(Node("row", tuple(row)) for row in rows), "det" if name == "vmatrix" else "")

    def _worded(self, lexeme: str) -> Node:
        r"""`\text{...}`: a letter or number is itself, other words are text."""
        if lexeme == "\\boxed":
            return self.braced()
        if self.peek() != "{":
            return self.primary()
        mark = self.at
        self.take()
        inner, depth = [], 1
        while True:
            if self.at >= len(self.tokens):
                raise Unreadable("a brace is left open")
            part = self.tokens[self.at]
            self.at += 1
            depth += (part == "{") - (part == "}")
            if not depth:
                break
            inner.append(part)
        said = "".join(inner).strip()
        if said in (",", ", ,"):
            self.at = mark
            raise Unreadable("a separator")
        if lexeme in (
            "\\vec",
            "\\overrightarrow",
            "\\overline",
            "\\widehat",
            "\\hat",
            "\\bar",
            "\\mathbb",
            "\\mathcal",
        ):
            return Node("symbol", name=f"{lexeme}{{{said}}}")
        if re.fullmatch(r"\(?[A-Za-z]\)?|\(?[-+]?\d+(?:\.\d+)?\)?", said) or said.lstrip("\\") in _FUNCTIONS:
            self.tokens[mark : self.at] = _tokens(said)
            self.at = mark
            return self.primary()
        return Node("text", name=" ".join(said.casefold().split()))

    def _function(self, name: str) -> Node:
        base: tuple[Node, ...] = ()
        power: Node | None = None
        if name == "sqrt" and self.peek() == "[":
            self.take()
            base = (self.sum(),)
            self.expect("]")
        for _ in range(2):
            if self.peek() == "_" and name in ("log", "min", "max"):
                self.take()
                base = (self.braced(),)
            elif self.peek() == "^" and name not in ("sqrt", "abs"):
                self.take()
                power = self._exponent()
        if self.peek() == "{" or (name == "sqrt" and self.peek() not in ("(", "{") and self.peek()):
            argument = self._root_argument() if name == "sqrt" else self.braced()
        elif self.peek() == "(":
            self.take()
            inner = self._bracketed("(")
            argument = inner
        elif name in ("min", "max", "abs", "cbrt", "gcd", "lcm"):
            raise Unreadable(f"{name} of nothing")
        else:
            argument = self._bare_argument()
        if name == "lg":
            name, base = "log", (number(10),)
        node = Node("call", (argument, *base), {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}.get(name, name))
        if power is not None and power.kind == "negative":
            raise Unreadable("an inverse function")
        return Node("^", (node, power)) if power is not None else node

    def _root_argument(self) -> Node:
        return self.braced() if self.peek() == "{" else self.primary()

    def _bare_argument(self) -> Node:
        r"""`\sin 2x` takes what stands side by side, up to the next function."""
        node = self.factor()
        while True:
            lexeme = self.peek()
            if not self._juxtaposed(lexeme) or lexeme in ("(", "|") or lexeme.lstrip("\\") in _FUNCTIONS:
                return node
            if lexeme.startswith("\\") and lexeme not in _GREEK and lexeme not in ("\\frac",):
                return node
            other = self.factor()
            if other.kind in ("number", "text"):
                raise Unreadable("an argument that cannot be told")
            node = Node("*", (node, other))

    def _symbol(self, lexeme: str) -> Node:
        if lexeme in _GREEK:
            if lexeme in ("\\angle", "\\triangle", "\\Delta") and self.peek().isalpha():
                return self._symbol_named(lexeme + self.take())
            return self._symbol_named(lexeme)
        if not lexeme.isalpha() or not lexeme.isascii():
            raise Unreadable(f"{lexeme!r}")
        if len(lexeme) == 1:
            return self._symbol_named(lexeme)
        if lexeme.isupper() and len(lexeme) <= 4:
            return Node("symbol", name=lexeme)
        if len(lexeme) == 2 or (
            len(lexeme) == 3 and (lexeme in ("abc", "xyz", "pqr") or not set(lexeme) & set("aeiouAEIOU"))
        ):
            self.tokens[self.at - 1 : self.at] = list(lexeme)
            return self._symbol_named(lexeme[0])
        if self.peek() != "=":
            raise Unreadable(f"the word {lexeme!r}")
        return Node("symbol", name=lexeme.casefold())  # area = 12

    def _symbol_named(self, name: str) -> Node:
        if self.peek() == "_":
            self.take()
            if self.peek() == "{":
                self.take()
                inner = []
                depth = 1
                while depth:
                    if self.at >= len(self.tokens):
                        raise Unreadable("a brace is left open")
                    part = self.take()
                    depth += (part == "{") - (part == "}")
                    inner.append(part)
                name += "_" + "".join(inner[:-1])
            else:
                name += "_" + self.take()
        return Node("symbol", name=name)


def _decimal(lexeme: str) -> Node:
    value = parse_decimal(lexeme)
    if value is None:
        raise Unreadable("a number that is none")
    return number(value, len(lexeme.partition(".")[2]) if "." in lexeme else -1)
