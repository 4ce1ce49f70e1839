"""What `equations` and `number_provenance` find and what they raise in vain, on labelled and on altered rationales."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from fractions import Fraction

import pytest

from selftaught_verifiers import Outcome, Question, Rationale, get_verifier

Rows = list[dict]


def fails(row: dict, text: str) -> bool:
    kind = "letter" if re.fullmatch("[A-E]", row["answer"]) else "number"
    question, rationale = Question(row["question"], row["answer"], kind), Rationale(text)
    return any(
        get_verifier(name)(question, rationale).outcome is Outcome.FAIL for name in ("equations", "number_provenance")
    )


def share(found: Iterable[bool]) -> float:
    found = list(found)
    return sum(found) / len(found)


def stripped(text: str) -> str:
    return re.sub(r"<<[^<>\n]*>>", "", text)


def test_gold_solutions_raise_hardly_an_alarm(gsm8k: Rows) -> None:
    # Measured 0.66 % each; two in three are mistakes in the data.
    assert share(fails(row, row["solution"]) for row in gsm8k) <= 0.009
    assert share(fails(row, stripped(row["solution"])) for row in gsm8k) <= 0.009


def test_gold_solutions_are_judged(gsm8k: Rows) -> None:
    for name, least in (("equations", 0.97), ("number_provenance", 0.96)):
        verdicts = [
            get_verifier(name)(Question(row["question"], row["answer"], "number"), Rationale(stripped(row["solution"])))
            for row in gsm8k[-1000:]
        ]
        assert share(verdict.outcome is not Outcome.UNSCORABLE for verdict in verdicts) >= least


def test_flawed_rationales_with_right_answers_are_found(read_rows: Callable[[str], Rows]) -> None:
    rows = [row | {"answer": row["gold"]} for row in read_rows("leakbench/mrben_right_answer.jsonl")]
    maths = [row for row in rows if row["task"] == "mrben_math"]
    found = [row["rationale_flawed"] for row in maths if fails(row, "\n".join(row["steps"]))]
    assert sum(found) >= 0.38 * sum(row["rationale_flawed"] for row in maths)  # measured 17 of 39
    assert sum(found) >= 0.92 * len(found)  # measured 17 of 17
    sound = [row for row in rows if not row["rationale_flawed"]]
    assert share(fails(row, "\n".join(row["steps"])) for row in sound) <= 0.006  # measured 3 of 882


# -- altered steps ---------------------------------------------------------------------------------------------------

_ANNOTATED = re.compile(r"<<([^<>=\n]+)=([^<>=\n]+)>>(\d[\d,]*(?:\.\d+)?)")
Style = Callable[[random.Random, str], str | None]


def _other(chance: random.Random, number: str) -> str:
    """Another number: one digit changed, off by one or ten, negative, or doubled."""
    plain = number.replace(",", "")
    at = chance.choice([place for place, character in enumerate(plain) if character.isdigit()])
    digit = chance.choice([digit for digit in "123456789" if digit != plain[at]])
    value = Fraction(plain)
    made = chance.choice([value + 1, value - 1, value + 10, value - 10, -value, 2 * value, None])
    return plain[:at] + digit + plain[at + 1 :] if made is None or made == value else f"{float(made):.10g}"


def _result(annotation: str, *, carried: bool) -> Style:
    """A step's result is altered, with or without the later steps that use it."""

    def alter(chance: random.Random, text: str) -> str | None:
        steps = list(_ANNOTATED.finditer(text))
        if not steps:
            return None
        step = chance.choice(steps)
        made = _other(chance, step[3])
        shown = {"kept": f"<<{step[1]}={step[2]}>>", "changed": f"<<{step[1]}={made}>>", "stripped": ""}[annotation]
        rest = text[step.end() :]
        if carried:
            rest = re.sub(rf"(?<![\d.,]){re.escape(step[3])}(?!\d|[.,]\d)", made, rest)
        text = text[: step.start()] + shown + made + rest
        return stripped(text) if annotation == "stripped" else text

    return alter


def _left_side(change: Callable[[random.Random, str], str | None], *, recalculated: bool) -> Style:
    """The left side of a step is changed in prose and annotation; its result stays or is calculated anew."""

    def alter(chance: random.Random, text: str) -> str | None:
        steps = [step for step in _ANNOTATED.finditer(text) if re.fullmatch(r"\d+[-+*/]\d+", step[1])]
        chance.shuffle(steps)
        for step in steps:
            left = change(chance, step[1])
            before = text[: step.start()]
            written = before.rfind(step[1] + "=")
            value = _value(left) if left else None
            if left is None or value is None or written < 0 or value == _value(step[1]):
                continue
            result = f"{float(value):.6g}" if recalculated else step[3]
            before = before[:written] + left + before[written + len(step[1]) :]
            return stripped(before + result + text[step.end() :])
        return None

    return alter


def _value(left: str) -> Fraction | None:
    parts = re.fullmatch(r"(\d+)([-+*/])(\d+)", left)
    if parts is None or (parts[2] == "/" and int(parts[3]) == 0):
        return None
    one, other = Fraction(parts[1]), Fraction(parts[3])
    return {"+": one + other, "-": one - other, "*": one * other, "/": one / other if other else one}[parts[2]]


def _operand(chance: random.Random, left: str) -> str | None:
    number = chance.choice(list(re.finditer(r"\d+", left)))
    made = _other(chance, number[0])
    return left[: number.start()] + made + left[number.end() :] if made.isdigit() else None


def _operator(chance: random.Random, left: str) -> str | None:
    sign = next(character for character in left if character in "+-*/")
    return left.replace(sign, chance.choice([other for other in "+-*/" if other != sign]))


STYLES: dict[str, tuple[Style, float]] = {
    "result, annotation kept": (_result("kept", carried=False), 0.98),
    "result, annotation changed": (_result("changed", carried=False), 0.95),
    "result, no annotations": (_result("stripped", carried=False), 0.93),
    "result carried on, annotation changed": (_result("changed", carried=True), 0.95),
    "result carried on, no annotations": (_result("stripped", carried=True), 0.94),
    "operand": (_left_side(_operand, recalculated=False), 0.93),
    "operator": (_left_side(_operator, recalculated=False), 0.96),
    # The step is true and its numbers may be the question's own: only what the later steps use tells.
    "operand, recalculated": (_left_side(_operand, recalculated=True), 0.5),
    "operator, recalculated": (_left_side(_operator, recalculated=True), 0.4),
}


@pytest.mark.parametrize("style", STYLES)
def test_altered_steps_are_found(style: str, gsm8k: Rows) -> None:
    alter, least = STYLES[style]
    chance = random.Random(11)
    altered = [(row, alter(chance, row["solution"])) for row in gsm8k[-1319:]]
    found = [fails(row, f"{text}\nThe answer is {row['answer']}.") for row, text in altered if text]
    assert len(found) >= 200
    assert share(found) >= least, share(found)


def test_rationales_of_another_question_are_found(gsm8k: Rows) -> None:
    rows = gsm8k[-1319::2]
    shifted = [*rows[100:], *rows[:100]]
    found = [
        fails(row, f"{stripped(other['solution'])}\nThe answer is {row['answer']}.")
        for row, other in zip(rows, shifted, strict=True)
    ]
    assert share(found) >= 0.75
