"""Budgets: never overrun by more than the requests in flight hold, counted over all sittings, and exact where they can be."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import BudgetStop, InputError, RecipeError
from selftaught_builder.endpoints import Reply
from selftaught_builder.endpoints.listing import listed_prices
from selftaught_builder.endpoints.replies import parse_completion
from selftaught_builder.loop.ledger import shaping_hash
from selftaught_builder.recipe import Budget as Limits
from selftaught_builder.recipe import EndpointSettings, Prices, load_recipe
from selftaught_builder.room.room import open_room
from selftaught_builder.spending.budget import Budget, Hold
from selftaught_builder.stages.result import Asked
from support.rooms import attempts, cli, server_room, store_of
from support.servers import OpenAIServer
from support.stages import rationalize, sample
from support.watching import Noting

PROBE = 5
MOST_OUT = 20  # the stand-in's completions have fewer words
PRICES = {"input": 1.0, "output": 4.0}


def sampled(folder: Path, server: OpenAIServer, budget: dict[str, Any] | None, **settings: Any) -> Asked:
    """Sample a room of thirty questions within a budget."""
    endpoint = {"prices": settings.pop("prices", None), "retries": settings.pop("retries", 5)}
    given = {"k": 4, "concurrency": 8, "max_tokens": MOST_OUT, "budget": budget, **settings}
    return sample(open_room(server_room(folder, server.url, questions=30, endpoint=endpoint, sample=given)))


def stopped(folder: Path, server: OpenAIServer, budget: dict[str, Any], **settings: Any) -> BudgetStop:
    """Sample until the budget stops it, and return what it says."""
    with pytest.raises(BudgetStop) as raised:
        sampled(folder, server, budget, **settings)
    return raised.value


def spent(folder: Path) -> dict[str, float]:
    """Return what a room's attempts have cost."""
    rows = attempts(folder)
    tokens = [(row["tokens_in"] or 0) + (row["tokens_out"] or 0) for row in rows]
    return {
        "attempts": len(rows),
        "tokens": sum(tokens),
        "largest": max(tokens, default=0),
        "usd": sum(row["cost"] or 0 for row in rows),
    }


@pytest.mark.parametrize("concurrency", [1, 7, 32])
def test_attempts_stop_at_their_very_number_and_sittings_share_it(
    openai_server: OpenAIServer, tmp_path: Path, concurrency: int
) -> None:
    folder = tmp_path / "room"
    openai_server.configure(latency=0.01)
    stopped(folder, openai_server, {"attempts": 31}, concurrency=concurrency)
    assert spent(folder)["attempts"] == 31
    again = stopped(folder, openai_server, {"attempts": 31}, concurrency=concurrency)
    assert "31 attempts are spent" in str(again)
    assert openai_server.stats()["requests"] == 31 + PROBE
    stopped(folder, openai_server, {"attempts": 50}, concurrency=concurrency)
    assert spent(folder)["attempts"] == 50
    assert sampled(folder, openai_server, {"attempts": 120}, concurrency=concurrency).reused == 50
    assert sampled(folder, openai_server, {"attempts": 120}).tally.requests == 0, "with nothing to ask it is no stop"


@pytest.mark.parametrize("concurrency", [1, 7, 32])
def test_tokens_and_dollars_are_used_up_and_never_overrun(
    openai_server: OpenAIServer, tmp_path: Path, concurrency: int
) -> None:
    openai_server.configure(latency=0.01)
    for name, limit, room_for_one in (("tokens", 900, 60), ("usd", 0.003, 0.0002)):
        folder = tmp_path / name
        for share in (0.5, 1):
            budget = {name: int(limit * share) if name == "tokens" else limit * share}
            stopped(folder, openai_server, budget, concurrency=concurrency, prices=PRICES)
            assert budget[name] - room_for_one < spent(folder)[name] <= budget[name]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_server_that_takes_more_than_it_may_overruns_by_what_is_in_flight(
    openai_server: OpenAIServer, tmp_path: Path, concurrency: int
) -> None:
    openai_server.configure(latency=0.01)
    stopped(tmp_path / "room", openai_server, {"tokens": 600}, concurrency=concurrency, max_tokens=2)
    cost = spent(tmp_path / "room")
    assert cost["tokens"] + cost["largest"] > 600, "it stopped too early"
    assert cost["tokens"] <= 600 + concurrency * cost["largest"]


