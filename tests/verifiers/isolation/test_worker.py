"""Workers: calls are answered in order, and what hangs, dies or eats the memory is killed without harm to its neighbours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from selftaught_verifiers.isolation.worker import Crashed, Failed, TimedOut, Worker, WorkerError

FACTORY = """
import os, sys, time

def make(prefix):
    def answer(text):
        print("noise on stdout")
        match text:
            case "hang": 9 ** 9 ** 9 ** 9
            case "sleep": time.sleep(60)
            case "die": os.kill(os.getpid(), 11)
            case "leave": os._exit(7)
            case "eat": return len([bytearray(1 << 22) for _ in range(999)])
            case "raise": raise ValueError("not today \\ud800")
            case "exit": sys.exit(2)
            case "odd": return {1, 2}
            case "env": return dict(os.environ)
            case "pid": return os.getpid()
        return prefix + text
    return answer

def broken():
    raise LookupError("no such model")
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "worker_target.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "worker_target:make"


def test_what_goes_wrong_is_said_and_the_next_call_is_answered(target: str) -> None:
    with Worker(target, ">", seconds=20.0, memory=1 << 28) as worker:
        for text, error, message in (
            ("hang", TimedOut, "in time"),
            ("die", Crashed, "SIGSEGV"),
            ("leave", Crashed, "exit code 7"),
            ("eat", Crashed, "exit code 1"),
            ("raise", Failed, "ValueError: not today"),
            ("exit", Failed, "SystemExit: 2"),
            ("odd", Failed, "TypeError"),
        ):
            with pytest.raises(error, match=message):
                worker.call(text, seconds=1.0 if text == "hang" else None)
            assert worker.call("x") == ">x"
        long = "\ud800 and so on " * 200_000
        assert worker.call(long, seconds=20.0) == ">" + long


def test_the_process_stays_until_it_is_closed_or_killed(target: str) -> None:
    worker = Worker(target, "", seconds=0.5)
    first = worker.call("pid")
    assert worker.call("pid") == first
    with pytest.raises(TimedOut):
        worker.call("sleep")
    assert not psutil.pid_exists(first)
    second = worker.call("pid")
    worker.close()
    assert not psutil.pid_exists(second)
    assert worker.call("x") == "x"
    worker.close()


def test_threads_share_a_worker(target: str) -> None:
    with Worker(target, "", seconds=20.0) as worker, ThreadPoolExecutor(4) as threads:
        texts = [str(number) for number in range(200)]
        assert list(threads.map(worker.call, texts)) == texts


def test_a_factory_that_raises_is_an_error_of_the_call(target: str) -> None:
    with Worker(target.replace("make", "broken")) as worker, pytest.raises(Failed, match="LookupError: no such model"):
        worker.call()
    with Worker("no_such_module:make") as worker, pytest.raises(WorkerError, match="no_such_module"):
        worker.start()


def test_no_key_is_in_its_reach(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with Worker(target, "", seconds=10.0) as worker:
        assert "sk-canary" not in str(worker.call("env"))


def test_it_ends_with_its_parent(target: str, tmp_path: Path) -> None:
    script = (
        "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from selftaught_verifiers.isolation.worker import Worker\n"
        f"worker = Worker({target!r}, '', seconds=1.0)\n"
        "print(worker.call('pid'), flush=True)\n"
        "threading.Thread(target=worker.call, args=('hang',), kwargs={'seconds': 1.0}).start()\n"
        "print('busy', flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    parent.stdout.readline()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.1)
