"""How right and how fast the verifier `answer` is on labelled responses, beside math-verify on the same ones."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from common import machine, table
from selftaught_verifiers import Outcome, Question, Rationale, get_verifier
from selftaught_verifiers.answer import algebra
from selftaught_verifiers.answer.answer import answer_kind
from selftaught_verifiers.isolation.worker import Worker, WorkerError

LETTERS = {"multiple_choice", "real_multiple_choice", "real_bbh_mc"}
HARD = {"ambiguous", "empty", "think_tags", "adversarial"}
"""Kinds of cases in which nothing wrong may be accepted."""

BOMBS = {
    "9^9^9^9": "9^9^9^9",
    "9^{9^{9^9}}": "9^{9^{9^9}}",
    "1000000!": "1000000!",
    "binomial(10^7, 5*10^6)": r"\binom{10000000}{5000000}",
    "300 nested brackets": "(" * 300 + "1" + ")" * 300,
    "1 MB of words": "She adds two and three. " * 43_700 + "The answer is 5.",
    "1 MB of digits": "9" * 1_048_576,
    "1 MB of opening braces": "{" * 1_048_576,
    "1 MB of boxes": r"\boxed{" * 149_797,
}


def ours(row: dict) -> bool:
    """Whether `answer` passes a case."""
    letter = row["kind"] in LETTERS or (row["kind"] == "retracted" and row["gold"] in ("A", "B"))
    kind = "letter" if letter else answer_kind(row["gold"], has_choices=False) or "text"
    return get_verifier("answer")(Question("", row["gold"], kind), Rationale(row["response"])).outcome is Outcome.PASS


def math_verify_alone() -> Callable[[str, str], bool]:
    """Return `verify(parse(gold), parse(response))` with math-verify's own defaults: the factory of a `Worker`."""
    from math_verify import parse, verify

    def compare(gold: str, response: str) -> bool:
        return bool(verify(parse(gold), parse(response)))

    compare("1", "1")
    return compare


def judged(rows: Sequence[dict], judge: Callable[[dict], bool]) -> list[tuple[bool, float]]:
    """(passes, seconds) of each case."""
    found = []
    for row in rows:
        started = time.perf_counter()
        found.append((judge(row), time.perf_counter() - started))
    return found


def share(part: int, whole: int) -> str:
    """A percentage with its counts."""
    return f"{100 * part / whole:.1f} % ({part} of {whole})" if whole else "-"


def figures(rows: Sequence[dict], found: Sequence[tuple[bool, float]]) -> tuple[str, str, str]:
    """The share that is right, the share of wrong ones accepted, and the slowest case."""
    right = sum(row["expected"] == passed for row, (passed, _) in zip(rows, found, strict=True))
    wrong = [passed for row, (passed, _) in zip(rows, found, strict=True) if not row["expected"]]
    return share(right, len(rows)), share(sum(wrong), len(wrong)), f"{1000 * max(taken for _, taken in found):.0f} ms"


def accuracy(rows: Sequence[dict]) -> None:
    """Print the table of kinds, ours beside math-verify."""
    algebra.start()
    mine = judged(rows, ours)
    with Worker("bench_answer:math_verify_alone", seconds=12, memory=4 << 30) as worker:

        def alone(row: dict) -> bool:
            try:
                return worker.call(row["gold"], row["response"])
            except WorkerError:
                return False

        theirs = judged(rows, alone)
    kinds: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        kinds[row["kind"]].append(index)
        kinds["**all**"].append(index)
        if not row["source"].startswith("huggingface/Math-Verify"):
            kinds["**outside Math-Verify's suite**"].append(index)
        if row["kind"] in HARD:
            kinds["**ambiguous, empty, think tags, adversarial**"].append(index)
    lines: list[tuple[object, ...]] = []
    for kind in sorted(kinds, key=lambda name: (name.startswith("**"), name)):
        part = [rows[index] for index in kinds[kind]]
        lines.append(
            (kind, *figures(part, [mine[i] for i in kinds[kind]]), *figures(part, [theirs[i] for i in kinds[kind]]))
        )
    names = ("right", "wrong accepted", "slowest")
    header = ("cases", *names, *(f"math-verify: {name}" for name in names))
    table("`answer` on labelled responses", lines, header)
    for row, (passed, _) in zip(rows, mine, strict=True):
        if passed != row["expected"]:
            print(
                f"- {row['id']} ({row['kind']}): {'accepted' if passed else 'rejected'},",
                f"gold {row['gold'][:60]!r}, {row['response'][-80:]!r}",
            )


def bombs() -> None:
    """Print what hostile responses cost."""
    answer, lines = get_verifier("answer"), []
    for name, bomb in BOMBS.items():
        slowest = 0.0
        for gold in ("1", "x+1", r"\int_0^1 x dx"):
            kind = answer_kind(gold, has_choices=False) or "text"
            for response in (bomb, rf"\boxed{{{bomb}}}", f"The answer is ${bomb}$"):
                started = time.perf_counter()
                answer(Question("", gold, kind), Rationale(response))
                slowest = max(slowest, time.perf_counter() - started)
        lines.append((name, f"{1000 * slowest:.0f} ms"))
    table("Hostile responses", lines, ("response", "slowest verdict"))


def speed(folder: Path) -> None:
    """Print verdicts a second on GSM8K's rationales."""
    with (folder / "gsm8k" / "test.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    answer = get_verifier("answer")
    lines = []
    for ending in ("#### {}", "The answer is {}."):
        cases = [
            (
                Question(row["question"], row["answer"], "number"),
                Rationale(f"{row['solution']}\n{ending.format(row['answer'])}"),
            )
            for row in rows
        ]
        best = 0.0
        for _ in range(5):
            started = time.process_time()
            for case in cases:
                answer(*case)
            best = max(best, len(cases) / (time.process_time() - started))
        lines.append((f"`{ending.format(18)}`", f"{best:,.0f}"))
    table("Plain numeric answers, one core", lines, ("GSM8K rationales that end in", "verdicts/s, best of five"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="?", type=Path, help="a file like answer_cases/cases.jsonl of $SELFTAUGHT_DATA")
    options = parser.parse_args()
    folder = Path(os.environ.get("SELFTAUGHT_DATA", "."))
    path = options.cases or folder / "answer_cases" / "cases.jsonl"
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    print(machine())
    accuracy(rows)
    bombs()
    if (folder / "gsm8k" / "test.jsonl").is_file():
        speed(folder)


if __name__ == "__main__":
    main()
