"""How fast an endpoint is asked: near what it takes, never above what was said, and not at all while it is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import SelftaughtError
from selftaught_builder.concurrency import Dispatch, Gate, Lane
from selftaught_builder.concurrency.breaker import BREAK_AFTER, LONGEST_PAUSE, Breaker
from selftaught_builder.concurrency.climb import START, Climb
from selftaught_builder.concurrency.gate import CAP, limits_of
from selftaught_builder.concurrency.pace import Pace
from selftaught_builder.endpoints import Identity, Reply
from selftaught_builder.room.room import open_room
from support import servers
from support.rooms import attempts, server_room, start_cli
from support.servers import OpenAIServer
from support.sglang import wait_until
from support.stages import sample as sample_room

PROBE = 5
FINE = Reply(completion="So.", latency=1.0, tokens_in=1, tokens_out=1)
FULL = Reply(error="rate_limit", provider={"status": 429})
BROKEN = Reply(error="connection")


def test_the_limit_doubles_until_the_first_overload_and_then_grows_by_one_a_round_trip() -> None:
    climb = Climb(4, 100)
    for number in range(1, 5):
        climb.succeeded(number, 4, 1.0, busy=True)
    assert climb.limit == 8
    climb.overloaded(5, 12)
    climb.overloaded(6, 12)  # was under way together with the other
    assert climb.limit == 4
    for number in range(13, 17):
        climb.succeeded(number, 16, 1.0, busy=True)
    assert 4.9 < climb.limit <= 5
    climb.overloaded(17, 20)
    assert climb.limit < 2.6


def test_a_limit_that_was_not_reached_says_nothing() -> None:
    climb = Climb(4, 100)
    climb.succeeded(1, 1, 1.0, busy=False)
    assert climb.limit == 4


def test_rising_latency_holds_the_limit_and_then_reduces_it_to_where_it_began() -> None:
    climb = Climb(4, 1000)
    for number in range(1, 33):
        climb.succeeded(number, number, 1.0, busy=True)
    reached = climb.limit
    assert reached > 30
    for number in range(33, 133):
        climb.succeeded(number, number, 4.0, busy=True)
    held = climb.limit
    assert reached <= held < reached + 30
    for number in range(133, 233):
        climb.succeeded(number, number, 30.0, busy=True)
    assert climb.limit == 4


@given(
    st.lists(st.tuples(st.sampled_from(["fine", "full"]), st.floats(0.001, 1000), st.booleans())), st.integers(1, 64)
)
def test_the_limit_stays_between_one_and_the_most(happened: list[tuple[str, float, bool]], most: int) -> None:
    climb = Climb(16, most)
    for number, (what, seconds, busy) in enumerate(happened, 1):
        if what == "fine":
            climb.succeeded(number, number, seconds, busy=busy)
        else:
            climb.overloaded(number, number)
        assert 1 <= climb.limit <= most


@given(st.integers(1, 600), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=200))
def test_no_minute_holds_more_than_the_pace_and_one_more(per_minute: int, asked: list[tuple[float, int]]) -> None:
    pace, now, spent = Pace(per_minute), 0.0, []
    for later, amount in asked:
        now += later
        now += pace.wait(now)
        pace.spend(amount, now)
        spent.append((now, amount))
    for start, first in spent:
        within = sum(amount for at, amount in spent if start < at <= start + 60)
        assert within <= per_minute + 50, "the last of a minute may be larger than what was left"
        assert first <= 50


def test_what_was_not_needed_is_given_back() -> None:
    pace = Pace(60)
    pace.spend(30, 100.0)
    assert pace.wait(100.0) == pytest.approx(30)
    pace.give_back(20)
    assert pace.wait(100.0) == pytest.approx(10)
    assert Pace(None).wait(0) == 0


def test_the_breaker_opens_pauses_longer_each_time_and_closes_at_an_answer() -> None:
    breaker = Breaker(probes=9)
    assert [breaker.failed(probe=False) for _ in range(BREAK_AFTER - 1)] == [None] * (BREAK_AFTER - 1)
    assert not breaker.answered(), "it was not open"
    pauses = [breaker.failed(probe=False) for _ in range(BREAK_AFTER)]
    assert pauses == [None] * (BREAK_AFTER - 1) + [1.0]
    assert breaker.failed(probe=False) is None, "a request that was under way when it opened"
    assert [breaker.failed(probe=True) for _ in range(7)] == [2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE]
    assert not breaker.dead
    assert breaker.answered()
    assert not breaker.open
    for _ in range(BREAK_AFTER):
        breaker.failed(probe=False)
    for _ in range(9):
        assert not breaker.dead
        breaker.failed(probe=True)
    assert breaker.dead


def queue_before(gate: Gate) -> Dispatch:
    """A queue before one endpoint, which is never asked."""
    return Dispatch([Lane(None, Identity("here", "stand-in", "unknown"), gate)])  # ty: ignore[invalid-argument-type]


async def admitted(queue: Dispatch, count: int) -> list[asyncio.Task]:
    """Ask for leave so many times; return the tasks, of which those that got it are done."""
    asking = [asyncio.create_task(queue.admit()) for _ in range(count)]
    await asyncio.sleep(0)
    return asking


def looped(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 60))

    run.__name__ = test.__name__
    return run


@looped
async def test_requests_go_in_their_order_and_no_more_at_once_than_the_limit() -> None:
    queue = queue_before(gate := Gate(2))
    asking = await admitted(queue, 5)
    assert [one.done() for one in asking] == [True, True, False, False, False]
    queue.returned(asking[1].result(), FINE)
    await asyncio.sleep(0)
    assert [one.done() for one in asking] == [True, True, True, False, False]
    asking[3].cancel()
    queue.returned(asking[0].result(), None)
    await asyncio.sleep(0)
    assert asking[4].done()
    assert gate.in_flight == 2


@looped
async def test_what_a_server_asks_for_holds_for_the_whole_endpoint() -> None:
    queue = queue_before(Gate(4))
    queue.hold_back(queue.lanes[0], 0.05)
    asking = await admitted(queue, 3)
    assert not any(one.done() for one in asking)
    assert [ticket.sent.number for ticket in await asyncio.gather(*asking)] == [1, 2, 3]


@looped
async def test_a_closed_queue_gives_no_leave() -> None:
    queue = queue_before(Gate(1, requests_per_minute=1))
    asking = await admitted(queue, 3)
    queue.close()
    assert [await one is None for one in asking] == [False, True, True]
    assert await queue.admit() is None


@looped
async def test_the_minutes_requests_are_kept_and_those_not_sent_do_not_count() -> None:
    queue = queue_before(Gate(8, requests_per_minute=1))
    first, second = await admitted(queue, 2)
    assert (first.done(), second.done()) == (True, False)
    queue.returned(first.result(), None)
    assert await second


@looped
async def test_a_dead_endpoint_is_tried_with_one_request() -> None:
    told: list[str] = []
    queue = queue_before(gate := Gate(BREAK_AFTER, note=told.append))
    asking = await admitted(queue, BREAK_AFTER)
    for one in asking:
        queue.returned(one.result(), BROKEN)
    asking += await admitted(queue, 3)
    assert not any(one.done() for one in asking[BREAK_AFTER:])
    gate._quiet_until = 0.0  # the pause is over
    queue._grant()
    await asyncio.sleep(0)
    assert [one.done() for one in asking[BREAK_AFTER:]] == [True, False, False]
    queue.returned(asking[BREAK_AFTER].result(), FULL)  # that is an answer
    await asyncio.sleep(0)
    assert all(one.done() for one in asking)
    assert len(told) == 2
    assert "does not answer" in told[0]
    assert "again" in told[1]


def test_a_server_of_ours_keeps_its_slots_and_a_number_is_a_number() -> None:
    assert limits_of(8, "auto", adapts=False) == (8, None)
    assert limits_of(8, 5, adapts=True) == limits_of(8, 5, adapts=False) == (5, None)
    assert limits_of(8, "auto", adapts=True) == (START, 8 * CAP)
    assert limits_of(1, "auto", adapts=True) == (CAP, CAP)


@pytest.mark.parametrize("most", [6, 40])
def test_the_limit_comes_near_what_the_server_takes(openai_server: OpenAIServer, tmp_path: Path, most: int) -> None:
    openai_server.configure(latency=0.05, most=most)
    sample = {"k": 4, "concurrency": "auto"}
    folder = server_room(tmp_path / "room", openai_server.url, questions=40 * most // 4, sample=sample)
    asked = sample_room(open_room(folder))
    assert asked.tally.completions == 40 * most // 4 * 4
    seen = openai_server.stats()
    print(f"{most} at once: {seen['in_flight_sum'] / seen['requests']:.1f} on average, {seen['refused']} refused")
    assert seen["in_flight_sum"] / seen["requests"] > most / 2
    assert seen["refused"] < seen["requests"] / 5
    assert asked.tally.failed == 0


def test_a_server_that_takes_everything_is_asked_for_more_than_in_the_beginning(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(latency=0.05)
    sample = {"k": 4, "concurrency": "auto"}
    sample_room(open_room(server_room(tmp_path / "room", openai_server.url, questions=250, sample=sample)))
    assert START < openai_server.stats()["in_flight_max"] <= 64 * CAP


def test_a_dead_endpoint_is_not_hammered(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "reset", "after": PROBE + 40}])
    sample, settings = {"k": 2, "concurrency": 8}, {"retries": 1}
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=200, endpoint=settings, sample=sample))
    with pytest.raises(SelftaughtError, match="gives no completions any more"):
        sample_room(room)
    failed = [row for row in attempts(room) if row["error"]]
    assert {row["error"] for row in failed} == {"connection"}
    assert BREAK_AFTER + 2 <= len(failed) <= BREAK_AFTER + 8 + 2


def test_a_server_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        server = first.enter_context(servers.openai_server(tmp_path))
        port = urlsplit(server.url).port
        server.configure(latency=0.1)
        sample = {"k": 4, "concurrency": 8}
        folder = server_room(tmp_path / "room", server.url, questions=50, sample=sample)
        run = stack.enter_context(start_cli("sample", folder, stderr=stack.enter_context(said.open("wb"))))
        wait_until(lambda: server.stats()["requests"] > PROBE + 20, seconds=60)
        first.close()
        wait_until(lambda: "does not answer" in said.read_text() or run.poll() is not None, seconds=60)
        stack.enter_context(servers.openai_server(tmp_path, port))
        assert run.wait(timeout=120) == 0, said.read_text()
    text = " ".join(said.read_text().split())
    assert text.count("does not answer") == 1
    assert text.count("answers again") == 1
    rows = attempts(folder)
    assert len({row["key"] for row in rows if row["error"] is None}) == 200
    broken = [row for row in rows if row["error"]]
    assert BREAK_AFTER <= len(broken) <= BREAK_AFTER + 8 + 6
