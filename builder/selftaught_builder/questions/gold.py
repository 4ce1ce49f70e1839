"""The known answer of a question and its kind: how answers to it compare."""

from __future__ import annotations

import re
from typing import Any

from selftaught_builder.questions.choices import Choices
from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text
from selftaught_verifiers.answer.answer import answer_kind
from selftaught_verifiers.text.numbers import parse_number

_WHOLE_AS_DECIMAL = re.compile(r"(-?[0-9][0-9,]{0,40})\.0{1,20}")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")


def settle(value: Any, choices: Choices | None, kind: str) -> tuple[str, str]:
    """Return the known answer as verifiers take it, and its kind.

    Args:
        value: what the row holds.
        choices: the question's choices, None where it has none.
        kind: the recipe's `kind`; `auto` is a letter where there are choices, else what the answer itself looks like.

    Raises:
        RowProblem: `empty_answer`, or `answer_unparsable` where it is no answer of its kind.
    """
    text = "" if value is None else as_text(value)
    if not text:
        raise RowProblem("empty_answer")
    if kind == "letter" or (kind == "auto" and choices):
        return _letter(value, text, choices), "letter"
    found = answer_kind(text, False) if kind == "auto" else kind
    if found is None:
        raise RowProblem("answer_unparsable", f"`{text[:80]}` is of no known kind")
    return _check(text, found), found


def _letter(value: Any, text: str, choices: Choices | None) -> str:
    if choices is None:
        match = _LETTER.fullmatch(text)
        letter = match[1].upper() if match else None
    else:
        letter = choices.letter_of(value)
    if letter is None:
        raise RowProblem("answer_unparsable", f"`{text[:80]}` names none of the choices, or two")
    return letter


def _check(text: str, kind: str) -> str:
    if kind == "number":
        if parse_number(text) is None:
            raise RowProblem("answer_unparsable", f"`{text[:80]}` is no number")
        # Tables that hold floats say 51.0 for 51; a hint in that form would teach it.
        whole = _WHOLE_AS_DECIMAL.fullmatch(text)
        return whole[1] if whole else text
    if kind == "yesno" and answer_kind(text, False) != "yesno":
        raise RowProblem("answer_unparsable", f"`{text[:80]}` is neither yes nor no")
    return text
