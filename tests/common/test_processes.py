"""Ending process groups: real processes, of which some will not go."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selftaught_builder.common import processes
from selftaught_builder.common.processes import end_group, kill_group, output_of, signal_group
from support.sglang import gone, wait_until

STUBBORN = "trap '' TERM; echo $$ > pid; while true; do sleep 0.05; done"
LEAVES_A_CHILD = "sleep 60 & echo $! > pid; exit 0"
LEAVES_A_STUBBORN_CHILD = f'sh -c "{STUBBORN.replace("$", chr(92) + "$")}" & while [ ! -s pid ]; do sleep 0.05; done'


Ends = Callable[[subprocess.Popen[bytes]], None]


@contextmanager
def started(script: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a shell script as the leader of a group; yield it, and the process id that it writes down."""
    process = subprocess.Popen(
        ["sh", "-c", script], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        yield process, int(wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text()))
    finally:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def test_a_process_that_obeys_is_given_the_time_to(tmp_path: Path) -> None:
    with started("trap 'echo bye > said; exit 3' TERM; echo $$ > pid; while true; do sleep 0.05; done", tmp_path) as (
        process,
        _,
    ):
        end_group(process, 30)
        assert process.returncode == 3
        assert (tmp_path / "said").read_text() == "bye\n"


def test_a_process_that_ignores_sigterm_is_killed_after_its_time(tmp_path: Path) -> None:
    with started(STUBBORN, tmp_path) as (process, pid):
        end_group(process, 0.3)
        assert process.returncode == -signal.SIGKILL
        assert gone(pid)


@pytest.mark.parametrize("reaped", [False, True], ids=["still a zombie", "reaped before"])
@pytest.mark.parametrize("end", [lambda process: end_group(process, 30), kill_group], ids=["end", "kill"])
def test_a_child_that_outlives_its_leader_ends_with_the_group(tmp_path: Path, end: Ends, reaped: bool) -> None:
    with started(LEAVES_A_CHILD, tmp_path) as (process, pid):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            process.wait()
        assert not gone(pid)
        end(process)
        wait_until(lambda: gone(pid))
        assert process.returncode == 0


def test_a_grandchild_that_stays_has_not_the_whole_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "AFTERMATH_SECONDS", 0.2)
    with started(LEAVES_A_STUBBORN_CHILD, tmp_path) as (process, pid):
        end_group(process, 600)
        wait_until(lambda: gone(pid))


@pytest.mark.parametrize("end", [lambda process: end_group(process, 30), kill_group], ids=["end", "kill"])
def test_a_process_that_has_ended_already_is_only_reaped(tmp_path: Path, end: Ends) -> None:
    with started("echo $$ > pid; exit 5", tmp_path) as (process, _):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        end(process)
        end(process)
        assert process.returncode == 5
        assert not signal_group(process.pid, 0)


def test_an_interrupted_wait_leaves_nothing_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(process: object, seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "_wait_until_empty", interrupted)
    with started(STUBBORN, tmp_path) as (process, pid):
        with pytest.raises(KeyboardInterrupt):
            end_group(process, 600)
        assert gone(pid)


def test_the_pipes_are_closed(tmp_path: Path) -> None:
    with started(STUBBORN, tmp_path) as (process, _):
        output = output_of(process)
        kill_group(process)
        assert output.closed
        assert process.stdin is not None
        assert process.stdin.closed


def test_without_a_pipe_there_is_no_output() -> None:
    with subprocess.Popen(["true"]) as process, pytest.raises(ValueError, match="no pipe"):
        output_of(process)