def test_what_the_server_does_not_count_counts_at_its_most(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "none", "payload": {"usage": None}}])
    stopped(tmp_path / "room", openai_server, {"tokens": 1500}, prices=PRICES)
    rows = attempts(tmp_path / "room")
    assert {row["tokens_out"] for row in rows} == {None}
    assert 5 <= len(rows) <= 1500 / MOST_OUT
    before = openai_server.stats()["requests"]
    stopped(tmp_path / "room", openai_server, {"tokens": 1500})
    assert openai_server.stats()["requests"] == before, "the next sitting counts them, too"


def test_tries_count_and_refused_ones_cost_no_tokens(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 400, "before": PROBE + 12}])
    sampled(tmp_path / "tokens", openai_server, {"tokens": 30 * 4 * (MOST_OUT + 10)})
    assert spent(tmp_path / "tokens")["attempts"] == 120
    openai_server.configure(faults=[{"kind": "status", "status": 503, "after": PROBE, "first": 1}])
    stopped(tmp_path / "attempts", openai_server, {"attempts": 40}, retries=1)
    rows = attempts(tmp_path / "attempts")
    assert len(rows) == 40
    assert Counter(row["error"] for row in rows).keys() == {"server", None}


def test_half_a_reply_counts_at_its_most(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "half", "after": PROBE}])
    stopped(tmp_path / "room", openai_server, {"tokens": 300}, retries=0, concurrency=1)
    rows = attempts(tmp_path / "room")
    assert {row["error"] for row in rows} == {"connection"}
    assert 1 <= len(rows) <= 300 / MOST_OUT


def test_a_questions_own_budget_passes_it_over_and_the_run_goes_on(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.01)
    settings = {"k": 5, "max_tokens": MOST_OUT, "budget": {"per_question": {"attempts": 2}}}
    folder = server_room(tmp_path / "room", openai_server.url, questions=12, sample=settings)
    asked = sample(open_room(folder), watcher := Noting())
    assert Counter(Counter(row["question"] for row in attempts(folder)).values()) == {2: 12}
    assert (asked.tally.completions, asked.tally.withheld) == (24, 36)
    assert any("36 samples were not asked for" in text for text in watcher.notes)
    assert sample(open_room(folder)).tally.requests == 0


