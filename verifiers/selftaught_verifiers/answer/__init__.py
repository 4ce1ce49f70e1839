"""The row verifier `answer`: does the final answer equal the known one?

A typed cascade: drop the thinking, take the last final-answer marker, refuse ambiguity, and compare as what the gold
answer is (a number exactly, a letter, yes or no, or text). Nothing of the response is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from selftaught_verifiers.answer.extract import MAX_LENGTH, Final, find_final, without_thinking
from selftaught_verifiers.answer.letter_answer import read_letter
from selftaught_verifiers.answer.number_answer import read_final_number, same_number
from selftaught_verifiers.answer.numbers import Number, canonical, parse_number, read_number
from selftaught_verifiers.answer.plain import text_form, trim, unify, without_latex
from selftaught_verifiers.answer.reading import AMBIGUOUS, Reading, hedged, polarity, read_text, read_yesno
from selftaught_verifiers.verdict import Outcome, Question, Rationale, Verdict, row_verifier

__all__ = ["answer_kind", "canonical", "judge", "parse_number"]


def answer_kind(gold: str, has_choices: bool) -> str | None:
    """Return how a gold answer compares where the recipe says `auto`.

    Returns:
        `letter` where there are choices, `number` where it parses as one, `yesno` for yes, no, true and false, `text`
        for any other text, None where it is empty.
    """
    if not gold.strip():
        return None
    if has_choices:
        return "letter"
    if parse_number(gold) is not None:
        return "number"
    return "yesno" if polarity(gold) else "text"


@row_verifier("answer", version="1")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Pass where the completion's final answer equals the gold answer; reasoning content is never searched for it.

    The reason is `equal`, `differs`, `no_answer`, `ambiguous`, `unclosed_think` or `gold_unparsable`. The detail says
    how the answer was found (`method`), whether at an explicit marker (`strict`), and what was `ambiguous`.
    """
    gold = _gold(question.gold, question.kind, _frozen(question.choices))
    if gold is None:
        return Verdict(Outcome.UNSCORABLE, "gold_unparsable")
    visible = without_thinking(rationale.completion)
    if visible is None:
        return Verdict(Outcome.FAIL, "unclosed_think", detail={"method": "none", "strict": False, "ambiguous": False})
    final = find_final(unify(visible[-MAX_LENGTH:]), question.kind)
    reading = AMBIGUOUS if hedged(final) else _read(final, question)
    detail: dict[str, object] = {
        "method": final.method,
        "strict": final.strict and reading.answer is not None,
        "ambiguous": reading is AMBIGUOUS,
    }
    if rationale.finish_reason == "length":
        detail["truncated"] = True
    if len(visible) > MAX_LENGTH:
        detail["too_long"] = True
    return _compare(gold, reading, detail)


def _compare(gold: Gold, reading: Reading, detail: Mapping[str, object]) -> Verdict:
    if reading.answer is None:
        return Verdict(Outcome.FAIL, reading.reason, detail=detail)
    if isinstance(gold, Number):
        equal = reading.number is not None and same_number(gold, reading.number)
    else:
        equal = reading.answer == gold
    if not equal:
        return Verdict(Outcome.FAIL, "differs", reading.answer[:500], detail=detail)
    # Equal answers share one form, so that SQL can group them: 10% and 0.1 are the gold's 0.1.
    shared = canonical(gold.value) + "%" * gold.percent if isinstance(gold, Number) else gold
    return Verdict(Outcome.PASS, "equal", shared[:500], detail=detail)


Gold = Number | str


def _frozen(choices: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(choices.items())


@lru_cache(maxsize=4096)
def _gold(gold: str, kind: str, choices: tuple[tuple[str, str], ...]) -> Gold | None:
    """The gold answer in the form that readings compare with, None where it cannot be read as its kind."""
    if kind == "number":
        return read_number(gold)
    if kind == "yesno":
        return polarity(gold)
    if kind == "text":
        return text_form(gold) or None
    if kind == "letter":
        return _gold_letter(gold, dict(choices))
    return None


def _gold_letter(gold: str, choices: Mapping[str, str]) -> str | None:
    letter = trim(without_latex(unify(gold))).strip("()").upper()
    if len(letter) == 1 and letter.isalpha():
        return letter if not choices or letter in choices else None
    named = [name for name, text in choices.items() if text_form(text) == text_form(gold)]
    return named[0] if len(named) == 1 else None


def _read(final: Final, question: Question) -> Reading:
    if question.kind == "number":
        return read_final_number(final)
    if question.kind == "letter":
        return read_letter(final, question.choices)
    return read_yesno(final) if question.kind == "yesno" else read_text(final, question.gold)
