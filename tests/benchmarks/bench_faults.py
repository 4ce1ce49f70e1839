"""A long run against the fault lab: whether every request is accounted for, memory stays flat, and nothing stalls."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from bench_memory import resident

from common import machine, table
from faults.cases import BY_NAME, CASES
from faults.lab import PLAIN, Asked
from faults.labs import running_lab
from selftaught_builder.room.room import open_room
from selftaught_builder.sampling.task import Tally
from selftaught_builder.stages.watcher import Silent
from support.rooms import server_room, store_of
from support.stages import sample

TIMEOUT, RETRIES, CONCURRENCY, SHARE = 5.0, 3, 64, 0.3
# Ten million characters, thousands of times, are a test of the disk.
TOO_LARGE = ("10 MB",)


class Watching(Silent):
    """Notes, ten times a second, how many requests have been answered and what memory is held."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, float]] = []

    def stage(self, title: str, total: int, tally: Tally | None) -> object:
        """Begin to note."""
        threading.Thread(target=self._watch, args=(tally,), daemon=True).start()
        return super().stage(title, total, tally)

    def _watch(self, tally: Tally) -> None:
        while True:
            self.samples.append((tally.requests, resident()))
            time.sleep(0.1)


def unaccounted(folder: Path, befell: dict[Asked, list[str]]) -> Counter[str]:
    """Return what does not match of the requests seen (what befell them) and the rows (their error), with how often."""
    query = "SELECT q.question, a.seed, a.try, a.error FROM attempts a JOIN questions q ON q.hash = a.question"
    rows = {tuple(key): error or "completion" for *key, error in store_of(folder).sql(query).iter_rows()}
    seen = {(*asked, number): name for asked, names in befell.items() for number, name in enumerate(names, 1)}
    pairs = ((seen.get(key), rows.get(key)) for key in seen.keys() | rows.keys())
    return Counter(f"{name}: {row}" for name, row in pairs if row != expected(name))


def expected(name: str | None) -> str | None:
    """Return what a row says of what befell a request."""
    return None if name is None else (name != PLAIN and BY_NAME[name].error) or "completion"


def main() -> None:
    """Run, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=100_000)
    count = parser.parse_args().attempts
    cases = [case.name for case in CASES if case.quick and case.lab and not case.stops and case.name not in TOO_LARGE]
    watching = Watching()
    with running_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        folder = server_room(
            Path(scratch) / "room",
            lab.url,
            questions=count // 2,
            endpoint={"timeout": TIMEOUT, "retries": RETRIES},
            sample={"k": 2, "concurrency": CONCURRENCY},
        )
        lab.script(cases=cases, share=SHARE, seed=1)
        asked = sample(open_room(folder), watching)
        requests = lab.seen()["requests"]
        missing = unaccounted(folder, lab.befell())
    faults = sum(case != PLAIN for _, _, case, _ in requests)
    stall = max(later - earlier for (*_, earlier), (*_, later) in pairwise(requests))
    rows = [
        ("attempts", f"{count:,}"),
        ("requests seen by the server", f"{len(requests):,}"),
        ("of them with a fault", f"{faults:,}"),
        ("requests and rows that do not match", missing.total()),
        ("completions", f"{asked.tally.completions:,}"),
        ("longest time without a request, s (a request's limit: 5 s)", f"{stall:.1f}"),
        ("seconds", f"{asked.seconds:.0f}"),
    ]
    for part in (0.1, 0.25, 0.5, 0.75, 0.9):
        near = [held for done, held in watching.samples if abs(done - part * len(requests)) < 0.02 * len(requests)]
        rows.append((f"RSS in MB around {part:.0%}, largest", f"{max(near):.0f}"))
    table("A run full of faults", rows, ("", ""))
    for what, often in missing.items():
        print(f"not as expected, {often} times: {what}")
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
