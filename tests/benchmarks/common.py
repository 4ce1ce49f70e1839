"""What the benchmarks share: questions, a room's Sampler over the instant server, the machine, and medians."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from selftaught_builder.common.keys import attempt_key
from selftaught_builder.concurrency import Dispatch, Gate, Lane
from selftaught_builder.endpoints import Identity
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.questions import Question
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.sampling.sampler import Sampler
from selftaught_builder.sampling.task import SamplingContext, Task
from selftaught_builder.store import Store, open_store

PARAMETERS = {"temperature": 0.7, "top_p": 1.0, "max_tokens": 96}
K = 4
SHOTS = [
    {"role": "system", "content": "Answer the question. Reason step by step, then end with: The answer is ..."},
    {"role": "user", "content": "A baker sold 41 rolls in the morning. At noon 23 were left. How many did she bake?"},
    {"role": "assistant", "content": "The sold and the left rolls make up the batch. 41 + 23 = 64. The answer is 64."},
    {"role": "user", "content": "Noor's rope is 52 meters long, and Tim's measures 37 meters. How much longer is it?"},
    {"role": "assistant", "content": "We compare the two lengths. 52 - 37 = 15. The answer is 15."},
]


def messages(number: int) -> tuple[dict[str, str], ...]:
    """Return the prompt of question `number`, with few-shot examples as a room's prompts have them."""
    asked = f"In a hall with 4 doors, {number} chairs stand in 7 equal rows. How many chairs are in each row?"
    return (*SHOTS, {"role": "user", "content": asked})


def tasks(count: int) -> Iterator[Task]:
    """Yield the plan of `count` attempts, made as lazily as the product makes it."""
    for number in range(count // K):
        prompt = Prompt("chat", messages(number))
        question = Question(str(number), "bench", "", number, prompt.messages[-1]["content"], "1", "number")
        for index in range(K):
            key = attempt_key("sampled", question.hash, prompt.hash, PARAMETERS, index, "bench")
            yield Task(question, prompt, "sampled", index, key)


def settings(url: str) -> EndpointSettings:
    """Return the endpoint section for the server at `url`."""
    return EndpointSettings(kind="openai", model="stand-in", base_url=url)


def new_store(folder: Path) -> Store:
    """Make an empty store."""
    return open_store(folder / "store.duckdb", create=True)


def sampler(store: Store, endpoint: object, concurrency: int) -> Sampler:
    """Return the product's sampler over an entered endpoint."""
    identity = Identity("bench", "stand-in", "bench")
    dispatch = Dispatch([Lane(endpoint, identity, Gate(concurrency))])
    return Sampler(store, dispatch, SamplingContext("bench", 1, PARAMETERS, 0, "bench"))


@contextmanager
def commit_times(store: Store) -> Iterator[list[tuple[float, float]]]:
    """Collect when each commit of the store was over, and how long it took, in seconds."""
    taken: list[tuple[float, float]] = []
    commit = store.commit_journal

    def timed(*arguments: Any, **named: Any) -> int:
        started = time.monotonic()
        try:
            return commit(*arguments, **named)
        finally:
            taken.append((time.monotonic(), time.monotonic() - started))

    store.commit_journal = timed
    yield taken


def machine() -> str:
    """Name the machine and the versions in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    versions = ", ".join(f"{name} {version(name)}" for name in ("openai", "aiohttp", "duckdb", "polars", "orjson"))
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


def middle(values: list[float]) -> str:
    """Return the median with the smallest and the largest value."""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def table(title: str, rows: list[tuple[object, ...]], header: tuple[str, ...]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("| --- |" + " ---: |" * (len(header) - 1))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
