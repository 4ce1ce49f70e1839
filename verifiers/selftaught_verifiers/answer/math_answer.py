"""Reading the formula that a final answer states, and comparing it with the known one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from selftaught_verifiers.answer import algebra
from selftaught_verifiers.answer.expression import MAX_LENGTH, Node
from selftaught_verifiers.answer.formula import NeedsAlgebra, read_formula, same_formula
from selftaught_verifiers.answer.reading import SENTENCE_END
from selftaught_verifiers.text.extract import Final, find_final
from selftaught_verifiers.text.plain import unify, without_bold
from selftaught_verifiers.text.units import measure

_SEGMENT = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\\\[(?P<b>.+?)\\\]|\\\((?P<c>.+?)\\\)|(?<!\\)\$(?P<d>(?:[^$\\]|\\.)+)\$(?!\d)", re.DOTALL
)
_JOINED = re.compile(r"[\s,;.]*(?:\b(?:and|or)\b)?[\s,;]*", re.IGNORECASE)
# After one of these words a further formula explains the first.
_EXPLAINS = re.compile(
    r"[^$]{0,80}?\b(?:because|since|as|which|where|given|after|when|if|for|with|from|by|so|in|of)\b", re.IGNORECASE
)
_LATEX = re.compile(r"\\(?!(?:text|mbox|mathrm|textbf|textit|operatorname)\b)[A-Za-z]{2,}")
_WORD_AND_DIGITS = re.compile(r"[A-Za-z]+\d+[A-Za-z]*")  # H2O, Q1
_MATHEMATICAL = re.compile(r"[\d\\^=<>+*/|\u2264\u2265\u221a\u03c0\u221e\u222a-]")
_SPOKEN_UNIT = re.compile(
    r"(?P<rest>.*(?:[\d)}\u03c0]|\\pi))\s*(?:\\(?:text|mbox|mathrm|textrm|textnormal)\s*\{\s*)?"
    r"(?P<unit>(?:(?:square|cubic|sq\.?|cu\.?)\s)?[A-Za-z]{2,12}(?:\s?/\s?[A-Za-z]{1,8})?)\s*\}?(?:\^\{?[23]\}?)?",
    re.DOTALL,
)
_UNITS = frozenset(("unit", "units", "square units", "cubic units", "sq units", "cubic unit", "square unit"))


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as it was written, and its tree where the own grammar reads it.

    Attributes:
        text: what stands there, without the marks of LaTeX's math mode.
        node: its tree; None where only computer algebra may read it.
    """

    text: str
    node: Node | None


@lru_cache(maxsize=4096)
def gold_formula(gold: str) -> Formula | None:
    """Return a known answer as a formula, None where it is none: a word, a name, a sentence."""
    text = unify(gold.strip())
    if len(text) > MAX_LENGTH:
        return None
    if "boxed" in text:
        text = find_final(text, "math").text
    inner = _one_formula(text) or text
    node = _node(inner)
    if node is not None and not _has_words(node):
        return Formula(inner, node) if _MATHEMATICAL.search(inner) and not _WORD_AND_DIGITS.fullmatch(inner) else None
    if _LATEX.search(inner) and not re.search(r"(?<![\\A-Za-z{])[a-z]{4,}", inner):
        return Formula(inner, node)
    return None


def answer_formula(final: Final) -> Formula | None:
    """Return the formula that a final answer states, None where it states none or the text allows several."""
    text = without_bold(final.text).strip()[: 2 * MAX_LENGTH]
    if final.enclosed or final.method == "hash":
        return _read(_one_formula(text) or text)
    whole = _read(_one_formula(text)) if "$" in text or "\\" in text else None
    if whole is not None and whole.node is not None:
        return whole
    segments = list(_SEGMENT.finditer(text))
    if segments:
        return _first(text, segments) if final.strict else _last(text, segments)
    return _spoken(text, final)


def whole_formula(final: Final) -> Formula | None:
    """Return the formula that a final answer is, with no words beside it."""
    text = without_bold(final.text).strip()
    if len(text) > MAX_LENGTH:
        return None
    found = Formula(text, _node(_one_formula(text) or text.rstrip(". ")))
    return found if found.node is not None and not _has_words(found.node) else None


def same_answer(gold: Formula, answer: Formula, *, relative: float = 0.0) -> bool:
    """Whether a stated formula is the known one: by shape and value, and where that cannot tell by computer algebra.

    Raises:
        NoAlgebra: only computer algebra could tell, and it gave no answer.
    """
    if "".join(gold.text.split()) == "".join(answer.text.split()):
        return True
    if gold.node is not None and answer.node is not None:
        try:
            return same_formula(gold.node, answer.node, relative=relative)
        except (NeedsAlgebra, RecursionError):
            pass
    if not _plausible(answer.text) or any(
        one.node is not None and one.node.kind == "congruence" for one in (gold, answer)
    ):
        return False  # computer algebra forgets the modulus
    return algebra.equal(_latex(gold.text), _latex(answer.text))


