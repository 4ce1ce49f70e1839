"""The sampler's own rules: how long it waits, how far it reads ahead, and what it tells its listener."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from selftaught_builder.concurrency import Gate
from selftaught_builder.endpoints import Reply
from selftaught_builder.room.room import open_room
from selftaught_builder.sampling.failures import GONE_AFTER
from selftaught_builder.sampling.plan import Plan
from selftaught_builder.sampling.retry import LONGEST_RETRY_AFTER, LONGEST_WAIT
from selftaught_builder.sampling.stop import Stop
from selftaught_builder.sampling.task import Task
from selftaught_builder.stages.watcher import Silent
from support.rooms import attempts, server_room
from support.servers import OpenAIServer
from support.stages import sample as sample_room


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the sampler would have waited between tries; it does not wait."""
    asked: list[float] = []

    async def at_once(self: Stop, seconds: float) -> bool:
        asked.append(seconds)
        return False

    monkeypatch.setattr(Stop, "within", at_once)
    monkeypatch.setattr(Gate, "hold_back", lambda self, seconds, now: None)
    return asked


@pytest.mark.parametrize(("asked", "least"), [(7, 7.0), (0.5, 0.5), (86400, LONGEST_RETRY_AFTER)])
def test_retry_after_is_honoured_up_to_a_limit(
    openai_server: OpenAIServer,
    tmp_path: Path,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    asked: float,
    least: float,
) -> None:
    held: list[float] = []
    monkeypatch.setattr(Gate, "hold_back", lambda self, seconds, now: held.append(seconds))
    openai_server.configure(faults=[{"kind": "status", "status": 429, "retry_after": asked, "first": 1}])
    sample_room(open_room(server_room(tmp_path / "room", openai_server.url, questions=3)))
    assert len(held) == len(waits) == 6
    assert all(least <= seconds <= least + 0.25 for seconds in held)
    assert max(waits) <= 1.0, (
        "the request itself waits no longer than after any error: another endpoint may be back sooner"
    )


def test_waits_grow_to_a_limit(openai_server: OpenAIServer, tmp_path: Path, waits: list[float]) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 503}])
    settings, sample = {"retries": 9}, {"k": 1, "concurrency": 1}
    room = server_room(tmp_path / "room", openai_server.url, questions=8, endpoint=settings, sample=sample)
    sample_room(open_room(room))
    by_try = [waits[start::9] for start in range(9)]
    assert [len(of_try) for of_try in by_try] == [8] * 9
    assert max(by_try[0]) <= 1.0
    assert max(by_try[8]) <= LONGEST_WAIT
    assert sum(by_try[8]) > sum(by_try[0])


def test_no_more_tasks_are_made_than_are_worked_on(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, replied, ahead = [0], [0], [0]
    iterate = Plan.__iter__

    def counted(plan: Plan) -> object:
        made[0] = 0
        for task in iterate(plan):
            made[0] += 1
            ahead[0] = made[0] - replied[0] if replied[0] else ahead[0]
            yield task

    class Counting(Silent):
        def replied(self, task: Task, reply: Reply) -> None:
            replied[0] += 1

    monkeypatch.setattr(Plan, "__iter__", counted)
    sample = {"k": 4, "concurrency": 5}
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=25, sample=sample))
    asked = sample_room(room, Counting())
    assert asked.tally.completions == replied[0] == made[0] == 100
    assert 0 < ahead[0] <= 5


def test_the_listener_hears_of_each_task_once_with_its_last_reply(
    openai_server: OpenAIServer, tmp_path: Path, waits: list[float]
) -> None:
    heard: list[tuple[str, str | None]] = []

    class Hearing(Silent):
        def replied(self, task: Task, reply: Reply) -> None:
            heard.append((task.key, reply.error))

    openai_server.configure(faults=[{"kind": "status", "status": 500, "first": 2}])
    folder = server_room(tmp_path / "room", openai_server.url, questions=4)
    sample_room(open_room(folder), Hearing())
    assert Counter(heard) == Counter((row["key"], None) for row in attempts(folder) if row["error"] is None)
    assert len(heard) == 8


def test_prompts_are_stored_once(openai_server: OpenAIServer, tmp_path: Path) -> None:
    folder = server_room(tmp_path / "room", openai_server.url, questions=40, sample={"k": 3, "concurrency": 2})
    sample_room(open_room(folder))
    stored = open_room(folder).store().sql("SELECT count(*) AS n, count(DISTINCT hash) AS kinds FROM prompts")
    assert stored.rows() == [(40, 40)]
    assert {row["prompt"] for row in attempts(folder)} == set(
        open_room(folder).store().sql("SELECT hash FROM prompts")["hash"]
    )


def test_a_question_that_is_always_refused_does_not_keep_a_run_from_the_rest(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 400, "before": 5 + GONE_AFTER + 4}])
    sample = {"k": GONE_AFTER + 4, "concurrency": 1}
    folder = server_room(tmp_path / "room", openai_server.url, questions=2, sample=sample)
    asked = sample_room(open_room(folder))
    assert (asked.tally.failed, asked.tally.completions) == (GONE_AFTER + 4, GONE_AFTER + 4)
