"""Several endpoints of one model at once: shares, failover, spares, and an account of each."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import DEVNULL
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import BudgetStop, EndpointError, RecipeError, SelftaughtError
from selftaught_builder.concurrency import Dispatch, Gate, Lane, Ticket
from selftaught_builder.concurrency.breaker import AILMENTS, BREAK_AFTER
from selftaught_builder.endpoints import Identity, Reply
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.loop.ledger import shaping_hash
from selftaught_builder.recipe import EndpointSettings, load_recipe
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.sampling import lanes
from selftaught_builder.sampling.failures import REFUSED_AFTER
from selftaught_builder.serving.pool import Pool
from selftaught_builder.serving.ports import free_port
from support import servers
from support.rooms import attempts, cli, server_room, start_cli
from support.servers import OpenAIServer
from support.sglang import running, seen, wait_until, write_model
from support.stages import sample as sample_room
from support.watching import Noting

PROBE = 5
FINE = Reply(completion="So.", latency=0.01, tokens_in=1, tokens_out=1)
BROKEN = Reply(error="connection")


def room_of(
    folder: Path, first: OpenAIServer, *replicas: dict[str, Any], share: float | None = None, **given: Any
) -> Room:
    """A room that asks a server and some replicas of it."""
    endpoint = {"replicas": list(replicas), "share": share, **given.pop("endpoint", {})}
    folder.mkdir(exist_ok=True)
    return open_room(server_room(folder / "room", first.url, endpoint=endpoint, **given))


def by_endpoint(room: Room, *, error: str | None = None) -> Counter[str]:
    """Count the completions, or the attempts of one error class, of each server."""
    return Counter(row["endpoint"] for row in attempts(room) if row["error"] == error)


# The queue by itself.


def lane(name: str, most: int = 4, share: float | None = None) -> Lane:
    """An endpoint that is never asked."""
    who = Identity(name, "stand-in", "unknown")
    return Lane(None, who, Gate(most, ailments=AILMENTS), share)  # ty: ignore[invalid-argument-type]


def in_a_loop(test: Callable[[], Any]) -> Any:
    """Run a coroutine function in an event loop."""
    return asyncio.run(asyncio.wait_for(test(), 60))


async def let_go(queue: Dispatch, count: int, answered: Callable[[Lane], Reply] = lambda lane: FINE) -> list[Lane]:
    """Send so many requests one after the other; return where they went."""
    went = []
    for _ in range(count):
        ticket = await queue.admit()
        assert ticket
        went.append(ticket.lane)
        queue.returned(ticket, answered(ticket.lane))
    return went


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=5), st.integers(1, 200))
def test_requests_are_handed_out_in_proportion(shares: list[float], count: int) -> None:
    async def work() -> None:
        lanes = [lane(str(number), share=share) for number, share in enumerate(shares)]
        went = Counter(await let_go(Dispatch(lanes), count))
        for one, share in zip(lanes, shares, strict=True):
            assert abs(went[one] - count * share / sum(shares)) < len(shares)

    in_a_loop(work)


def test_who_was_away_makes_up_for_nothing() -> None:
    async def work() -> None:
        first, second = lane("a", share=1), lane("b", share=1)
        queue = Dispatch([first, second])
        second.gate.hold_back(3600, asyncio.get_running_loop().time())
        assert Counter(await let_go(queue, 50)) == {first: 50}
        second.gate._quiet_until = 0.0
        assert Counter(await let_go(queue, 20)) == {first: 10, second: 10}

    in_a_loop(work)


def test_a_share_is_kept_by_waiting_for_who_is_due() -> None:
    async def work() -> None:
        fast, slow = lane("fast", most=9, share=1), lane("slow", most=1, share=1)
        queue = Dispatch([fast, slow])
        asking = [asyncio.create_task(queue.admit()) for _ in range(6)]
        await asyncio.sleep(0)
        sent = [one.result() for one in asking if one.done()]
        assert Counter(ticket.lane for ticket in sent) == {fast: 2, slow: 1}
        queue.returned(next(ticket for ticket in sent if ticket.lane is slow), FINE)
        await asyncio.sleep(0)
        assert Counter(one.result().lane for one in asking if one.done()) == {fast: 3, slow: 2}
        queue.close()

    in_a_loop(work)


def test_without_shares_everybody_gets_what_it_can_take() -> None:
    async def work() -> None:
        wide, narrow = lane("wide", most=6), lane("narrow", most=2)
        queue = Dispatch([wide, narrow])
        asking = [asyncio.create_task(queue.admit()) for _ in range(9)]
        await asyncio.sleep(0)
        assert Counter(one.result().lane for one in asking if one.done()) == {wide: 6, narrow: 2}
        queue.close()

    in_a_loop(work)


def test_a_spare_is_asked_only_while_no_other_answers() -> None:
    async def work() -> None:
        first, spare = lane("first"), lane("spare", share=0)
        queue = Dispatch([first, spare])
        assert set(await let_go(queue, 20)) == {first}
        ticket = await queue.admit(avoid=first)
        assert ticket
        assert ticket.lane is first, "it answers, if not this one"
        assert queue.another_answers(first, frozenset([first]))
        assert not queue.another_answers(first, frozenset())
        for number in range(BREAK_AFTER):
            queue.returned(ticket, BROKEN)
            if number < BREAK_AFTER - 1:
                ticket = await queue.admit(avoid=first)
                assert ticket
        assert set(await let_go(queue, 5)) == {spare}
        queue.retire(first)
        assert set(await let_go(queue, 5)) == {spare}

    in_a_loop(work)


def test_what_one_failed_to_answer_goes_to_another_and_holds_nobody_up() -> None:
    async def work() -> None:
        first, second = lane("first", most=2), lane("second", most=1)
        queue = Dispatch([first, second])
        held = [await queue.admit() for _ in range(3)]
        (of_second,) = (ticket for ticket in held if ticket and ticket.lane is second)
        again = asyncio.create_task(queue.admit(avoid=first))
        other = asyncio.create_task(queue.admit())
        await asyncio.sleep(0)
        queue.returned(next(ticket for ticket in held if ticket and ticket.lane is first), FINE)
        await asyncio.sleep(0)
        assert (again.done(), other.done()) == (False, True)
        queue.returned(of_second, FINE)
        assert (await again).lane is second
        queue.close()

    in_a_loop(work)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["fine", "connection", "server", "rate_limit", None])),
        max_size=150,
    ),
    st.lists(st.sampled_from([None, 0, 1, 2.5]), min_size=1, max_size=3),
    st.integers(1, 3),
)
def test_nothing_that_happens_leaves_a_request_waiting_while_somebody_is_free(
    happened: list[tuple[int, str | None]], shares: list[float | None], most: int
) -> None:
    async def work() -> None:
        lanes = [lane(str(number), most, share) for number, share in enumerate(shares)]
        queue, under_way = Dispatch(lanes), list[Ticket]()
        asking = [
            asyncio.create_task(queue.admit(avoid=lanes[n % len(lanes)] if n % 3 == 0 else None)) for n in range(40)
        ]
        now = asyncio.get_running_loop().time
        for which, what in happened:
            await asyncio.sleep(0)
            under_way += [one.result() for one in asking if one.done()]
            asking = [one for one in asking if not one.done()]
            for one in lanes:
                assert 0 <= one.gate.in_flight <= one.gate.limit
            if not under_way:
                assert all(one.gate.wait(now()) > 0 for one in lanes) or not asking
                for one in lanes:  # time passes
                    one.gate._quiet_until = 0.0
                queue._grant()
                continue
            ticket = under_way.pop(which % len(under_way))
            queue.returned(ticket, None if what is None else FINE if what == "fine" else Reply(error=what))
        queue.close()
        assert all(one is None or one.lane in lanes for one in await asyncio.gather(*asking))

    in_a_loop(work)


# Real servers.


def test_two_servers_share_the_work_and_each_has_its_account(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url, "share": 3}, questions=40), Noting()
    asked = sample_room(room, watcher)
    assert (asked.tally.completions, asked.tally.failed) == (80, 0)
    assert by_endpoint(room) == {openai_server.url: 20, other_server.url: 60}
    assert [server.stats()["requests"] - PROBE for server in (openai_server, other_server)] == [20, 60]
    assert f"{other_server.url}: 60 of 60" in watcher.notes[-1]
    again = Noting()
    assert sample_room(room, again).tally.requests == 0
    assert not any("by endpoint" in note for note in again.notes)
    alone = open_room(server_room(room.folder, other_server.url, questions=40))
    assert sample_room(alone).tally.requests == 0, "the replicas are no part of what is asked"


def test_the_faster_of_two_servers_does_more(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(latency=0.2)
    other_server.configure(latency=0.01)
    room = room_of(
        tmp_path, openai_server, {"base_url": other_server.url}, questions=60, sample={"k": 2, "concurrency": 4}
    )
    sample_room(room)
    counts = by_endpoint(room)
    assert counts.total() == 120
    assert 0 < 2 * counts[openai_server.url] < counts[other_server.url]


def test_a_server_that_dies_loses_nothing_and_is_asked_again_when_it_is_back(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with ExitStack() as stack:
        (tmp_path / "first").mkdir()
        first = stack.enter_context(servers.openai_server(tmp_path / "first"))
        mortal = stack.enter_context(ExitStack())
        second = mortal.enter_context(servers.openai_server(tmp_path))
        port = urlsplit(second.url).port
        for server in (first, second):
            server.configure(latency=0.1)
        room = room_of(tmp_path, first, {"base_url": second.url}, questions=150, sample={"k": 4, "concurrency": 4})
        run = stack.enter_context(start_cli("sample", room.folder, stderr=stack.enter_context(said.open("wb"))))
        wait_until(lambda: second.stats()["requests"] > PROBE + 20, seconds=60)
        mortal.close()
        wait_until(lambda: "does not answer" in said.read_text() or run.poll() is not None, seconds=60)
        second = stack.enter_context(servers.openai_server(tmp_path, port))
        assert run.wait(timeout=120) == 0, said.read_text()
        again = second.stats()["requests"]
    text = " ".join(said.read_text().split())
    assert text.count("does not answer") == text.count("answers again") == 1, text
    rows = attempts(room)
    assert len({row["key"] for row in rows if row["error"] is None}) == 600
    broken = [row for row in rows if row["error"]]
    assert {row["endpoint"] for row in broken} == {second.url}
    assert {row["error"] for row in broken} <= {"connection", "unreachable"}
    assert len(broken) <= BREAK_AFTER + 4 + 6
    assert again > 10


def test_a_server_that_answers_everything_with_an_error_at_once_does_not_swallow_the_work(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(latency=0.05)
    other_server.configure(faults=[{"kind": "status", "status": 500, "after": PROBE}])
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=100)
    asked = sample_room(room)
    assert (asked.tally.completions, asked.tally.failed) == (200, 0)
    assert by_endpoint(room) == {openai_server.url: 200}
    assert BREAK_AFTER <= by_endpoint(room, error="server")[other_server.url] < 40


def test_who_refuses_the_key_is_asked_no_more_and_costs_no_sample(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    other_server.configure(faults=[{"kind": "status", "status": 401, "after": PROBE}])
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=50), Noting()
    asked = sample_room(room, watcher)
    assert (asked.tally.completions, asked.tally.failed) == (100, 0)
    assert REFUSED_AFTER <= by_endpoint(room, error="auth")[other_server.url] <= REFUSED_AFTER + 8
    assert sum("refuses the key" in note for note in watcher.notes) == 1


def test_where_both_refuse_the_run_stops(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    for server in (openai_server, other_server):
        server.configure(faults=[{"kind": "status", "status": 401, "after": PROBE}])
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=50)
    with pytest.raises(SelftaughtError, match="gives no completions any more"):
        sample_room(room)
    assert len(attempts(room)) < 40


def test_one_that_is_not_there_is_done_without_and_none_is_an_error(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    nobody = f"http://127.0.0.1:{free_port('127.0.0.1')}/v1"
    room, watcher = room_of(tmp_path, openai_server, {"base_url": nobody}), Noting()
    assert sample_room(room, watcher).tally.completions == 20
    assert any(
        note.startswith(f"going on without one of the endpoints: {nobody}: ") and "\n" not in note
        for note in watcher.notes
    )
    both = room_of(tmp_path, openai_server, {"base_url": nobody}, endpoint={"base_url": f"{nobody}/x"}, sample={"k": 3})
    with pytest.raises(EndpointError, match=r"cannot be reached(.|\n)*None of the others can be asked either"):
        sample_room(both)


def test_a_replica_with_another_key_and_name(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELSEWHERE_API_KEY", "sk-elsewhere")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    other_server.configure(models=["vendor/stand-in"], api_key="sk-elsewhere")
    replica = {"base_url": other_server.url, "model": "vendor/stand-in", "api_key_env": "ELSEWHERE_API_KEY", "share": 1}
    prices = {"endpoint": {"prices": {"input": 1, "output": 2}}}
    room = room_of(tmp_path, openai_server, replica, **prices)
    assert sample_room(room).tally.failed == 0
    rows = attempts(room)
    assert {row["model"] for row in rows} == {"stand-in"}
    place = f"{other_server.url} vendor/stand-in"
    told = Counter((row["endpoint"], json.loads(row["provider"]).get("asked_as"), row["cost"] is None) for row in rows)
    assert told == {(openai_server.url, None, False): 10, (place, "vendor/stand-in", True): 10}
    assert "Bearer sk-elsewhere" not in openai_server.stats()["authorizations"]
    assert set(other_server.stats()["authorizations"]) == {"Bearer sk-elsewhere"}


def test_other_weights_are_refused(openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path) -> None:
    for server, version in ((openai_server, "one"), (other_server, "two")):
        server.configure(extra={"/model_info": {"model_path": "/models/x", "weight_version": version}})
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url})
    with pytest.raises(EndpointError, match=r"do not serve the same weights.*@one.*@two"):
        sample_room(room)
    assert not attempts(room)


def test_no_budget_is_overrun_whoever_charges_what(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    for server in (openai_server, other_server):
        server.configure(latency=0.02)
    room = room_of(
        tmp_path,
        openai_server,
        {"base_url": other_server.url, "prices": {"input": 0, "output": 900}},
        endpoint={"prices": {"input": 0, "output": 100}},
        sample={"k": 4, "max_tokens": 20, "budget": {"usd": 0.5}},
        questions=50,
    )
    with pytest.raises(BudgetStop):
        sample_room(room)
    rows = attempts(room)
    spent = sum(row["cost"] for row in rows)
    assert 0.5 - 2 * 20 * 900e-6 <= spent <= 0.5
    rates = {row["endpoint"]: row["cost"] / row["tokens_out"] for row in rows}
    assert rates == pytest.approx({openai_server.url: 100e-6, other_server.url: 900e-6})


def test_limits_of_a_replica_are_its_own(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    for server in (openai_server, other_server):
        server.configure(latency=0.05)
    replica = {"base_url": other_server.url, "concurrency": 1}
    sample_room(room_of(tmp_path, openai_server, replica, sample={"k": 4, "concurrency": 6}, questions=20))
    assert other_server.stats()["in_flight_max"] == 1
    assert openai_server.stats()["in_flight_max"] == 6
    slow = {"base_url": other_server.url, "requests_per_minute": 1}
    room = room_of(tmp_path / "slow", openai_server, slow, questions=20)
    sample_room(room)
    assert by_endpoint(room)[other_server.url] <= 2


def test_status_counts_each(openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path) -> None:
    other_server.configure(faults=[{"kind": "status", "status": 500, "first": 1, "after": PROBE}])
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url, "share": 1})
    sample_room(room)
    told = json.loads(cli("status", room.folder, "--json").stdout)["endpoints"]
    counted = {row["endpoint"]: (row["attempts"], row["completions"], row["failed"]) for row in told}
    failed = by_endpoint(room, error="server")[other_server.url]
    here, there = by_endpoint(room)[openai_server.url], by_endpoint(room)[other_server.url]
    assert failed > 0
    assert counted == {openai_server.url: (here, here, 0), other_server.url: (there + failed, there, failed)}
    shown = cli("status", room.folder).stdout
    assert openai_server.url in shown
    assert other_server.url in shown


def test_doctor_looks_at_each(openai_server: OpenAIServer, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port('127.0.0.1')}/v1"
    room = room_of(tmp_path, openai_server, {"base_url": nobody})
    said = cli("doctor", room.folder)
    assert f"{openai_server.url} serves" in " ".join(said.stdout.split())
    assert f"{nobody}: cannot be reached" in " ".join(said.stdout.split())
    assert said.returncode == 1


def test_each_round_goes_to_all_servers_that_are_there(tmp_path: Path) -> None:
    base, one = (write_model(tmp_path / name, name) for name in ("base", "round-1"))
    started = ("--model-path", str(base), "--served-model-name", "served")
    with running(free_port("127.0.0.1"), *started) as first, ExitStack() as mortal:
        second = mortal.enter_context(running(free_port("127.0.0.1"), *started))
        settings = EndpointSettings.model_validate(
            {"kind": "sglang", "model": "base", "base_url": f"{first}/v1", "replicas": [{"base_url": f"{second}/v1"}]}
        )
        with Pool(settings, tmp_path) as pool:
            assert pool.takes_checkpoints
            for model in (base, one):
                pool.load(model)
                found, problems = _identities(pool)
                assert {who.endpoint for who in found} == {f"{first}/v1", f"{second}/v1"}
                assert {who.weights for who in found} == {fingerprint_weights(model)}
                assert not problems
            mortal.close()
            pool.load(base)
            found, problems = _identities(pool)
            assert [(who.endpoint, who.weights) for who in found] == [(f"{first}/v1", fingerprint_weights(base))]
            assert len(problems) == 1
        assert seen(first), "it is not ours to stop"


def _identities(pool: Pool) -> tuple[list[Identity], list[EndpointError]]:
    async def ask() -> tuple[list[Identity], list[EndpointError]]:
        async with pool.open() as opened:
            return [await member.endpoint.identify() for member in opened.members], list(opened.problems)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ({"replicas": [{}]}, "listed already"),
        ({"replicas": [{"base_url": "http://h:1/v1"}] * 2}, "replicas.1 is listed already"),
        ({"kind": "local", "replicas": [{"base_url": "http://h:1/v1"}]}, "needs a `kind`"),
        ({"kind": "sglang", "base_url": None, "replicas": [{"model": "x"}]}, "needs the `base_url`"),
        ({"kind": "sglang", "replicas": [{"base_url": "http://h:1/v1", "model": "x"}]}, "leave it out"),
        ({"share": 0, "replicas": [{"base_url": "http://h:1/v1", "share": 0}]}, "every `share` is 0"),
        ({"replicas": [{"base_url": "http://h:1/v1", "share": -1}]}, "greater than or equal to 0"),
        ({"replicas": [{"base_url": "http://h:1/v1", "share": math.inf}]}, "finite number"),
        ({"replicas": [{"base_ur": "http://h:1/v1"}]}, "Did you mean `base_url`"),
    ],
)
def test_replicas_that_make_no_sense_are_refused(tmp_path: Path, endpoint: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        load_recipe(server_room(tmp_path, "http://127.0.0.1:1/v1", endpoint=endpoint))


def test_a_replica_is_as_the_endpoint_but_for_what_it_says() -> None:
    settings = EndpointSettings(
        kind="openai",
        model="m",
        base_url="http://a/v1",
        retries=2,
        prices={"input": 1, "output": 2},
        extra_body={"top_k": 5},
        replicas=[{"base_url": "http://b/v1", "share": 2}, {"kind": "litellm", "model": "vendor/m"}],
    )
    first, second, third = settings.doors
    assert (first.base_url, first.replicas) == ("http://a/v1", [])
    assert (second.base_url, second.model, second.retries, second.share) == ("http://b/v1", "m", 2, 2)
    assert second.prices == first.prices
    assert (third.kind, third.prices, third.extra_body) == ("litellm", None, {"top_k": 5})


def test_another_server_does_nothing_again(tmp_path: Path) -> None:
    def shaped(**endpoint: Any) -> str:
        return shaping_hash(load_recipe(server_room(tmp_path, "http://127.0.0.1:1/v1", endpoint=endpoint)))

    assert shaped() == shaped(share=2, replicas=[{"base_url": "http://127.0.0.1:2/v1"}])
    assert shaped() != shaped(model="other")


# What goes wrong in the middle.


def test_who_refuses_while_the_other_only_asks_for_time_costs_no_sample(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 401, "after": PROBE}])
    busy = {"kind": "status", "status": 429, "retry_after": 1, "after": PROBE, "before": PROBE + 40}
    other_server.configure(faults=[busy], latency=0.05)
    replica, sample = {"base_url": other_server.url}, {"k": 2, "concurrency": 40}
    asked = sample_room(room_of(tmp_path, openai_server, replica, questions=50, sample=sample))
    assert (asked.tally.completions, asked.tally.failed) == (100, 0)


def test_what_one_says_cannot_be_answered_another_is_asked_for(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    other_server.configure(faults=[{"kind": "status", "status": 404, "text": "gone away", "after": PROBE}])
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=50), Noting()
    asked = sample_room(room, watcher)
    assert (asked.tally.completions, asked.tally.failed) == (100, 0)
    assert by_endpoint(room, error="bad_request")[other_server.url] < 40
    assert sum("refuses what others answer" in note and "gone away" in note for note in watcher.notes) == 1


def test_what_nobody_can_answer_is_asked_of_each_once_and_the_run_goes_on(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    for server in (openai_server, other_server):
        server.configure(faults=[{"kind": "status", "status": 400, "after": PROBE, "before": PROBE + 3}])
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url}, sample={"k": 1, "concurrency": 1})
    sample_room(room)
    tries = Counter(row["key"] for row in attempts(room) if row["error"])
    assert len(tries) >= 3
    assert max(tries.values()) == 2
    assert sum(by_endpoint(room).values()) == 10 - sum(count == 2 for count in tries.values())


def test_who_has_no_room_for_a_single_request_is_not_hammered(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(latency=0.02)
    other_server.configure(faults=[{"kind": "status", "status": 429, "after": PROBE}])
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=80), Noting()
    asked = sample_room(room, watcher)
    assert (asked.tally.completions, asked.tally.failed) == (160, 0)
    assert by_endpoint(room, error="rate_limit")[other_server.url] < 60
    assert sum("(rate_limit): pausing" in note for note in watcher.notes) == 1


@pytest.mark.parametrize("status", [429, 503, 529])
def test_who_is_asked_for_too_much_at_once_does_not_ail(status: int) -> None:
    gate = Gate(2 * BREAK_AFTER, ailments=AILMENTS)
    sent = [gate.send(0, 0.0) for _ in range(2 * BREAK_AFTER)]
    full = Reply(error="server" if status != 429 else "rate_limit", provider={"status": status})
    for one in sent[1:]:
        gate.returned(one, full, 0.0)
    assert not gate.ailing
    gate.returned(sent[0], FINE, 0.0)
    for _ in range(BREAK_AFTER):
        assert not gate.ailing
        gate.returned(gate.send(0, 0.0), full, 0.0)
    assert gate.ailing, "nothing else was under way there"
    gate.returned(gate.send(0, 9.0), full, 9.0)
    assert gate.wait(9.0) > 1, "a trial that fails is one, whatever else is under way"


def test_a_retry_does_not_wait_for_who_may_be_asked_once_a_minute() -> None:
    async def work() -> None:
        first, slow = lane("first"), lane("slow")
        slow.gate = Gate(4, requests_per_minute=1, ailments=AILMENTS)
        queue = Dispatch([first, slow])
        held = [await queue.admit(), await queue.admit()]
        assert {ticket.lane for ticket in held if ticket} == {first, slow}
        again = await queue.admit(avoid=first)
        assert again
        assert again.lane is first

    in_a_loop(work)


@pytest.mark.parametrize(("share", "spare"), [(None, 0), (1, 1), (None, None)])
def test_nobody_waits_for_a_server_that_hangs(share: float | None, spare: float | None) -> None:
    async def work() -> None:
        hung, good = lane("hung", most=1, share=share), lane("good", most=1, share=spare)
        hung.gate = Gate(1, ailments=AILMENTS, patience=0.1)
        queue = Dispatch([hung, good])
        held = await queue.admit()
        assert held
        assert held.lane is hung
        went = await let_go(queue, 6)
        again = await queue.admit(avoid=good)
        assert again
        assert again.lane is good, "who hangs is no better choice than who failed"
        assert set(went) == {good}
        queue.returned(again, FINE)
        queue.returned(held, FINE)
        assert hung in await let_go(queue, 4), "it answers again"

    in_a_loop(work)


def test_nobody_sleeps_as_long_as_one_server_asks_for_while_another_is_back_sooner(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    for server, seconds in ((openai_server, 3600), (other_server, 1)):
        busy = {"kind": "status", "status": 429, "retry_after": seconds, "after": PROBE, "before": PROBE + 8}
        server.configure(faults=[busy])
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url})
    with start_cli("sample", room.folder) as run:
        try:
            assert run.wait(timeout=60) == 0
        finally:
            run.kill()
    assert by_endpoint(room) == {other_server.url: 20}


def test_a_server_that_hangs_does_not_keep_the_others_from_beginning(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BEGINNING", 0.5)
    other_server.configure(faults=[{"kind": "hang", "after": 1, "before": 2}])
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url}), Noting()
    assert sample_room(room, watcher).tally.completions == 20
    assert any("not found out" in note and other_server.url in note for note in watcher.notes)


def test_who_is_waited_for_at_the_beginning_is_said(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "SILENCE", 0.1)
    monkeypatch.setattr(lanes, "BEGINNING", 0.5)
    other_server.configure(models_faults=[{"kind": "hang"}])
    room, watcher = room_of(tmp_path, openai_server, {"base_url": other_server.url}), Noting()
    assert sample_room(room, watcher).tally.completions == 20
    waited = [note for note in watcher.notes if "waiting for" in note]
    assert waited == [f"waiting for {other_server.url} to say who it is"]


def test_a_round_that_begins_anew_with_other_weights_is_said_to(openai_server: OpenAIServer, tmp_path: Path) -> None:
    room = room_of(tmp_path, openai_server)
    sample_room(room)
    openai_server.configure(extra={"/model_info": {"model_path": "/models/x", "weight_version": "one"}})
    watcher = Noting()
    assert sample_room(room, watcher).tally.completions == 20
    assert any("round 1 was begun with weights unknown" in note for note in watcher.notes)
    watcher = Noting()
    sample_room(room, watcher)
    assert not any("was begun" in note for note in watcher.notes)


def test_a_replica_of_another_provider_gets_neither_the_address_nor_the_key() -> None:
    own = {"kind": "openai", "model": "m", "base_url": "http://a/v1", "api_key_env": "OWN_API_KEY"}
    other = {"kind": "litellm", "model": "together_ai/m"}
    settings = EndpointSettings.model_validate({**own, "replicas": [other, {"base_url": "http://b/v1"}]})
    _, elsewhere, alike = settings.doors
    assert (elsewhere.base_url, elsewhere.names_a_key) == (None, False)
    assert (alike.base_url, alike.api_key_env) == ("http://b/v1", "OWN_API_KEY")
    behind = {"kind": "litellm", "model": "openai/m", "api_key_file": "own.key", "replicas": [other]}
    assert not EndpointSettings.model_validate(behind).doors[1].names_a_key


def test_after_a_kill_whoever_is_there_goes_on_and_nothing_that_arrived_is_asked_again(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path
) -> None:
    at_once, servers_there = 8, (openai_server, other_server)
    for server in servers_there:
        server.configure(latency=0.1)
    sample = {"k": 4, "concurrency": at_once}
    room = room_of(tmp_path, openai_server, {"base_url": other_server.url}, questions=30, sample=sample)
    with start_cli("sample", room.folder, stderr=DEVNULL) as run:
        wait_until(lambda: sum(server.stats()["requests"] for server in servers_there) > 2 * PROBE + 30, seconds=60)
        run.kill()
    requests = sum(server.stats()["requests"] for server in servers_there) - 2 * PROBE
    recipes: list[dict[str, Any]] = [
        {"share": 3, "replicas": [{"base_url": other_server.url, "share": 0}]},
        {"base_url": other_server.url},
        {"base_url": other_server.url, "replicas": [{"base_url": openai_server.url}]},
    ]
    for endpoint, k in zip(recipes, (4, 5, 6), strict=True):
        again = server_room(room.folder, openai_server.url, questions=30, endpoint=endpoint, sample={**sample, "k": k})
        requests += sample_room(open_room(again)).tally.requests
    successes = [row["key"] for row in attempts(room) if row["error"] is None]
    assert len(successes) == len(set(successes)) == 180
    assert requests <= 180 + 2 * at_once, "only what was in flight is asked again"