_NO_FORMULA = re.compile(r"[^\W\d_]{5,}|[\x00-\x08\x0e-\x1f]|(?:^|\s)[A-Za-z]{2,}\s[A-Za-z]{2,}\s[A-Za-z]{2,}")
_COMMAND = re.compile(r"\\(?:(?:text|mbox|mathrm|operatorname|begin|end)\s*\{[^{}]{0,60}\}|[A-Za-z]+)")


def _plausible(text: str) -> bool:
    """Whether a text that the own grammar does not read may be a formula all the same."""
    if (
        not _MATHEMATICAL.search(text)
        or not re.search(r"[A-Za-z\d]", text)
        or _NO_FORMULA.search(_COMMAND.sub(" ", text))
    ):
        return False
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


def _latex(text: str) -> str:
    return text.replace("$", " ").strip(" .,;")


def _one_formula(text: str) -> str | None:
    """`text` without math delimiters where formulas joined by `and`, `or` or commas are all that it is, else None."""
    segments = list(_SEGMENT.finditer(text))
    if not segments:
        return None
    return _group(text, segments, 0, len(segments) - 1, whole=True)


def _inner(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _group(text: str, segments: list[re.Match[str]], first: int, last: int, *, whole: bool = False) -> str | None:
    start, end = segments[first].start(), segments[last].end()
    if whole and not (_JOINED.fullmatch(text, 0, start) and _JOINED.fullmatch(text, end)):
        return None
    gaps = (text[segments[at].end() : segments[at + 1].start()] for at in range(first, last))
    if not all(_JOINED.fullmatch(gap) for gap in gaps):
        return None
    return " , ".join(_inner(segments[at]) for at in range(first, last + 1))


def _first(text: str, segments: list[re.Match[str]]) -> Formula | None:
    """The first formula of "The answer is $x$ because $y$", with those that `and` joins to it."""
    last = 0
    while last + 1 < len(segments) and _JOINED.fullmatch(text, segments[last].end(), segments[last + 1].start()):
        last += 1
    if last + 1 < len(segments):
        gap = text[segments[last].end() : segments[last + 1].start()]
        if not _EXPLAINS.match(gap) and not SENTENCE_END.search(gap):
            return None
    return _read(_group(text, segments, 0, last))


def _last(text: str, segments: list[re.Match[str]]) -> Formula | None:
    """The last formula of a line that nothing marks, with those that `and` joins to it."""
    first = len(segments) - 1
    while first and _JOINED.fullmatch(text, segments[first - 1].end(), segments[first].start()):
        first -= 1
    return _read(_group(text, segments, first, len(segments) - 1))


_BECAUSE = re.compile(r"[\s,]\(?(?:because|since|where|given that)\b", re.IGNORECASE)
_VERB = re.compile(r".*?\b(?:is|are|be|equals|get|gives?|find|that|to|:)\s", re.IGNORECASE)


def _spoken(text: str, final: Final) -> Formula | None:
    """A formula without delimiters: the whole text, its first sentence, or what a verb leads to."""
    if final.strict and (reason := _BECAUSE.search(text)):
        text = text[: reason.start()]
    first = _first_sentence(text)
    for part in dict.fromkeys((text, first)):
        found = _read(part)
        if found is not None and found.node is not None and not _has_words(found.node):
            return found
    tail = first if final.strict else text.rstrip(".")
    for _ in range(4):
        match = _VERB.match(tail)
        if match is None:
            break
        tail = tail[match.end() :]
        found = _read(tail)
        if found is not None and found.node is not None and not _has_words(found.node):
            return found
    return _read(first) if _LATEX.search(first) else None


def _first_sentence(text: str) -> str:
    end = SENTENCE_END.search(text)
    return text[: end.start()] if end else text


def _read(text: str | None) -> Formula | None:
    if text is None or len(text) > MAX_LENGTH or not text.strip():
        return None
    text = re.sub(r"\\[dt]?boxed\s*(?=\{)", "", text).strip().rstrip(".,;: ")
    return Formula(text, _node(text))


def _node(text: str) -> Node | None:
    text = text.strip().rstrip(".,;: ")
    node = read_formula(text)
    if node is not None and not _has_words(node) and not re.search(r"[A-Za-z]{2}\s*\}?$", text):
        return node
    match = _SPOKEN_UNIT.fullmatch(text)
    if match and (match["unit"].casefold() in _UNITS or measure(match["unit"]) is not None):
        bare = read_formula(match["rest"])
        if bare is not None:
            return Node("unit", (bare,), match["unit"].casefold()) if match["unit"].casefold() not in _UNITS else bare
    return node


def _has_words(node: Node) -> bool:
    return node.kind == "text" or any(map(_has_words, node.parts))
