"""Fuzzes the verifier `answer`: python tests/fuzz/answer.py [inputs] [--seed S] [--jobs N].

Every input is made from the seed and its number, so that a finding can be run again (`--only NUMBER`). It fails on a crash, on
a verdict that takes over a second twice, and on `pass` where the input is wrong by construction:

- garbage: text of markers, LaTeX, Unicode and words without a digit, against a number;
- altered: another number, letter, date, formula or word than the known one, in any form in which answers are written;
- mutated: a labelled response, cut, doubled and spliced, against a number that stands nowhere in it.

Labelled responses come from `answer_cases` where SELFTAUGHT_DATA names the data; without it a few are built in. The plain
seeded generator makes some thousand inputs a second; hypothesis' strategies make about forty.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from selftaught_verifiers import Outcome, Question, Rationale, get_verifier
from selftaught_verifiers.answer import algebra
from selftaught_verifiers.answer.answer import answer_kind

SECONDS = 1.0
WIDE = {ord("-"): 0x2212} | {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
CHUNK = 250
CHOICES = {"A": "fountain pen", "B": "inkwell", "C": "pencil case", "D": "printer", "E": "blotter"}

MARKERS = [
    "#### {}", "The answer is {}.", "answer: {}", "**Answer:** {}", "\\boxed{{{}}}", "$\\boxed{{{}}}$",
    "<answer>{}</answer>", "{}",
    "The final answer is ${}$", "So we get {}.", "= {}", "\\[ {} \\]", "Final Answer: {}", "Hence it is {}", "$$\n{}\n$$",
    "The answer is {} because 2 + 2 = 4.", "<think>hm</think>{}", "\\fbox{{{}}}", "r\u00e9ponse: {}", "\u7b54\u6848\u662f{}",
]  # fmt: skip
PIECES = [
    "answer is ", "Answer: ", "\\boxed{", "}", "{", "####", "<answer>", "</answer>", "<think>", "</think>", "\\frac{",
    "\\sqrt{", "(", ")",
    "[", "]", " or ", " and ", "B", "(C)", "yes", "no", "\n", " ", "$", "$$", "\\(", "\\)", "\\[", "\\]", "%", ",",
    ".", "-", "/", "^", "=", "<",
    ">", "\\pm ", "\\infty", "\\cup ", "\\text{", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "!", "|", "x",
    "y", "\\pi", "\\sin ", "i",
    "\\left", "\\right", "\\le ", "\\in ", "_", "'", ":", ";", "**", "*", "~", "wait", "not ", "maybe ", " km",
    " hours", " percent", "\u00b0",
    "\u221a", "\u221e", "\u2264", "\u202e", "\ufeff", "\x00", "\u00e9", "\u4e2d", "\U0001f600", "Choice_", "</s>",
    "<|im_end|>", "\\sum_{", "\\int ",
    "\\ldots", "AM", "January ", "\\log_", "\\binom{", "\\lfloor", "\\rfloor", "e", "f(", "\\circ",
]  # fmt: skip
BOMBS = [
    "9^9^9^9", "9^{9^{9^9}}", "1000000!", "((9!)!)!", "(" * 300 + "1" + ")" * 300,
    "\\frac{1}{" * 100 + "2" + "}" * 100, "\\sqrt{" * 300,
    "\\binom{10000000}{5000000}", "1e999999999", "9" * 5000, "x^" * 200, "{" * 2000, "\\boxed{" * 500, "$" * 3000,
    "\\left(" * 200,
    "1," * 3000, "<think></think>" * 500, "answer is " * 500, "-" * 3000, "\\pm " * 100, "a^{b" * 60, "|" * 300,
    "\\begin{pmatrix}" * 50,
    "\\int e^{x^{x^x}} \\sin(x^x) dx", "\\sum_{k=1}^{10000000000} \\frac{1}{k!}", "2^{2^{2^{49}}}",
    "\\sin^{99999}(x^{99999})", "9**9**9**9",
]  # fmt: skip
FORMULAS = [
    ("x^2+2x+1", "x^2+2x-1"), ("\\frac{\\sqrt{2}}{2}", "\\frac{\\sqrt{3}}{2}"), ("(3,4)", "(4,3)"), ("[0,1)",
    "(0,1)"), ("\\{1,2,3\\}", "\\{1,2,4\\}"),
    ("x>3", "x\\ge 3"), ("y=2x+1", "y=2x-1"), ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
    "\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}"),
    ("2\\pi", "3\\pi"), ("3:4", "4:3"), ("2+3i", "2-3i"), ("\\sqrt{5}", "-\\sqrt{5}"),
    ("(-\\infty,2)\\cup(3,\\infty)", "(-\\infty,2)"),
    ("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}"), ("\\sum_{k=1}^n k^2", "\\sum_{k=1}^n k^3"), ("e^{2x}", "e^{3x}"),
    ("n!", "(n+1)!"), ("1, 2", "1, 3"),
]  # fmt: skip
DATES = [
    ("March 5, 2024", "March 6, 2024"),
    ("12:30 PM", "12:45 PM"),
    ("2020-01-31", "01/30/2020"),
    ("3:00 PM", "3:00 AM"),
    ("noon", "midnight"),
]
WORDS = [
    ("Paris", "London"),
    ("red ball", "blue ball"),
    ("yes", "no"),
    ("True", "False"),
    ("Alice", "Bob"),
    ("five km", "six km"),
]
UNITS = [
    ("5 km", "5 miles"),
    ("90 minutes", "1 hour and 20 minutes"),
    ("$5", "6 dollars"),
    ("1 kg", "100 g"),
    ("10 m^2", "10 cm^2"),
    ("50%", "0.6"),
]


@dataclass(frozen=True, slots=True)
class Case:
    """A question with a response, and why the response is wrong; "" where it may be right."""

    gold: str
    kind: str
    response: str
    wrong: str


@cache
def labelled() -> list[tuple[str, str]]:
    """Gold answers and responses to mutate."""
    path = Path(os.environ.get("SELFTAUGHT_DATA", "")) / "answer_cases" / "cases.jsonl"
    if not os.environ.get("SELFTAUGHT_DATA") or not path.is_file():
        return [("18", form.format("18")) for form in MARKERS] + [
            (gold, form.format(gold)) for gold, _ in FORMULAS for form in MARKERS
        ]
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["gold"], row["response"][-4000:]) for row in rows if row["gold"].strip()]


def case(seed: int, number: int) -> Case:
    """Return input `number` of a seed."""
    rng = random.Random(f"{seed}:{number}")
    return rng.choice((garbage, garbage, altered_number, altered_number, altered, mutated, mutated, bomb))(rng)


def _integer(rng: random.Random) -> int:
    return rng.choice((rng.randrange(3, 100), rng.randrange(100, 10**6), rng.randrange(10**9), -rng.randrange(3, 1000)))


def _noise(rng: random.Random, most: int = 30) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(most)))


def garbage(rng: random.Random) -> Case:
    """Markers and marks without a digit."""
    text = _noise(rng, 60)
    for _ in range(rng.randrange(3)):
        text += rng.choice(MARKERS[:9]).format(_noise(rng, 8)) + _noise(rng, 4)
    return Case(str(rng.randrange(13, 10**6)), "number", text, "no digit stands in it")


def _written(rng: random.Random, value: int) -> str:
    """`value` in one of the forms in which people write numbers."""
    times = rng.randrange(2, 9)
    forms: list[Callable[[], str]] = [
        lambda: str(value), lambda: f"{value:,}", lambda: f"${value}", lambda: f"{value}.0",
        lambda: f"{value * times}/{times}",
        lambda: f"\\frac{{{value * times}}}{{{times}}}", lambda: str(value).translate(WIDE),
        lambda: f"x = {value}", lambda: f"{value} apples", lambda: f"\\text{{{value}}}", lambda: f"({value})",
        lambda: f"**{value}**",
        lambda: f"{value - times} + {times} = {value}", lambda: f"{value} \\text{{ km}}", lambda: f"{value}e0",
        lambda: f"{value:,}".replace(",", "{,}"),
        lambda: f"\\{{{value}\\}}", lambda: f"{value - 1}+1", lambda: f"{value}^1",
    ]  # fmt: skip
    return rng.choice(forms)()


def altered_number(rng: random.Random) -> Case:
    """Another number than the known one, in any form."""
    gold = _integer(rng)
    digits = str(abs(gold))
    at = rng.randrange(len(digits))
    other = int(digits[:at] + str((int(digits[at]) + rng.randrange(1, 10)) % 10) + digits[at + 1 :]) * (
        -1 if gold < 0 else 1
    )
    other = rng.choice((other, -gold, gold + 1, gold - 1, gold * 10, int(f"{gold}{rng.randrange(10)}")))
    if other == gold:
        other += 2
    intro = rng.choice(
        (
            "",
            f"First {gold} - {gold - other} is computed.\n",
            "We work it out.\n",
            f"\\boxed{{{gold}}} was wrong.\n" if rng.random() < 0.5 else "",
        )
    )
    return Case(str(gold), "number", intro + rng.choice(MARKERS).format(_written(rng, other)), f"it says {other}")


def altered(rng: random.Random) -> Case:
    """Another formula, date, word, unit or letter than the known one."""
    if rng.random() < 0.2:
        gold, other = rng.sample(sorted(CHOICES), 2)
        said = rng.choice(
            (
                other,
                f"({other})",
                f"{other}) {CHOICES[other]}",
                CHOICES[other],
                f"\\text{{({other})}}",
                f"option {other}",
            )
        )
        return Case(gold, "letter", rng.choice(MARKERS[:9]).format(said), f"it says {other}")
    gold, other = rng.choice((*FORMULAS, *DATES, *WORDS, *UNITS))
    if rng.random() < 0.5:
        gold, other = other, gold
    response = rng.choice(MARKERS).format(other if rng.random() < 0.5 else f"${other}$")
    return Case(gold, answer_kind(gold, has_choices=False) or "text", response, f"it says {other}")


def mutated(rng: random.Random) -> Case:
    """A labelled response, damaged; against its own gold (only crash and time), or a number that stands nowhere in it."""
    gold, response = rng.choice(labelled())
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(response) + 1)
        to = min(len(response), at + rng.randrange(20))
        response = rng.choice((
            lambda at=at, to=to, r=response: r[:at] + r[to:],
            lambda at=at, r=response: r[:at] + rng.choice(PIECES) + r[at:],
            lambda at=at, to=to, r=response: r[:to] + r[at:],
            lambda at=at, r=response: r[at:] + r[:at],
            lambda at=at, r=response: r[:at] + chr(rng.randrange(0x20, 0x3000)) + r[at:],
            lambda at=at, r=response: r[:at] + rng.choice(labelled())[1][-200:],
            lambda r=response: r + rng.choice(MARKERS).format(_noise(rng, 6)),
        ))()  # fmt: skip
    if rng.random() < 0.5:
        return Case(gold, answer_kind(gold, has_choices=False) or "text", response, "")
    # A prime beyond what a response of this length computes by chance.
    return Case(
        str(rng.choice((7_368_787, 15_485_863, 32_452_843))), "number", response, "the number stands nowhere in it"
    )


def bomb(rng: random.Random) -> Case:
    """What costs much where it is computed or matched carelessly."""
    text = rng.choice(BOMBS)
    if rng.random() < 0.5:
        text = rng.choice(MARKERS).format(text)
    if rng.random() < 0.2:
        text = text * rng.randrange(2, 20)
    if rng.random() < 0.2:
        text += _noise(rng)
    gold = rng.choice(("7368787", "\\sqrt{7368787}", "\\sum_{k=1}^{n} k^7", "(7368787, 2)", "x^{7368787}"))
    return Case(gold, answer_kind(gold, has_choices=False) or "text", text, "it is a bomb")


def judged(one: Case) -> tuple[str, float]:
    """What is wrong with the verdict on a case ("" for nothing), and the seconds that it took."""
    started = time.perf_counter()
    verdict = get_verifier("answer")(
        Question("", one.gold, one.kind, CHOICES if one.kind == "letter" else {}), Rationale(one.response)
    )
    seconds = time.perf_counter() - started
    if verdict.reason.startswith("verifier crashed"):
        return verdict.reason, seconds
    if verdict.outcome is Outcome.PASS and one.wrong:
        return f"passes, although {one.wrong}", seconds
    return "", seconds


def run(seed: int, first: int, count: int) -> tuple[int, float, list[tuple[int, str]]]:
    """Judge inputs `first` to `first + count`; return how many, the slowest one's seconds, and findings."""
    algebra.start()
    slowest, findings = 0.0, []
    for number in range(first, first + count):
        one = case(seed, number)
        said, seconds = judged(one)
        if seconds > SECONDS:  # a busy machine is slow once, a hang twice
            seconds = min(seconds, judged(one)[1])
            said = said or (f"takes {seconds:.1f} s" if seconds > SECONDS else "")
        slowest = max(slowest, seconds)
        if said:
            findings.append((number, said))
    return count, slowest, findings


