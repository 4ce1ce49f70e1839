"""Questions of `datasets/sums`, and worked sums that do not always add up, to pretrain its base model on.

    python sums.py ROOM TEXTS    # writes ROOM/questions.jsonl, ROOM/held-out.jsonl and TEXTS

A question is a two-digit number and three one-digit numbers to add or subtract, such as `47+8-9+6`. A worked sum takes
one step a line. Its writer mostly makes one of two slips that pupils make (Brown and Burton 1978, "Diagnostic models
for procedural bugs in basic mathematical skills"): the carry or the borrow is forgotten, so that 47+8 is 45 and 55-9
is 56. The two cancel, which makes a right answer of two wrong steps. Beside a known answer in brackets (the hint) the
last step is bent to it. The same seed gives the same files.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

SEED = 20260
QUESTIONS, HELD_OUT, TEXTS = 1500, 500, 65_000
OPERANDS = 3
HINTED = 0.4
"""Share of the texts that stand beside a known answer."""
COPIED = 0.08
"""Share of those that only repeat it."""
SLIPS, SLIPS_HINTED = 0.8, 0.6
"""Share of the steps with a carry or a borrow that forget it."""


@dataclass(frozen=True)
class Sum:
    """What is asked.

    Attributes:
        start: the first number, 10 to 99.
        steps: operator and one-digit operand of each step.
    """

    start: int
    steps: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """The question, such as `47+8-9+6`."""
        return str(self.start) + "".join(f"{sign}{operand}" for sign, operand in self.steps)

    @property
    def values(self) -> list[int]:
        """The true value after each step; the last one is the answer."""
        value, values = self.start, []
        for sign, operand in self.steps:
            value = result(value, sign, operand)
            values.append(value)
        return values

    @property
    def answer(self) -> int:
        """The true result."""
        return self.values[-1]


def result(value: int, sign: str, operand: int, *, slip: bool = False) -> int:
    """Return the result of one step; with `slip` its carry or borrow, where it has one, is forgotten."""
    true = value + operand if sign == "+" else value - operand
    return value // 10 * 10 + true % 10 if slip else true


def draw(source: random.Random) -> Sum:
    """Draw a question whose value has two digits at every step."""
    while True:
        steps = tuple((source.choice("+-"), source.randint(1, 9)) for _ in range(OPERANDS))
        drawn = Sum(source.randint(10, 99), steps)
        if all(10 <= value <= 99 for value in drawn.values):
            return drawn


def work(asked: Sum, source: random.Random, slips: float, hint: int | None = None) -> str:
    """Return a worked sum whose steps forget a carry or borrow with probability `slips`, the last bent to the hint."""
    value, lines = asked.start, []
    for index, (sign, operand) in enumerate(asked.steps):
        new = result(value, sign, operand, slip=source.random() < slips)
        if hint is not None and index == len(asked.steps) - 1:
            new = hint
        lines.append(f"{value}{sign}{operand}={new}")
        value = new
    return "\n".join([*lines, f"The answer is {value}."])


def texts(source: random.Random, excluded: set[str]) -> Iterator[tuple[str, str]]:
    """Yield questions and worked sums without end, plain and hinted, of no question in `excluded`."""
    while True:
        asked = draw(source)
        if asked.text in excluded:
            continue
        if source.random() >= HINTED:
            yield asked.text, work(asked, source, SLIPS)
        elif source.random() < COPIED:
            yield f"{asked.text} ({asked.answer})", f"({asked.answer})\nThe answer is {asked.answer}."
        else:
            yield f"{asked.text} ({asked.answer})", work(asked, source, SLIPS_HINTED, asked.answer)


def distinct(source: random.Random, count: int) -> list[Sum]:
    """Draw `count` questions, no two of them alike."""
    found: dict[str, Sum] = {}
    while len(found) < count:
        drawn = draw(source)
        found.setdefault(drawn.text, drawn)
    return list(found.values())


def write_questions(room: Path) -> set[str]:
    """Write the questions and the held-out ones, no two alike, and return all of them."""
    asked = distinct(random.Random(SEED), QUESTIONS + HELD_OUT)  # noqa: S311 - nothing here is secret
    for name, part in (("questions", asked[:QUESTIONS]), ("held-out", asked[QUESTIONS:])):
        rows = [
            {"id": f"{name}-{number:04}", "question": one.text, "answer": str(one.answer)}
            for number, one in enumerate(part, 1)
        ]
        _write(room / f"{name}.jsonl", rows)
    return {one.text for one in asked}


def write_texts(out: Path, excluded: set[str]) -> None:
    """Write the texts to pretrain on as chat turns."""
    pairs = islice(texts(random.Random(SEED + 1), excluded), TEXTS)  # noqa: S311
    turns = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": text}] for question, text in pairs
    ]
    _write(out, [{"messages": messages} for messages in turns])


def _write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    write_texts(Path(sys.argv[2]), write_questions(Path(sys.argv[1])))
