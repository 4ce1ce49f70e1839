"""Kill the command line at random, again and again within one run, and count what that has cost.

The fault lab answers deterministically and notes every request: what it notes is the truth that the store is held to.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import IO
from unittest.mock import patch

import duckdb
import polars as pl

from faults.labs import RunningLab
from selftaught_builder.common.keys import seed_of
from selftaught_builder.store import open_store, schema
from selftaught_builder.store.journal import read_segment
from support.command import environment
from support.rooms import cli, server_room, start_cli

# Each is tried again within the run; together they are two tries in a hundred.
FAULTS = ("429", "500", "reset", "hang-up", "half a body")
# Of the lives after the migration, those that sample, verify and export.
COMMANDS = ("run", "verify", "export")
# Of the kills, about how many meet a life that samples.
SAMPLING = 0.5
# Seconds that a life takes, and after its first reply is given to sample, to begin with.
START, FIRST_WINDOW = 2.0, 0.3


@dataclass
class Toll:
    """What the kills have cost.

    Attributes:
        kills: how many there were, by what was killed.
        over: lives that were over before they could be killed.
        left_at: schema numbers that kills in a migration left behind.
        lost: attempts that had arrived before a kill and were not there after a later one.
        asked_again: requests for what had arrived before.
        doubled: keys with more than one success.
        missing: keys without a success at the end.
        requests: what the lab saw.
        rows: attempts that the store holds at the end.
        failed: those of them that hold no completion: recorded retries.
        tracebacks: lives that ended in one.
        dropped: what the store says was damaged.
    """

    kills: Counter[str] = field(default_factory=Counter)
    over: int = 0
    left_at: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    asked_again: int = 0
    doubled: int = 0
    missing: int = 0
    requests: int = 0
    rows: int = 0
    failed: int = 0
    tracebacks: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Dataset:
    """A dataset version.

    Attributes:
        content: its content hash.
        rows: SHA-256 of its rows.
    """

    content: str
    rows: str


class Killing:
    """One run in a room of sums, killed again and again.

    Args:
        lab: the server; what it saw before is forgotten.
        folder: where the room is made, with a store of the oldest schema.
        attempts: how many the run is of.
        concurrency: requests in flight.
        share: share of tries that a fault befalls.
        seed: of the dice.
        told: called after each kill, with its toll so far and how many samples have arrived.
    """

    K = 4

    def __init__(
        self,
        lab: RunningLab,
        folder: Path,
        *,
        attempts: int,
        concurrency: int,
        share: float,
        seed: int,
        told: Callable[[Toll, int], None] = lambda toll, arrived: None,
    ) -> None:
        self.lab, self.keys, self.concurrency = lab, attempts, concurrency
        self.room = write_sums(folder, lab, attempts=attempts, concurrency=concurrency)
        self.store = self.room / "store.duckdb"
        self.toll = Toll()
        self.dice = random.Random(seed)
        self.told = told
        self._arrived: dict[str, bool] = {}
        self._done_seeds: set[int] = set()
        self._seen = 0
        lab.script(cases=list(FAULTS), share=share, seed=seed)

    def kill_migrations(self, kills: int) -> None:
        """Kill as many lives while they migrate a store of the oldest schema."""
        lock = self.store.with_name("store.duckdb.lock")
        for _ in range(kills):
            if _schema(self.store) in (None, max(schema.migrations())):
                self.store.unlink(missing_ok=True)
                make_oldest(self.store)
            lock.unlink(missing_ok=True)
            self._live("migration", "run", lambda started: lock.exists() and lock.stat().st_size > 0, 0.08)
            number = _schema(self.store)
            assert number is not None
            self.toll.left_at[number] += 1

    def kill(self, kills: int) -> None:
        """Kill as many lives: half while they sample, the others at any moment of a life that runs, verifies or exports.

        How long a life of each kind takes is learnt, and so is how long one may sample for the run to last.
        """
        spans, window = dict.fromkeys(COMMANDS, START), FIRST_WINDOW
        share, left = self.keys / (SAMPLING * kills), kills
        while left:
            began, arrived = time.monotonic(), len(self._done_seeds)
            if self.dice.random() < SAMPLING and arrived < self.keys:
                left -= self._live("sampling", "run", self._replies_arrive, window)
                window *= 1.2 if len(self._done_seeds) - arrived < share / 2 else 0.8
                continue
            command = self.dice.choice(COMMANDS)
            killed = self._live(command, command, lambda started: True, spans[command])
            spans[command] = 1.1 * spans[command] if killed else time.monotonic() - began
            left -= killed

    def end(self) -> Dataset:
        """Run to the end, undisturbed; return what came of it."""
        for _ in range(2):  # the second asks again for what has failed for good
            done = cli("run", self.room, env=environment())
            assert done.returncode == 0, done.stderr
            self._take_stock()
        successes = Counter(name.partition(".")[0] for name, success in self._arrived.items() if success)
        toll = self.toll
        toll.doubled = sum(count > 1 for count in successes.values())
        toll.missing = self.keys - len(successes)
        toll.requests, toll.rows = self._seen, len(self._arrived)
        toll.failed = sum(not success for success in self._arrived.values())
        toll.dropped = sum(file.stat().st_size for file in self.room.rglob("*.damaged"))
        return dataset(self.room)

    @property
    def most_requests(self) -> int:
        """How many requests the kills may have cost at most."""
        return self.keys + self.toll.failed + self.toll.kills.total() * self.concurrency

    def _replies_arrive(self, started: float) -> bool:
        with suppress(FileNotFoundError):  # committed and dropped meanwhile
            segments = self.store.with_name("store.duckdb.journal").glob("*.jsonl")
            return any(segment.stat().st_mtime > started for segment in segments)
        return False

    def _live(self, kind: str, command: str, begun: Callable[[float], bool], within: float) -> bool:
        """Start a command, and kill it within so many seconds after something has begun. Returns whether it was killed."""
        moment = self.dice.uniform(0, within)
        with (self.room / "said.log").open("w+") as said:
            with start_cli(command, self.room, stdin=DEVNULL, stdout=said, stderr=said, env=environment()) as life:
                _wait_for(life, begun)
                time.sleep(moment)
                killed = life.poll() is None
                life.kill()
            self._listen(said)
        self._take_stock()
        if killed:
            self.toll.kills[kind] += 1
            self.told(self.toll, len(self._done_seeds))
        else:
            self.toll.over += 1
        return killed

    def _listen(self, said: IO[str]) -> None:
        said.seek(0)
        self.toll.tracebacks += "Traceback" in said.read()

    def _take_stock(self) -> None:
        """Hold the store to what had arrived before, and the requests since then to it."""
        requests = self.lab.seen()["requests"]
        self.toll.asked_again += sum(seed in self._done_seeds for _, seed, *_ in requests[self._seen :])
        self._seen = len(requests)
        now = stored(self.store)
        self.toll.lost += sum(now.get(name) != success for name, success in self._arrived.items())
        self._arrived = now
        self._done_seeds = {seed_of(name.partition(".")[0]) for name, success in now.items() if success}


def write_sums(folder: Path, lab: RunningLab, *, attempts: int, concurrency: int) -> Path:
    """Write a room of sums, with four samples a question."""
    return server_room(
        folder,
        lab.url,
        questions=attempts // Killing.K,
        endpoint={"timeout": 10, "retries": 4},
        sample={"k": Killing.K, "concurrency": concurrency},
        keep="answer = 'pass'",
    )


def unbroken(lab: RunningLab, folder: Path, *, attempts: int, concurrency: int) -> tuple[Dataset, float]:
    """Run without a kill and without a fault; return what came of it, and the seconds it took."""
    room = write_sums(folder, lab, attempts=attempts, concurrency=concurrency)
    lab.script()
    started = time.monotonic()
    done = cli("run", room, env=environment())
    assert done.returncode == 0, done.stderr
    return dataset(room), time.monotonic() - started


def dataset(room: Path) -> Dataset:
    """Return a room's newest version."""
    with duckdb.connect(str(room / "store.duckdb"), read_only=True) as connection:
        newest = "SELECT version, content FROM dataset_versions ORDER BY number DESC LIMIT 1"
        name, content = connection.execute(newest).fetchall()[0]
    rows = pl.concat([pl.read_parquet(file) for file in sorted((room / name / "data").iterdir())])
    return Dataset(content, hashlib.sha256(rows.write_json().encode()).hexdigest())


