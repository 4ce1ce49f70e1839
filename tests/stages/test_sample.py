"""Running again: nothing twice, and only what is new."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from selftaught_builder.room.room import open_room
from selftaught_builder.stages.result import Asked
from support.rooms import attempts, cli, server_room, start_cli
from support.servers import OpenAIServer
from support.stages import sample

PROBE = 5


def sampled(folder: Path, server: OpenAIServer, questions: int = 10, **settings: Any) -> Asked:
    """Sample a room, its recipe rewritten with `settings` under `sample`."""
    return sample(open_room(server_room(folder, server.url, questions=questions, sample=settings)))


def test_running_again_asks_for_nothing(openai_server: OpenAIServer, tmp_path: Path) -> None:
    assert sampled(tmp_path / "room", openai_server, k=3).tally.completions == 30
    before = attempts(tmp_path / "room")
    again = sampled(tmp_path / "room", openai_server, k=3)
    assert (again.reused, again.planned, again.tally.requests) == (30, 30, 0)
    assert attempts(tmp_path / "room") == before
    assert openai_server.stats()["requests"] == 30 + PROBE


def test_raising_k_asks_for_the_new_samples_only(openai_server: OpenAIServer, tmp_path: Path) -> None:
    sampled(tmp_path / "room", openai_server, k=2)
    before = {row["id"] for row in attempts(tmp_path / "room")}
    raised = sampled(tmp_path / "room", openai_server, k=5)
    assert (raised.reused, raised.tally.requests) == (20, 30)
    rows = attempts(tmp_path / "room")
    assert {row["sample_index"] for row in rows if row["id"] not in before} == {2, 3, 4}
    assert set(openai_server.stats()["bodies"].values()) <= {1, 2}  # the probe asks one body twice
    assert sampled(tmp_path / "room", openai_server, k=1).tally.requests == 0


def test_more_questions_ask_for_the_new_ones_only(openai_server: OpenAIServer, tmp_path: Path) -> None:
    sampled(tmp_path / "room", openai_server, questions=4, k=2)
    assert sampled(tmp_path / "room", openai_server, questions=7, k=2).tally.requests == 6


@pytest.mark.parametrize("change", [{"temperature": 0.2}, {"max_tokens": 99}, {"top_p": 0.9}, {"stop": ["Q:"]}])
def test_another_parameter_asks_anew(openai_server: OpenAIServer, tmp_path: Path, change: dict[str, Any]) -> None:
    sampled(tmp_path / "room", openai_server, k=2)
    changed = sampled(tmp_path / "room", openai_server, k=2, **change)
    assert (changed.reused, changed.tally.requests) == (0, 20)
    assert sampled(tmp_path / "room", openai_server, k=2).tally.requests == 0


def test_concurrency_changes_no_key_and_no_byte(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.004)
    for folder, concurrency in ((tmp_path / "one", 1), (tmp_path / "many", 16)):
        sampled(folder, openai_server, k=3, concurrency=concurrency)

    def facts(folder: Path) -> list[tuple[Any, ...]]:
        return [(row["id"], row["seed"], row["completion"], row["finish_reason"]) for row in attempts(folder)]

    assert facts(tmp_path / "one") == facts(tmp_path / "many")
    assert sampled(tmp_path / "one", openai_server, k=3, concurrency=7).tally.requests == 0


def test_every_key_is_asked_with_its_own_seed(openai_server: OpenAIServer, tmp_path: Path) -> None:
    sampled(tmp_path / "room", openai_server, k=4)
    seeds = [row["seed"] for row in attempts(tmp_path / "room")]
    assert len(set(seeds)) == 40
    assert sorted(openai_server.seeds()[PROBE:]) == sorted(seeds)


def test_ctrl_c_drains_and_running_again_completes(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.2)
    room = server_room(tmp_path / "room", openai_server.url, questions=60, sample={"k": 4, "concurrency": 8})
    with start_cli("sample", room, stderr=PIPE, stdout=PIPE) as run:
        _wait_for_requests(openai_server, PROBE + 30)
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"Run the same command again" in b" ".join(told.split())
    assert b"Traceback" not in told
    requests = openai_server.stats()["requests"] - PROBE
    rows = attempts(room)
    assert 30 <= requests == len(rows) < 240, "what was in flight is waited for and kept"
    assert all(row["error"] is None for row in rows)
    openai_server.configure()
    again = cli("sample", room, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["requests"] == 240 - requests
    assert len(attempts(room)) == 240


def test_a_second_ctrl_c_does_not_wait(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "hang", "after": PROBE + 10}])
    room = server_room(tmp_path / "room", openai_server.url, questions=60, endpoint={"timeout": 600})
    with start_cli("sample", room, stderr=PIPE, stdout=PIPE) as run:
        _wait_for_requests(openai_server, PROBE + 18)
        run.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"Traceback" not in told
    assert len(attempts(room)) == 10


def test_a_second_writer_is_refused_and_told_who_writes(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.5)
    room = server_room(tmp_path / "room", openai_server.url, questions=60)
    with start_cli("sample", room, stderr=PIPE, stdout=PIPE) as run:
        _wait_for_requests(openai_server, PROBE + 1)
        second = cli("sample", room)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    assert second.returncode == 1
    assert f"process {run.pid}" in second.stderr


def _wait_for_requests(server: OpenAIServer, count: int) -> None:
    deadline = time.monotonic() + 60
    while server.stats()["requests"] < count:
        assert time.monotonic() < deadline, "the requests never came"
        time.sleep(0.02)
