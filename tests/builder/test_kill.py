"""Kill the command line thirty times within one run: nothing that had arrived is lost, doubled or asked for again."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import duckdb
import pytest

from selftaught_builder.keys import seed_of
from selftaught_builder.store.journal import read_segment
from support.rooms import attempts, start_cli, write_room
from support.servers import OpenAIServer

KILLS, QUESTIONS, K, CONCURRENCY = 30, 750, 4, 16


@pytest.mark.timeout(600)
def test_thirty_kills_lose_nothing_and_double_nothing(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.configure(latency=0.12, faults=[{"kind": "status", "status": 429, "retry_after": 0.01, "every": 50}])
    sample = {"k": K, "concurrency": CONCURRENCY}
    room = write_room(tmp_path / "room", openai_server.url, questions=QUESTIONS, sample=sample)
    arrived: dict[str, bool] = {}
    asked_from = 0
    for moment in _moments(random.Random(20220328)):
        with start_cli("sample", room, stdout=DEVNULL, stderr=DEVNULL) as run:
            moment(run, openai_server)
            assert run.poll() is None, "the run was over before the kill: give it more to do"
            run.kill()
        _assert_not_asked_again(arrived, openai_server, asked_from)
        asked_from = openai_server.log.stat().st_size
        now = _stored(room / "store.duckdb")
        assert arrived.items() <= now.items()
        arrived = now
    with start_cli("sample", room, stdout=DEVNULL, stderr=DEVNULL) as run:
        assert run.wait(timeout=300) == 0
    _assert_not_asked_again(arrived, openai_server, asked_from)
    _assert_whole(attempts(room), arrived, openai_server)


def _moments(dice: random.Random) -> Any:
    """Yield thirty waits: through the start-up and the replay, after a few requests, around the first commit."""

    def while_starting(run: Popen, server: OpenAIServer, seconds: float) -> None:
        time.sleep(seconds)

    def after_requests(run: Popen, server: OpenAIServer, count: float) -> None:
        size = server.log.stat().st_size
        while run.poll() is None and server.log.stat().st_size < size + 10 * count:
            time.sleep(0.001)

    def around_commit(run: Popen, server: OpenAIServer, seconds: float) -> None:
        after_requests(run, server, 1)
        time.sleep(seconds)

    kinds = ((while_starting, 0.2, 2.0), (after_requests, 1, 60), (around_commit, 0.9, 1.4))
    for number in range(KILLS):
        kind, low, high = kinds[number % 3]
        amount = dice.uniform(low, high)
        yield lambda run, server, kind=kind, amount=amount: kind(run, server, amount)


def _stored(store: Path) -> dict[str, bool]:
    """Return the ids of all attempts in table and journal, and whether each is a success. Changes neither."""
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


def _assert_not_asked_again(arrived: dict[str, bool], server: OpenAIServer, asked_from: int) -> None:
    done = {seed_of(identifier.partition(".")[0]) for identifier, success in arrived.items() if success}
    assert done.isdisjoint(server.seeds(asked_from))


def _assert_whole(rows: list[dict[str, Any]], arrived: dict[str, bool], server: OpenAIServer) -> None:
    assert arrived.keys() <= {row["id"] for row in rows}
    successes = Counter(row["key"] for row in rows if row["error"] is None)
    assert len(successes) == QUESTIONS * K
    assert set(successes.values()) == {1}
    seeds = {seed_of(key) for key in successes}
    assert len(seeds) == QUESTIONS * K, "two keys share a seed: the log cannot tell them apart"
    requests = sum(seed in seeds for seed in server.seeds())
    failed = sum(row["error"] is not None for row in rows)
    print(f"{requests} requests, {len(successes)} keys, {KILLS} kills at concurrency {CONCURRENCY}, {failed} retries")
    assert len(rows) <= requests <= len(successes) + failed + KILLS * CONCURRENCY
