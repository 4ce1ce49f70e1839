"""Whether memory stays flat: resident set from 10 k to 200 k attempts within one run, against the instant server."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from common import commit_times, machine, new_store, sampler, settings, table, tasks
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.sampling.sampler import Sampler

Samples = list[tuple[int, float, float]]
Commits = list[tuple[float, float]]


def resident() -> float:
    """Return this process's resident set in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def watch(running: Sampler, samples: Samples) -> None:
    """Note completions, megabytes and seconds, twenty times a second."""
    while True:
        samples.append((running.tally.completions, resident(), time.monotonic()))
        await asyncio.sleep(0.05)


async def sample(url: str, folder: Path, count: int) -> tuple[Samples, Commits]:
    """Get `count` attempts in one run; return what was noted meanwhile, and the commits."""
    store, samples = new_store(folder), []
    with store.writer(), commit_times(store) as commits:
        async with OpenAIEndpoint(settings(url)) as endpoint:
            running = sampler(store, endpoint, 64)
            watcher = asyncio.create_task(watch(running, samples))
            await running.run(tasks(count))
            watcher.cancel()
    return samples, commits


def _figures(window: Samples, commits: Commits) -> tuple[str, ...]:
    """Return the table's cells for a part of the run."""
    (first, _, begun), (last, _, ended) = window[0], window[-1]
    megabytes = [one for _, one, _ in window]
    slowest = max((took for at, took in commits if begun <= at <= ended), default=0.0)
    figures = (median(megabytes), max(megabytes), (last - first) / (ended - begun))
    return (*(f"{figure:.0f}" for figure in figures), f"{slowest:.2f}")


def main() -> None:
    """Measure, and print the resident set in windows over the run."""
    from support.servers import instant_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=200_000)
    count = parser.parse_args().attempts
    with instant_server() as url, tempfile.TemporaryDirectory() as folder:
        samples, commits = asyncio.run(sample(url, Path(folder), count))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
    rows = []
    for start in (10_000, count // 4, count // 2, count - 10_000):
        window = [(n, megabytes, at) for n, megabytes, at in samples if start <= n <= start + 10_000]
        if len(window) > 1:
            rows.append((f"{start:,} to {start + 10_000:,}", *_figures(window, commits)))
    header = ("attempts", "RSS MB, median", "RSS MB, max (inside a commit)", "attempts/s", "slowest commit s")
    table(f"Memory over one run of {count:,} attempts", rows, header)
    print(f"\nThe store has {size:.0f} MB. {machine()}")


if __name__ == "__main__":
    main()
