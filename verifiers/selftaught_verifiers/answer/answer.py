"""The row verifier `answer`: does the final answer equal the known one?

A typed cascade: drop the thinking, take the last final-answer marker, refuse ambiguity, and compare as what the gold answer
is: a number exactly, a letter, yes or no, a date or time, a formula, or text. Nothing of the response is ever executed:
formulas are compared by an own reader with bounds on every step, and what it cannot tell by math-verify in a process that is
killed when it is late.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from selftaught_verifiers.answer.algebra import NoAlgebra
from selftaught_verifiers.answer.dates import Moment, read_moment, same_moment
from selftaught_verifiers.answer.letter_answer import read_letter
from selftaught_verifiers.answer.math_answer import Formula, answer_formula, gold_formula, same_answer, whole_formula
from selftaught_verifiers.answer.number_answer import corrected, read_compound, read_final_number, same_number
from selftaught_verifiers.answer.reading import (
    Reading,
    hedged,
    polarity,
    read_text,
    read_yesno,
    sentence,
)
from selftaught_verifiers.text.extract import (
    MAX_LENGTH,
    Final,
    find_final,
    without_end_of_turn,
    without_html,
    without_thinking,
)
from selftaught_verifiers.text.numbers import Number, canonical, parse_number, read_number
from selftaught_verifiers.text.plain import text_form, trim, unify, without_latex
from selftaught_verifiers.text.units import compounds
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

__all__ = ["answer_kind", "canonical", "judge", "parse_number"]


def answer_kind(gold: str, has_choices: bool) -> str | None:
    """Return how a gold answer compares where the recipe says `auto`.

    Returns:
        `letter` where there are choices, `number` where it parses as one, `yesno` for yes, no, true and false, `date` for a
        date or a time of day, `math` for a formula (a tuple, interval, equation, expression, ...), `text` for any other
        text, None where it is empty.
    """
    if not gold.strip():
        return None
    if has_choices:
        return "letter"
    if parse_number(gold) is not None:
        return "number"
    if polarity(gold):
        return "yesno"
    if read_moment(gold) is not None:
        return "date"
    return "math" if gold_formula(gold) is not None else "text"


@row_verifier("answer", version="2")
def judge(question: Question, rationale: Rationale, *, relative: float = 0.0) -> Verdict:
    """Pass where the completion's final answer equals the gold answer; reasoning content is never searched for it.

    The reason is `equal`, `differs`, `no_answer`, `ambiguous` or `unclosed_think`; `gold_unparsable`, `needs math-verify` or
    another word on computer algebra where it is unscorable. The detail says how the answer was found (`method`), the text it
    was read from (`extracted`), whether that allows several answers (`ambiguous`), and the `strict` verdict: `pass` where the
    right answer stands after an explicit marker and nothing but the answer does, in plain form.

    Where the kind is `code` the answer is a program, and the verdict that of its tests (the verifier `code`, by its defaults).

    Args:
        question: the question with its known answer. Kinds `number`, `math`, `date` and `text` differ in what is tried first.
        rationale: the attempt.
        relative: how far a number may be off, as a share of the gold number; 0 compares exactly.
    """
    kind = question.kind
    if kind == "code":
        return _program(question, rationale)
    gold = _gold(question.gold, kind, tuple(question.choices.items()) if question.choices else ())
    if gold is None:
        return Verdict(Outcome.UNSCORABLE, "gold_unparsable", detail={"strict": "unscorable"})
    visible = without_thinking(rationale.completion)
    if visible is None:
        detail = {"method": "none", "extracted": "", "strict": "fail", "ambiguous": False}
        return Verdict(Outcome.FAIL, "unclosed_think", detail=detail)
    final = find_final(unify(without_html(without_end_of_turn(visible[-MAX_LENGTH:]))), kind)
    reason, answer = _decide(gold, final, question, relative)
    passed = reason == "equal"
    detail: dict[str, object] = {
        "method": final.method,
        "extracted": trim(final.text[:400])[:200],
        "strict": "pass" if passed and _plainly(final, question) else "fail",
        "ambiguous": reason == "ambiguous",
    }
    if rationale.finish_reason == "length":
        detail["truncated"] = True
    if len(visible) > MAX_LENGTH:
        detail["too_long"] = True
    if reason not in _REASONS:
        detail["strict"] = "unscorable"
        return Verdict(Outcome.UNSCORABLE, reason, answer[:500] if answer else None, detail=detail)
    outcome = Outcome.PASS if passed else Outcome.FAIL
    return Verdict(outcome, reason, answer[:500] if answer is not None else None, detail=detail)


def _program(question: Question, rationale: Rationale) -> Verdict:
    """The right answer to a question for a program is one that passes its tests."""
    from selftaught_verifiers.code.code import judge as run_tests  # it reads answers itself

    verdict = run_tests(question, rationale)
    strict = {"method": "program", "strict": str(verdict.outcome), "ambiguous": False}
    return replace(verdict, detail={**verdict.detail, **strict})


_REASONS = frozenset(("equal", "differs", "no_answer", "ambiguous"))
Gold = Number | Moment | Formula | str
"""The gold answer in the form that readings compare with; a letter, yes, no or text is a string."""


@lru_cache(maxsize=4096)
def _gold(gold: str, kind: str, choices: tuple[tuple[str, str], ...]) -> Gold | None:
    """The gold answer, None where it cannot be read as its kind."""
    if kind == "yesno":
        return polarity(gold)
    if kind == "letter":
        return _gold_letter(gold, dict(choices))
    if kind == "number":
        return read_number(gold) or _quantity(gold) or gold_formula(gold)
    if kind in ("math", "date", "text"):
        number = read_number(gold) if kind != "text" else None
        return number or _quantity(gold) or read_moment(gold) or gold_formula(gold) or text_form(gold) or None
    return None


def _quantity(gold: str) -> Number | None:
    text = trim(without_latex(unify(gold)))
    found = compounds(text)
    return Number(found[0][2], unit=found[0][3]) if len(found) == 1 and found[0][:2] == (0, len(text)) else None


def _gold_letter(gold: str, choices: Mapping[str, str]) -> str | None:
    letter = trim(without_latex(unify(gold))).strip("()").upper()
    if len(letter) == 1 and letter.isalpha():
        return letter if not choices or letter in choices else None
    named = [name for name, text in choices.items() if text_form(text) == text_form(gold)]
    return named[0] if len(named) == 1 else None


def _decide(gold: Gold, final: Final, question: Question, relative: float) -> tuple[str, str | None]:
    """The reason of the verdict, and the answer that was read."""
    if hedged(final):
        return "ambiguous", None
    if isinstance(gold, Number):
        found = _by_number(gold, final, relative)
        pair = gold_formula(question.gold) if found[0] != "equal" and _PAIR.fullmatch(question.gold) else None
        return found if pair is None else _by_formula(pair, final, read_text(final, question.gold), relative)
    if isinstance(gold, str) and question.kind in ("letter", "yesno"):
        reading = read_letter(final, question.choices) if question.kind == "letter" else read_yesno(final)
        return _said(reading, equal=reading.answer == gold)
    reading = read_text(final, question.gold)
    form = text_form(question.gold)
    if reading.answer == form:
        return "equal", form
    if isinstance(gold, Moment):
        return _by_moment(gold, final, reading)
    return _by_formula(gold, final, reading, relative) if isinstance(gold, Formula) else _said(reading, equal=False)


_PAIR = re.compile(r"\W{0,3}\d{1,9},\s?\d{1,2}\W{0,3}")  # 6,8 is 6.8 to some, and two numbers to others


def _said(reading: Reading, *, equal: bool) -> tuple[str, str | None]:
    if reading.answer is None:
        return reading.reason, None
    return "equal" if equal else "differs", reading.answer


def _by_number(gold: Number, final: Final, relative: float) -> tuple[str, str | None]:
    quantity = read_compound(final)
    if quantity is not None:
        if not gold.unit and quantity.unit not in ("dollar", "dollars"):
            return "ambiguous", None
        equal = same_number(gold, quantity, relative)
        return (
            ("equal", canonical(gold.value)) if equal else ("differs", f"{canonical(quantity.value)} {quantity.unit}")
        )
    reading = read_final_number(final)
    if reading.number is not None:
        if not same_number(gold, reading.number, relative):
            return "differs", reading.answer
        if corrected(final, reading.number):
            return "ambiguous", None
        # Equal answers share one form, so that SQL can group them: 10% and 0.1 are the gold's 0.1.
        return "equal", canonical(gold.value) + "%" * gold.percent
    # No number is written, but perhaps something that has one as its value: 2^{10}, 1/2 + 1/4, 4!
    formula = whole_formula(final)
    known = _number_formula(gold)
    if formula is None or known is None:
        return reading.reason, None
    try:
        if same_answer(known, formula, relative=relative):
            return "equal", canonical(gold.value) + "%" * gold.percent
    except NoAlgebra as error:
        return str(error), None
    return reading.reason, None


@lru_cache(maxsize=4096)
def _number_formula(gold: Number) -> Formula | None:
    return gold_formula(canonical(gold.value) + "\\%" * gold.percent)


def _by_moment(gold: Moment, final: Final, reading: Reading) -> tuple[str, str | None]:
    texts = (
        (final.text, sentence(final.text))
        if final.strict
        else (final.text, sentence(final.text), _after_verb(final.text))
    )
    for text in texts:
        moment = read_moment(text)
        if moment is not None:
            return ("equal", str(gold)) if same_moment(gold, moment) else ("differs", str(moment))
    return _said(reading, equal=False)


_VERB = re.compile(r".*\b(?:is|are|was|be|at|on)\s", re.DOTALL)


def _after_verb(text: str) -> str:
    match = _VERB.match(text)
    return text[match.end() :] if match else text


def _by_formula(gold: Formula, final: Final, reading: Reading, relative: float) -> tuple[str, str | None]:
    formula = answer_formula(final)
    if formula is None:
        return _said(reading, equal=False)
    try:
        if same_answer(gold, formula, relative=relative):
            return "equal", text_form(gold.text)
    except NoAlgebra as error:
        return str(error), text_form(formula.text)
    return "differs", text_form(formula.text) or None


_PLAIN_NUMBER = re.compile(r"[$]?-?[$]?\d[\d,]*(?:\.\d+)?%?\.?|-?\.\d+\.?")


def _plainly(final: Final, question: Question) -> bool:
    """Whether an equal answer stands after an explicit marker, alone and in plain form."""
    if not final.strict:
        return False
    text = final.text.strip()
    if _PLAIN_NUMBER.fullmatch(text):
        return True
    text = trim(without_latex(text))
    if question.kind == "letter":
        return len(text.strip("()[]")) == 1
    if question.kind == "yesno":
        return polarity(text) is not None
    return bool(_PLAIN_NUMBER.fullmatch(text)) or text_form(text) == text_form(question.gold)
