"""How fast a store of mixed attempts is verified: whole runs of `verify` over GSM8K-like attempts, beside bare inserting."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psutil

from common import machine, table
from selftaught_builder.common.keys import attempt_id, attempt_key
from selftaught_builder.common.machine import usable_cores
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import Store, insert_frame, open_store
from selftaught_builder.verification import chosen_verifiers, verify

VERIFIERS = ["answer", "equations", "number_provenance", "hint_leak", "degenerate", "majority", "near_duplicate"]
K = 8
"""Attempts a question: the last one in four is a rationalization."""


def questions(count: int) -> list[dict]:
    """Return GSM8K questions with their solutions, from $SELFTAUGHT_DATA."""
    folder = Path(os.environ["SELFTAUGHT_DATA"]) / "gsm8k"
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().split("\n") if line]
    rows = [json.loads(line) for line in lines]
    return [rows[number % len(rows)] | {"copy": number // len(rows)} for number in range(count)]


def completion(row: dict, chance: random.Random) -> str:
    """Return one attempt at a question: the gold solution, more or less changed."""
    text = re.sub(r"<<[^>]*>>", "", row["solution"])
    style = chance.random()
    lines = text.splitlines()
    if style < 0.3:
        chance.shuffle(lines)
    elif style < 0.6:
        numbers = list(re.finditer(r"\d+", text))
        if numbers:
            hit = chance.choice(numbers)
            lines = (text[: hit.start()] + str(chance.randint(1, 99)) + text[hit.end() :]).splitlines()
    answer = row["answer"] if chance.random() < 0.6 else str(chance.randint(1, 500))
    return "\n".join([*lines, f"The answer is {answer}." if style < 0.9 else f"#### {answer}"])


def fill(store: Store, count: int) -> float:
    """Put `count` attempts into a store; return the seconds that inserting took."""
    chance, rows, asked = random.Random(1), [], []
    for number, row in enumerate(questions(count // K)):
        asked.append(
            {
                "hash": f"q{number}", "id": str(number), "source": "gsm8k", "split": "", "row_number": number,
                "question": row["question"], "gold": row["answer"], "answer_kind": "number", "choices": "{}", "meta": "{}",
            }
        )  # fmt: skip
        for index in range(K):
            kind = "rationalized" if index % 4 == 3 else "sampled"
            key = attempt_key(kind, f"q{number}", "p", {}, index, "bench")
            rows.append((attempt_id(key, 1), key, f"q{number}", kind, index, completion(row, chance)))
    names = ["id", "key", "question", "kind", "sample_index", "completion"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        try_=pl.lit(1), run=pl.lit("bench"), round=pl.lit(1), prompt=pl.lit("p"), reasoning=pl.lit(""),
        finish_reason=pl.lit("stop"), endpoint=pl.lit("bench"), model=pl.lit("bench"), model_replied=pl.lit("bench"),
        weights=pl.lit("bench"), parameters=pl.lit("{}"), seed=pl.lit(1), latency=pl.lit(0.1), provider=pl.lit("{}"),
        created_at=pl.lit(datetime.now(UTC)),
    ).rename({"try_": "try"})  # fmt: skip
    with store.write() as connection:
        insert_frame(connection, "questions", pl.DataFrame(asked))
    started = time.monotonic()
    with store.write() as connection:
        insert_frame(connection, "attempts", frame)
    return time.monotonic() - started


def most_memory(done: threading.Event, megabytes: list[tuple[float, float]]) -> None:
    """Note this process's and its children's resident sets in MB until the work is done."""
    me, started = psutil.Process(), time.monotonic()
    while not done.wait(0.2):
        children = 0.0
        for child in me.children(recursive=True):
            try:
                children += child.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        megabytes.append((time.monotonic() - started, me.memory_info().rss / 1e6 + children))


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--verify", default=",".join(VERIFIERS))
    given = parser.parse_args()
    names = given.verify.split(",")
    recipe = Recipe.model_validate(
        {"name": "bench", "questions": {"source": "none"}, "verify": names, "keep": "answer-only"}
    )
    taken, inserted, halves, verdicts = [], [], [], 0
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Path(folder) / "store.duckdb", create=True)
            inserted.append(fill(store, given.attempts))
            done, megabytes = threading.Event(), []
            watcher = threading.Thread(target=most_memory, args=(done, megabytes))
            watcher.start()
            started = time.monotonic()
            with store.writer():
                verdicts = verify(store, chosen_verifiers(recipe)).verdicts
            taken.append(time.monotonic() - started)
            done.set()
            watcher.join()
            half = len(megabytes) // 2
            halves.append([max(mb for _, mb in part) for part in (megabytes[:half], megabytes[half:])])
    header = ("run", "seconds", "verdicts/s", "inserting the attempts s", "RSS MB, first half", "RSS MB, second half")
    rows = [
        (number, f"{seconds:.1f}", f"{verdicts / seconds:,.0f}", f"{insert:.1f}", *(f"{part:.0f}" for part in half))
        for number, (seconds, insert, half) in enumerate(zip(taken, inserted, halves, strict=True), 1)
    ]
    rows.append(
        ("median", f"{statistics.median(taken):.1f}", f"{verdicts / statistics.median(taken):,.0f}", "", "", "")
    )
    table(
        f"{given.attempts:,} attempts, {verdicts:,} verdicts by {len(names)} verifiers, {usable_cores()} cores",
        rows,
        header,
    )
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