def make_oldest(path: Path) -> None:
    """Make an empty store of the oldest schema."""
    oldest = min(schema.migrations().items())
    with patch.object(schema, "migrations", lambda: dict([oldest])):
        open_store(path, create=True)


def stored(store: Path) -> dict[str, bool]:
    """Return the ids of all attempts in tables and journal, and whether each is a success. Changes neither."""
    found: dict[str, bool] = {}
    if store.exists():
        with duckdb.connect() as memory:
            memory.execute(f"ATTACH '{store}' AS store (READ_ONLY)")
            if memory.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'attempts'").fetchone():
                found = dict(memory.execute("SELECT id, error IS NULL FROM store.attempts").fetchall())
    for segment in sorted(store.with_name(store.name + ".journal").glob("*.jsonl")):
        for records in read_segment(segment):
            found |= {record["id"]: record["error"] is None for record in records if record["table"] == "attempts"}
    return found


def _schema(store: Path) -> int | None:
    """Return a store's schema number, None where there is no store."""
    if not store.exists():
        return None
    with duckdb.connect(str(store), read_only=True) as connection:
        return schema.schema_number(connection)


def _wait_for(life: Popen[bytes], begun: Callable[[float], bool]) -> None:
    started = time.time()
    while life.poll() is None and not begun(started):
        time.sleep(0.002)
