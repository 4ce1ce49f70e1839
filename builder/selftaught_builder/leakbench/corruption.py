"""Planted false steps: an equation of a sound rationale is altered, and the final answer kept.

The styles are the ways in which models go wrong and still end right. An altered number is off by one, off by ten, has one
digit changed or two exchanged, or is doubled.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from selftaught_builder.leakbench.arithmetic import (
    Step,
    operands,
    operators,
    parse,
    show,
    steps_of,
    without_annotations,
)

_SIGNS = {"+": "-", "-": "+", "*": "+", "/": "*", "x": "+", "\u00d7": "+", "\u2212": "+"}


def corrupt(text: str, style: str, random_: random.Random) -> str | None:
    """Return `text` with one step made false in the given style, None where it has no step that fits.

    Args:
        text: a sound rationale; whoever calls sees to it that the final answer stands after its steps.
        style: one of `STYLES`.
        random_: decides the step, the alteration, and whether calculator annotations are dropped from the text.
    """
    if style == "print":  # only beside its annotation can a print alone be wrong
        return _printed_only(text, random_)
    if random_.random() < 0.5:
        text = without_annotations(text)
    steps = steps_of(text)
    order = list(range(len(steps)))
    random_.shuffle(order)
    return next((made for at in order if (made := STYLES[style](text, steps, at, random_)) is not None), None)


def _printed_only(text: str, random_: random.Random) -> str | None:
    steps = [step for step in steps_of(text) if step.annotation is not None]
    if not steps:
        return None
    step = random_.choice(steps)
    altered = alter(step.right, random_)
    return None if altered is None else text[: step.end - len(step.right)] + altered + text[step.end :]


def alter(number: str, random_: random.Random) -> str | None:
    """Return another number that looks like `number`, None where none comes to mind."""
    ways: list[Callable[[str, random.Random], str]] = [_by_one, _by_ten, _digit, _exchanged, _doubled]
    random_.shuffle(ways)
    for way in ways:
        made = way(number, random_)
        if made and parse(made) != parse(number):
            return made
    return None


def _by_one(number: str, random_: random.Random) -> str:
    return show(parse(number) + random_.choice((1, -1))) or ""


def _by_ten(number: str, random_: random.Random) -> str:
    return show(parse(number) + random_.choice((10, -10))) or ""


def _digit(number: str, random_: random.Random) -> str:
    places = [at for at, character in enumerate(number) if character.isdigit()]
    at = random_.choice(places)
    digit = random_.choice([digit for digit in "123456789" if digit != number[at]])
    return number[:at] + digit + number[at + 1 :]


def _exchanged(number: str, random_: random.Random) -> str:
    pairs = [at for at in range(len(number) - 1) if number[at : at + 2].isdigit() and number[at + 1] != "0"]
    if not pairs:
        return ""
    at = random_.choice(pairs)
    return number[:at] + number[at + 1] + number[at] + number[at + 2 :]


def _doubled(number: str, random_: random.Random) -> str:
    return show(parse(number) * 2) or ""


def _result(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """The step's result is altered; the steps after it use the right one."""
    altered = alter(steps[at].right, random_)
    return None if altered is None else _put(text, steps[at], replace(steps[at], right=altered))


def _carried(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """The step's result is altered, and used so by the steps after it, whose own results stay."""
    step, altered = steps[at], alter(steps[at].right, random_)
    later = text[step.end :]
    used = re.compile(rf"(?<![\d.,=>])(?<!= )(?<!=\$)(?<!= \$){re.escape(step.right)}(?![\d]|[.,]\d)")
    last = steps[-1].end - step.end  # the answer, said after the last step, is not touched
    if altered is None or not used.search(later[:last]):
        return None
    return text[: step.start] + replace(step, right=altered).text + used.sub(altered, later[:last]) + later[last:]


def _propagated(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """The step's result is altered and the steps after it are calculated anew; only the stated answer stays right."""
    altered = alter(steps[at].right, random_)
    if altered is None:
        return None
    changed = {steps[at].result: altered}
    made = [replace(steps[at], right=altered)]
    for step in steps[at + 1 :]:
        left = _replaced(step.left, changed)
        if left == step.left:
            made.append(step)
            continue
        new = step.with_left(left)
        result = show(new.value) if new.value is not None else None
        if result is None or step.value != step.result:
            return None
        changed[step.result] = result
        made.append(replace(new, right=result))
    if made[1:] == list(steps[at + 1 :]):
        return None
    for old, new in reversed(list(zip(steps[at:], made, strict=True))):
        text = _put(text, old, new)
    return text


def _replaced(left: str, changed: dict[Fraction, str]) -> str:
    for start, end, number in reversed(operands(left)):
        left = left[:start] + changed.get(parse(number), number) + left[end:]
    return left


def _operand(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """One operand of the step is altered, its result stays."""
    new = _other_operand(steps[at], random_)
    return None if new is None or new.value in (None, steps[at].value) else _put(text, steps[at], new)


def _recalculated(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """One operand is altered and the result calculated from it; the steps after it go on with the right one."""
    new = _other_operand(steps[at], random_)
    result = show(new.value) if new and new.value is not None else None
    if new is None or result is None or new.value == steps[at].value:
        return None
    return _put(text, steps[at], replace(new, right=result))


def _other_operand(step: Step, random_: random.Random) -> Step | None:
    if not step.left or step.value != step.result:
        return None
    start, end, number = random_.choice(operands(step.left))
    altered = alter(number, random_)
    return None if altered is None else step.with_left(step.left[:start] + altered + step.left[end:])


def _operator(text: str, steps: Sequence[Step], at: int, random_: random.Random) -> str | None:
    """One operator is another, the result stays."""
    step = steps[at]
    if not step.left or step.value != step.result:
        return None
    place, sign = random_.choice(operators(step.left))
    new = step.with_left(step.left[:place] + _SIGNS[sign] + step.left[place + 1 :])
    return None if new.value in (None, step.value) else _put(text, step, new)


def _put(text: str, old: Step, new: Step) -> str:
    return text[: old.start] + new.text + text[old.end :]


STYLES: dict[str, Callable[[str, Sequence[Step], int, random.Random], str | None]] = {
    "result": _result,
    "print": _result,
    "carried": _carried,
    "propagated": _propagated,
    "operand": _operand,
    "recalculated": _recalculated,
    "operator": _operator,
}
"""The styles by name; `print` alters the printed result and leaves its annotation right."""
