"""What a second server of the same model is worth, also where one of them dies again and again."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from common import machine, table
from selftaught_builder.room.room import open_room
from selftaught_builder.serving.ports import free_port
from support import servers
from support.rooms import attempts, server_room
from support.stages import sample

LATENCY, CONCURRENCY, K = 0.1, 16, 4
LIVES, AWAY = 2.0, 2.0
"""Seconds that the mortal server lives, and is away."""


@contextmanager
def standing(folder: Path) -> Iterator[str]:
    """Run a server that stays; yield its URL."""
    with servers.openai_server(folder) as server:
        server.configure(latency=LATENCY)
        yield server.url


@contextmanager
def mortal(folder: Path) -> Iterator[str]:
    """Run a server that is killed and started again all the time, at the same address; yield its URL."""
    port, over = free_port("127.0.0.1"), threading.Event()

    def live_and_die() -> None:
        while not over.is_set():
            with servers.openai_server(folder, port) as server:
                server.configure(latency=LATENCY)
                ready.set()
                over.wait(LIVES)
            over.wait(AWAY)

    ready, life = threading.Event(), threading.Thread(target=live_and_die)
    life.start()
    ready.wait(60)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        over.set()
        life.join()


def run(second: Any, count: int) -> dict[str, Any]:
    """Sample `count` attempts from one server and, where there is one, a second; return what came of it."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("a", "b"):
            (scratch / name).mkdir()
        first = stack.enter_context(standing(scratch / "a"))
        replicas = [{"base_url": stack.enter_context(second(scratch / "b"))}] if second else []
        folder = server_room(
            scratch / "room",
            first,
            questions=count // K,
            endpoint={"replicas": replicas},
            sample={"k": K, "concurrency": CONCURRENCY},
        )
        started = time.monotonic()
        asked = sample(open_room(folder))
        seconds = time.monotonic() - started
        rows = attempts(folder)
        keys = [row["key"] for row in rows if row["error"] is None]
        return {
            "rate": count / seconds,
            "second": sum(row["endpoint"] != first and row["error"] is None for row in rows) / len(keys),
            "failed": sum(row["error"] is not None for row in rows),
            "missing": count - len(set(keys)),
            "doubled": len(keys) - len(set(keys)),
            "given up": asked.tally.failed,
        }


def main() -> None:
    """Run each in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    cases = {"one server": None, "two servers": standing, "two, of which one dies every 4 s": mortal}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in cases}
    for _ in range(given.repeats):
        for name, second in cases.items():
            runs[name].append(run(second, given.attempts))
    middle = {name: {key: median(one[key] for one in many) for key in many[0]} for name, many in runs.items()}
    alone = middle["one server"]["rate"]
    table(
        f"Replicas: {given.attempts:,} attempts, {CONCURRENCY} at once at each of them, median of {given.repeats}",
        [
            (
                name,
                f"{found['rate']:.0f}",
                f"{found['rate'] / alone:.2f}",
                f"{found['second']:.0%}",
                f"{found['failed']:.0f}",
                f"{found['given up']:.0f}",
                f"{found['missing']:.0f}",
                f"{found['doubled']:.0f}",
            )
            for name, found in middle.items()
        ],
        ("", "attempts/s", "ratio", "by the second", "failed tries", "given up", "missing", "doubled"),
    )
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