def test_all_kinds_of_attempts_and_all_stages_share_the_budget(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(right=0.0)
    settings = {"k": 1, "max_tokens": MOST_OUT, "budget": {"attempts": 15}}
    folder = server_room(tmp_path / "room", openai_server.url, questions=10, sample=settings)
    sample(open_room(folder))
    with pytest.raises(BudgetStop, match="the run"):
        rationalize(open_room(folder))
    assert Counter(row["kind"] for row in attempts(folder)) == {"sampled": 10, "rationalized": 5}


def test_a_rounds_budget_is_its_own(openai_server: OpenAIServer, tmp_path: Path) -> None:
    settings = {"k": 1, "budget": {"attempts": 25, "per_round": {"attempts": 10}}}
    folder = server_room(tmp_path / "room", openai_server.url, questions=12, sample=settings)
    for number, total, what in ((1, 10, "round 1"), (2, 20, "round 2"), (3, 25, "the run")):
        with pytest.raises(BudgetStop, match=f"the budget of {what}"):
            sample(open_room(folder), number=number)
        assert len(attempts(folder)) == total


def test_another_run_has_its_own_budget(openai_server: OpenAIServer, tmp_path: Path) -> None:
    settings = {"k": 1, "budget": {"attempts": 5}}
    folder = server_room(tmp_path / "room", openai_server.url, questions=12, sample=settings)
    for run in ("one", "two"):
        with pytest.raises(BudgetStop):
            sample(open_room(folder, run=run))
    assert Counter(row["run"] for row in attempts(folder)) == {"one": 5, "two": 5}


def test_time_counts_over_sittings_and_only_where_requests_are_under_way(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(latency=0.1)
    folder = tmp_path / "room"
    stop = stopped(folder, openai_server, {"seconds": 0.4}, concurrency=2)
    assert "seconds" in str(stop)
    rows = attempts(folder)
    assert 2 <= len(rows) < 120
    requests = openai_server.stats()["requests"]
    stopped(folder, openai_server, {"seconds": 0.4})
    assert openai_server.stats()["requests"] == requests
    limits = Limits(seconds=1e6, per_round={"seconds": 1e6})
    budget = Budget.of(store_of(folder), "sums", 1, limits, None)
    assert budget is not None
    work = sum(row["latency"] for row in rows)
    assert work / 2 * 0.99 <= budget._run.seconds == budget._round.seconds < work


def test_dollars_without_a_price_are_wrong_input_before_anything_is_asked(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    for budget in ({"usd": 5}, {"per_question": {"usd": 1}}, {"per_round": {"usd": 1}}):
        with pytest.raises(InputError, match="nobody knows what `stand-in` charges") as raised:
            sampled(tmp_path / "room", openai_server, budget)
        assert raised.value.exit_code == 2
    assert openai_server.stats()["requests"] == 0
    assert not attempts(tmp_path / "room")
    free = {"input": 0, "output": 0}
    assert sampled(tmp_path / "room", openai_server, {"usd": 0}, prices=free).tally.completions == 120


def test_the_command_line_ends_with_3_and_says_how_to_go_on(openai_server: OpenAIServer, tmp_path: Path) -> None:
    settings = {"k": 2, "max_tokens": MOST_OUT, "budget": {"tokens": 400}}
    folder = server_room(tmp_path / "room", openai_server.url, questions=30, sample=settings)
    for command in ("sample", "run"):
        done = cli(command, folder)
        assert done.returncode == 3, done.stderr
        said = " ".join(done.stderr.split())
        assert "the budget of the run, 400 tokens, leaves no room" in said
        assert f"{spent(folder)['tokens']:,} tokens are spent" in said
        assert "Raise `sample.budget.tokens`" in said
        assert "Traceback" not in said
    settings["budget"] = {"tokens": 20_000}
    server_room(folder, openai_server.url, questions=30, sample=settings)
    done = cli("sample", folder, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["reused"] > 0


def test_a_raised_budget_does_nothing_again(tmp_path: Path) -> None:
    def shaped(**settings: Any) -> str:
        return shaping_hash(load_recipe(server_room(tmp_path, "http://127.0.0.1:1/v1", sample=settings)))

    assert shaped(k=2) == shaped(k=2, concurrency=3, requests_per_minute=7, tokens_per_minute=8, budget={"tokens": 9})
    assert shaped(k=2) != shaped(k=3)


@pytest.mark.parametrize(
    "budget",
    [
        *({"tokens": 0}, {"usd": -1}, {"dollars": 3}, {"per_question": {"seconds": 3}}, 5),
        *({"usd": float("inf")}, {"seconds": float("nan")}, {"tokens": 10**400}),  # no figure that could be shown
    ],
)
def test_a_budget_that_is_none_is_refused(tmp_path: Path, budget: Any) -> None:
    with pytest.raises(RecipeError, match="budget"):
        load_recipe(server_room(tmp_path, "http://127.0.0.1:1/v1", sample={"budget": budget}))


Request = tuple[int, int, float, bool]
"""A question, the most that a request for it may cost, how much of that it does cost, whether the server says so."""
requests = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 60), st.floats(0, 1), st.booleans()), min_size=1, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(requests, st.integers(1, 12), st.integers(20, 400), st.integers(5, 120), st.integers(0, 2**32))
def test_no_order_of_replies_overruns_any_budget(
    asked: list[Request], at_once: int, tokens: int, each: int, seed: int
) -> None:
    limits = Limits(tokens=tokens, usd=tokens / 2, per_question={"tokens": each}, per_round={"attempts": 40})

    async def work() -> tuple[Budget, int]:
        prices = Prices(input=1e6, output=1e6)
        budget, dice = Budget(limits, 1), random.Random(seed)
        under_way: list[tuple[Hold, int, bool]] = []
        todo, sent = iter(asked), 0

        async def worker() -> None:
            nonlocal sent
            for question, most, share, said in todo:
                hold = await budget.hold(str(question), lambda most=most: most // 2, most - most // 2, prices)
                if hold is not None:
                    sent += 1
                    under_way.append((hold, int(share * most), said))
                    await asyncio.sleep(0)

        async def server() -> None:
            while True:
                if under_way:
                    hold, cost, said = under_way.pop(dice.randrange(len(under_way)))
                    budget.settle(hold, Reply(tokens_in=0, tokens_out=cost) if said else Reply())
                await asyncio.sleep(0)

        answering = asyncio.create_task(server())
        done = await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(at_once)), return_exceptions=True), 30)
        assert all(one is None or isinstance(one, BudgetStop) for one in done), done
        answering.cancel()
        for hold, cost, _ in under_way:
            budget.settle(hold, Reply(tokens_in=0, tokens_out=cost))
        return budget, sent

    budget, sent = asyncio.run(work())
    for account in (budget._run, budget._round, *budget._questions.values()):
        assert not any((account.held.tokens, account.held.attempts, account.held.usd))
        for name, limit in account.limits.items():
            assert getattr(account.spent, name) <= limit + 1e-9
    assert budget._run.spent.attempts == sent