def main() -> int:
    """Run the fuzz; the exit status is 1 where it found something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, help="run this one input and show it")
    options = parser.parse_args()
    console = Console()
    if options.only is not None:
        one = case(options.seed, options.only)
        console.print(
            one,
            get_verifier("answer")(
                Question("", one.gold, one.kind, CHOICES if one.kind == "letter" else {}), Rationale(one.response)
            ),
            markup=False,
        )
        return int(bool(judged(one)[0]))
    slowest, findings = 0.0, []
    columns = (
        TextColumn("fuzzing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[found]} found"),
    )
    with ProcessPoolExecutor(options.jobs) as pool, Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=options.inputs, found=0)
        chunks = ((start, min(CHUNK, options.inputs - start)) for start in range(0, options.inputs, CHUNK))
        waiting = [pool.submit(run, options.seed, *chunk) for chunk in islice(chunks, 4 * options.jobs)]
        while waiting:
            count, slow, found = waiting.pop(0).result()
            waiting.extend(pool.submit(run, options.seed, *chunk) for chunk in islice(chunks, 1))
            slowest, findings = max(slowest, slow), findings + found
            progress.update(task, advance=count, found=len(findings))
    for number, said in findings[:20]:
        one = case(options.seed, number)
        console.print(
            f"input {number}: {said}; gold {one.gold!r} ({one.kind}), response {one.response[:300]!r}",
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"{options.inputs:,} inputs, seed {options.seed}: {len(findings)} findings, slowest verdict {slowest:.2f} s"
    )
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
