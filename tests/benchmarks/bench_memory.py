"""Whether memory stays flat: resident set from 10 k to 200 k attempts within one run, against the instant server."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from common import machine, new_store, sampler, settings, table, tasks

from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.sampler import Sampler


def resident() -> float:
    """Return this process's resident set in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def watch(running: Sampler, samples: list[tuple[int, float, float]]) -> None:
    """Note completions, megabytes and seconds, five times a second."""
    while True:
        samples.append((running.tally.completions, resident(), time.monotonic()))
        await asyncio.sleep(0.2)


async def sample(url: str, folder: Path, count: int) -> list[tuple[int, float, float]]:
    """Get `count` attempts in one run; return what was noted meanwhile."""
    store, samples = new_store(folder), []
    with store.writer():
        async with OpenAIEndpoint(settings(url)) as endpoint:
            running = sampler(store, endpoint, 64)
            watcher = asyncio.create_task(watch(running, samples))
            await running.run(tasks(count))
            watcher.cancel()
    return samples


def main() -> None:
    """Measure, and print the largest resident set in windows over the run."""
    from support.servers import instant_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=200_000)
    count = parser.parse_args().attempts
    with instant_server() as url, tempfile.TemporaryDirectory() as folder:
        samples = asyncio.run(sample(url, Path(folder), count))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
    rows, first = [], None
    for start in (10_000, count // 4, count // 2, count - 10_000):
        window = [(n, megabytes, at) for n, megabytes, at in samples if start <= n <= start + 10_000]
        if len(window) < 2:
            continue
        largest = max(megabytes for _, megabytes, _ in window)
        first = largest if first is None else first
        rate = (window[-1][0] - window[0][0]) / (window[-1][2] - window[0][2])
        rows.append((f"{start:,} to {start + 10_000:,}", f"{largest:.0f}", f"{largest - first:+.0f}", f"{rate:.0f}"))
    table(f"Memory over one run of {count:,} attempts", rows, ("attempts", "RSS MB", "change", "attempts/s"))
    print(f"\nThe store has {size:.0f} MB. {machine()}")


if __name__ == "__main__":
    main()