LISTED = {"prompt": "0.000002", "completion": "0.00001", "request": "0", "input_cache_read": "0.0000005"}


def test_what_a_server_lists_is_a_price_and_said_to_be_its_own(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(pricing=LISTED, latency=0.01)
    stop = stopped(tmp_path / "room", openai_server, {"usd": 0.005})
    rows = attempts(tmp_path / "room")
    assert {row["price_source"] for row in rows} == {"server"}
    for row in rows:
        assert row["cost"] == pytest.approx(row["tokens_in"] * 2e-6 + row["tokens_out"] * 1e-5)
    assert 0.005 - 2 * MOST_OUT * 1e-5 < spent(tmp_path / "room")["usd"] <= 0.005
    assert stop.spent == pytest.approx(spent(tmp_path / "room")["usd"])
    told = json.loads(cli("status", tmp_path / "room", "--json").stdout)["budget"]["limits"]
    assert told[0]["spent"] == pytest.approx(stop.spent)


def test_what_a_reply_says_that_it_cost_goes_before_the_list_and_the_recipe_before_both(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "cost": 0.0123}
    said = {"pricing": LISTED, "faults": [{"kind": "priced", "payload": {"usage": usage}}]}
    openai_server.configure(**said)
    sampled(tmp_path / "room", openai_server, None)
    assert {(row["cost"], row["price_source"]) for row in attempts(tmp_path / "room")} == {(0.0123, "server")}
    openai_server.configure(**said)
    sampled(tmp_path / "own", openai_server, None, prices=PRICES)
    assert {(row["cost"], row["price_source"]) for row in attempts(tmp_path / "own")} == {(90e-6, "recipe")}


@pytest.mark.parametrize(
    "pricing",
    [
        None,
        "free",
        {},
        {"prompt": "0.1"},
        {**LISTED, "request": "0.01"},
        {**LISTED, "prompt": "-1"},
        {**LISTED, "completion": "nan"},
        {**LISTED, "completion": 2.5},
        {**LISTED, "completion": True},
        {**LISTED, "completion": "9" * 5000},
        {**LISTED, "completion": [1]},
    ],
)
def test_what_is_no_price_is_unknown(pricing: Any) -> None:
    assert listed_prices({"id": "m", "pricing": pricing}) is None


def test_a_listed_price_is_by_the_million() -> None:
    found = listed_prices({"id": "m", "pricing": LISTED})
    assert found is not None
    assert (found.input, found.output, found.cached) == pytest.approx((2.0, 10.0, 0.5))


@pytest.mark.parametrize("cost", [-1, True, "0.1", 1e9, [], {}])
def test_what_is_no_cost_is_unknown(cost: Any) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}
    reply = parse_completion(orjson.dumps({"choices": [{"message": {"content": "So."}}], "usage": usage}))
    assert (reply.error, reply.cost, reply.price_source) == (None, None, None)


def test_litellms_own_prices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from selftaught_builder.spending.budget import prices_of

    pytest.importorskip("litellm")
    prices = prices_of(Limits(usd=1), EndpointSettings(kind="litellm", model="openai/gpt-4o-mini"))
    assert prices is not None
    assert 0 < prices.input < prices.output
    with pytest.raises(InputError, match="nobody knows"):
        prices_of(Limits(usd=1), EndpointSettings(kind="litellm", model="nobody/knows"))
