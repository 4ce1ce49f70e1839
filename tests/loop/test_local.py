"""The room `sums` with its real model on this machine: killed while it samples, and with its server killed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import psutil
import pytest
import yaml

from selftaught_builder.room.room import open_room
from support.rooms import cli, start_cli

SUMS = Path(__file__).parents[2] / "datasets" / "sums"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the room with few questions, that samples them and trains nothing."""
    monkeypatch.setenv("SELFTAUGHT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "sums"
    folder.mkdir()
    shutil.copytree(SUMS / "base", folder / "base")
    shutil.copyfile(SUMS / "questions.jsonl", folder / "questions.jsonl")
    recipe = yaml.safe_load((SUMS / "recipe.yaml").read_text())
    recipe["questions"] = {"source": "questions.jsonl", "kind": "number", "limit": 150}
    recipe["sample"]["k"] = 4
    del recipe["train"], recipe["rounds"], recipe["evaluate"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def attempts(folder: Path) -> dict[str, dict[str, Any]]:
    if not (folder / "store.duckdb").exists():
        return {}
    return {row["id"]: row for row in open_room(folder).store().sql("SELECT * FROM attempts").to_dicts()}


def sampled_some(run: Popen, folder: Path, more_than: int) -> None:
    """Wait until the run has stored more attempts than that."""
    while len(attempts(folder)) <= more_than:
        assert run.poll() is None, "the run was over before the kill: give it more to do"
        time.sleep(0.1)


@pytest.mark.model
def test_killed_twice_it_keeps_what_had_arrived_and_asks_for_no_key_again(room: Path):
    arrived: dict[str, dict[str, Any]] = {}
    for _ in range(2):
        with start_cli("run", room, "--until", "1/sample", stdout=DEVNULL, stderr=DEVNULL) as run:
            sampled_some(run, room, len(arrived))
            run.kill()
        now = attempts(room)
        assert arrived.items() <= now.items()
        arrived = now
    done = cli("run", room, "--until", "1/sample")
    assert done.returncode == 0, done.stderr[-2000:]
    now = attempts(room)
    assert arrived.items() <= now.items()
    keys = [row["key"] for row in now.values() if row["error"] is None]
    assert len(keys) == len(set(keys)) == 600
    assert not any(row["try"] > 1 for row in now.values())


@pytest.mark.model
def test_a_server_that_dies_ends_the_run_with_a_word_and_the_next_run_goes_on(room: Path):
    with start_cli("run", room, "--until", "1/sample", stdout=DEVNULL, stderr=PIPE) as run:
        sampled_some(run, room, 0)
        for child in psutil.Process(run.pid).children(recursive=True):
            if "selftaught_builder.serving.local.process" in " ".join(child.cmdline()):
                child.kill()
        _, said = run.communicate(timeout=120)
    assert run.returncode == 1
    text = " ".join(said.decode().split())
    assert "local.log" in text
    assert "run the same command again" in text
    assert "Traceback" not in text
    assert cli("run", room, "--until", "1/sample").returncode == 0
    kept = {row["key"] for row in attempts(room).values() if row["error"] is None}
    assert len(kept) == 600
