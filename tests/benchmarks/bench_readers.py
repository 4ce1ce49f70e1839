"""Whether a store can be read while a run writes to it as fast as it can, and whether a reader slows the run."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import commit_times, machine, new_store, sampler, settings, table, tasks
from selftaught_builder.endpoints.openai import OpenAIEndpoint

NEWEST = "SELECT epoch(max(created_at)) AS newest FROM attempts"
SELFTAUGHT = [sys.executable, "-c", "from selftaught_builder.cli.app import main; main()"]


def poll_plainly(path: str, seconds: float) -> dict[str, Any]:
    """Open the file with DuckDB ten times a second; say how often it was refused and how old the newest attempt was."""
    import duckdb

    ages, refused, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with duckdb.connect(path, read_only=True) as connection:
                newest = connection.execute(NEWEST).fetchone()[0]
                ages.append(time.time() - newest)
        except duckdb.IOException:
            refused += 1
        time.sleep(0.1)
    return {"ages": ages, "refused": refused}


def poll_with_selftaught(path: str, seconds: float) -> dict[str, Any]:
    """Do the same with `selftaught sql`, a process each time; an age counts from the moment the answer is there."""
    ages, refused, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        done = subprocess.run([*SELFTAUGHT, "sql", path, NEWEST, "--json"], capture_output=True, text=True)
        if done.returncode:
            refused += 1
            print(done.stderr[-500:], file=sys.stderr)
        else:
            ages.append(time.time() - json.loads(done.stdout)[0]["newest"])
        time.sleep(0.5)
    return {"ages": ages, "refused": refused}


def hold_open(path: str, seconds: float) -> dict[str, Any]:
    """Keep one plain read-only connection open; say when it was opened and closed."""
    import duckdb

    while True:
        try:
            connection = duckdb.connect(path, read_only=True)
            break
        except duckdb.IOException:
            time.sleep(0.01)
    opened = time.time()
    time.sleep(seconds)
    connection.close()
    return {"opened": opened, "closed": time.time()}


READERS = {reader.__name__: reader for reader in (poll_plainly, poll_with_selftaught, hold_open)}


async def read(reader: Any, path: Path, seconds: float) -> dict[str, Any]:
    """Run a reader as a process and return what it says."""
    command = [sys.executable, __file__, "--reader", reader.__name__, "--path", str(path), "--seconds", str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return json.loads(told)


async def measure(url: str, folder: Path, seconds: float) -> list[tuple[object, ...]]:
    """Write without pause; read meanwhile in each way, one after the other."""
    store = new_store(folder)
    rows: list[tuple[object, ...]] = []
    with store.writer(), commit_times(store) as commits:
        async with OpenAIEndpoint(settings(url)) as endpoint:
            running = sampler(store, endpoint, 64)
            writing = asyncio.create_task(running.run(tasks(10**9)))
            await asyncio.sleep(3)

            async def phase(name: str, reader: Any) -> None:
                commits.clear()
                before, started = running.tally.completions, time.monotonic()
                told = await read(reader, store.path, seconds) if reader else await asyncio.sleep(seconds)
                wall = time.monotonic() - started
                rate = (running.tally.completions - before) / wall
                rows.append(
                    (
                        name,
                        f"{rate:.0f}",
                        f"{sum(took for _, took in commits) / wall:.0%}",
                        len(commits),
                        *_polls(told or {}),
                    )
                )

            await phase("nobody reads", None)
            await phase("a plain DuckDB client polls", poll_plainly)
            await phase("`selftaught sql` polls", poll_with_selftaught)
            await phase(f"a reader stays open for {seconds:.0f} s", hold_open)
            await phase("a plain client after that", poll_plainly)
            running.interrupt()
            tally = await writing
    stored = store.sql("SELECT count(*) AS n FROM attempts")["n"][0]
    assert stored == tally.completions, f"{stored} stored of {tally.completions}"
    return rows


def _polls(told: dict[str, Any]) -> tuple[str, str, str]:
    if "ages" not in told:
        return "", "", ""
    ages, refused = told["ages"], told["refused"]
    if not ages:
        return f"{refused} of {refused}", "", ""
    return f"{refused} of {refused + len(ages)}", f"{median(ages):.2f}", f"{max(ages):.2f}"


def main() -> None:
    """Measure, or be one of the readers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reader:
        print(json.dumps(READERS[given.reader](given.path, given.seconds)))
        return
    from support.servers import instant_server

    with instant_server() as url, tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(url, Path(folder), given.seconds))
    header = ("meanwhile", "attempts/s", "commit share", "commits", "opens refused", "age s, median", "age s, max")
    table("Reading while a run writes", rows, header)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
