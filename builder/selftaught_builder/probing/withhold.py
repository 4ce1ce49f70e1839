"""Taking the answer out of a rationale: what is left is the reasoning that has to lead to it."""

from __future__ import annotations

import re

from selftaught_builder.questions import Question
from selftaught_verifiers.text.extract import find_final
from selftaught_verifiers.text.numbers import find_numbers, parse_number
from selftaught_verifiers.text.plain import unify

_PIECES = re.compile(r"(?<=[.!?])(?=[ \t])|(?<=[\n;])")
_MARKER = re.compile(
    r"<answer>|\\f?box(?:ed)?\b|####|(?<!/)\b(?:(?:the|my|our|final|correct|right|best)\s+)*(?:answer|choice|option|solution)s?\b",
    re.IGNORECASE,
)
_LEADS_ON = re.compile(r"[\s:=*_$\\()\[]*(?:is|are|was)?[\s:=*_$\\()\[]*", re.IGNORECASE)
_CONNECTOR = re.compile(
    r"(?:[\s,:*_$#(]|\b(?:and|so|thus|hence|therefore|then|which|this|means|that|gives|as a result)\b)+\Z",
    re.IGNORECASE,
)
_OPERATION = re.compile(r"[\d)][ \t]*(?:[A-Za-z]+[ \t]+){0,3}[-+*/^x][ \t]*[($\u20ac\u00a3]{0,2}[ \t]*\d")
_OPERATES = re.compile(
    r"\b(?:plus|minus|times|divid\w*|multipl\w*|add\w*|subtract\w*|sum|product|difference|total of|more than|less than|fewer"
    r"|twice|half|doubl\w*|tripl\w*|percent|each|per)\b",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:so|thus|hence|therefore|then|finally|in conclusion|which means|must be|has to be"
    r"|is (?:the )?(?:correct|right|best))\b",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")


def without_answer(rationale: str, question: Question) -> str:
    """Return a rationale without its statements of the final answer; "" where nothing else was in it.

    What goes: marked answers ("The answer is 5", a box, `####`), the last one and all that state the known answer, and at the
    end whatever states it again without working ("So she has 5 pens."). An equation that results in it stays: it is working.
    """
    pieces = _PIECES.split(unify(rationale))
    marked = [at for at, piece in enumerate(pieces) if find_final(piece, question.kind).strict]
    for at in marked:
        if at == marked[-1] or _states(pieces[at], question):
            pieces[at] = _before_marker(pieces[at])
    while pieces and (not pieces[-1].strip() or _concludes(pieces[-1], question)):
        pieces.pop()
    return "".join(pieces).strip().rstrip(";")


def _before_marker(piece: str) -> str:
    """What a sentence says before it comes to the answer; "The answer is" before a box belongs to the answer."""
    found = list(_MARKER.finditer(piece))
    while len(found) > 1 and _LEADS_ON.fullmatch(piece, found[-2].end(), found[-1].start()):
        found.pop()
    before = _CONNECTOR.sub("", piece[: found[-1].start()]) if found else ""
    says_something = _WORD.search(before) or next(find_numbers(before), None)
    return before + "\n" * piece.endswith("\n") if says_something else ""


def _concludes(piece: str, question: Question) -> bool:
    """Whether a sentence states the answer without working."""
    if not _states(piece, question):
        return False
    if parse_number(question.gold) is None:
        return bool(_CONCLUDES.search(piece))
    if _OPERATION.search(piece):
        return False
    others = [number for _, _, number in find_numbers(piece) if number.value != parse_number(question.gold)]
    return not (others and _OPERATES.search(piece))


def _states(piece: str, question: Question) -> bool:
    """Whether the known answer stands in a sentence, as a number, in words, as a letter or as its choice's text."""
    value = parse_number(question.gold)
    if value is not None and not question.choices:
        if any(number.value == value for _, _, number in find_numbers(piece)):
            return True
        return any(parse_number(word) == value for word in (*_WORD.findall(piece), *_DIGITS.findall(piece)))
    named = [question.gold]
    if question.choices:
        named = [f"({question.gold})", question.choices.get(question.gold, "")]
    folded = piece.casefold()
    return any(_whole(unify(name).casefold().strip(), folded) for name in named if name.strip())


def _whole(name: str, text: str) -> bool:
    """Whether a name stands in a text as a word of its own."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        inside = (at and text[at - 1].isalnum() and name[0].isalnum()) or (
            end < len(text) and text[end].isalnum() and name[-1].isalnum()
        )
        if not inside:
            return True
        at = text.find(name, at + 1)
    return False
