"""What storing durably costs: attempts per second against loops that store nothing, all against one instant server."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median

import aiohttp
import openai
import orjson

from common import PARAMETERS, machine, messages, middle, new_store, sampler, settings, table, tasks
from selftaught_builder.endpoints.openai import OpenAIEndpoint

Loop = Callable[[str, int, int], Awaitable[None]]


async def in_flight(concurrency: int, count: int, ask: Callable[[int], Awaitable[object]]) -> None:
    """Call `ask` for each of `count` numbers from so many workers."""
    numbers = iter(range(count))

    async def work(left: Iterator[int]) -> None:
        for number in left:
            await ask(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work(numbers))


async def sdk(url: str, count: int, concurrency: int) -> None:
    """The loop that one writes with the openai package; it stores nothing."""
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:

        async def ask(number: int) -> object:
            return await client.chat.completions.create(
                model="stand-in", messages=messages(number // 4), seed=number, **PARAMETERS
            )

        await in_flight(concurrency, count, ask)


async def sdk_over_aiohttp(url: str, count: int, concurrency: int) -> None:
    """The same over the package's aiohttp transport, with raw responses."""
    client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient())
    async with client:

        async def ask(number: int) -> object:
            return await client.chat.completions.with_raw_response.create(
                model="stand-in", messages=messages(number // 4), seed=number, **PARAMETERS
            )

        await in_flight(concurrency, count, ask)


async def bare_aiohttp(url: str, count: int, concurrency: int) -> None:
    """aiohttp and orjson and nothing else; it stores nothing."""
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> object:
            body = {"model": "stand-in", **PARAMETERS, "seed": number, "messages": messages(number // 4)}
            async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                return orjson.loads(await response.read())

        await in_flight(concurrency, count, ask)


async def selftaught(url: str, count: int, concurrency: int) -> None:
    """The product: every attempt journalled as it arrives, all of them in the tables at the end."""
    with tempfile.TemporaryDirectory() as folder:
        store = new_store(Path(folder))
        with store.writer():
            async with OpenAIEndpoint(settings(url)) as endpoint:
                await sampler(store, endpoint, concurrency).run(tasks(count))
        stored = store.sql("SELECT count(*) AS n FROM attempts WHERE error IS NULL")["n"][0]
    assert stored == count, f"{stored} of {count} stored"


def loops() -> dict[str, Loop]:
    """Return what is measured, by name; the first is what the others are compared with."""
    chosen: dict[str, Loop] = {"AsyncOpenAI, stores nothing": sdk, "selftaught, stores durably": selftaught}
    chosen["aiohttp, stores nothing"] = bare_aiohttp
    try:
        openai.DefaultAioHttpClient()
    except (RuntimeError, ImportError):
        print("(AsyncOpenAI over aiohttp is left out: `openai[aiohttp]` is not installed)")
    else:
        chosen["AsyncOpenAI over aiohttp, raw responses, stores nothing"] = sdk_over_aiohttp
    return chosen


def main() -> None:
    """Measure interleaved, and print medians."""
    from support.servers import instant_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    chosen = loops()
    rates: dict[str, list[float]] = {name: [] for name in chosen}
    spent: dict[str, list[float]] = {name: [] for name in chosen}
    with instant_server() as url:
        for loop in chosen.values():  # warm up: imports, connections, DuckDB
            asyncio.run(loop(url, 400, given.concurrency))
        for _ in range(given.repeats):
            for name, loop in chosen.items():
                wall, cpu = time.perf_counter(), time.process_time()
                asyncio.run(loop(url, given.requests, given.concurrency))
                rates[name].append(given.requests / (time.perf_counter() - wall))
                spent[name].append((time.process_time() - cpu) / given.requests * 1000)
    base = median(rates[next(iter(chosen))])
    rows = [(name, middle(rates[name]), f"{median(rates[name]) / base:.2f}", middle(spent[name])) for name in chosen]
    title = f"Overhead: {given.requests} requests at concurrency {given.concurrency}, median of {given.repeats}"
    table(title, rows, ("loop", "attempts/s", "ratio", "CPU ms/attempt"))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
