"""A Python process that answers calls and can be killed: for work on hostile text that may hang, crash or eat the memory.

Parent and child speak JSON lines over pipes: nothing of what the child says is ever unpickled or evaluated. The child sees
none of the parent's environment but what Python needs, so no key is in reach of what it runs.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH")
_GIGABYTE = 1 << 30


class WorkerError(Exception):
    """A call got no result.

    WorkerError
    ├── TimedOut    no answer in time; the process was killed
    ├── Crashed     the process died: a signal, or out of memory
    └── Failed      the function raised; the message is its error's
    """


class TimedOut(WorkerError):  # noqa: N818 (it names what happened)
    """No answer in time; the process was killed."""


class Crashed(WorkerError):  # noqa: N818 (it names what happened)
    """The process died while it worked, or could not start."""


class Failed(WorkerError):  # noqa: N818 (it names what happened)
    """The function raised an error."""


class Worker:
    """A process that answers calls of one function, one at a time.

    It starts with the first call, and anew after it was killed. Safe to share between threads.

    Args:
        target: "module:factory"; `factory(*settings)` runs once in the process and returns the function that answers calls.
        settings: JSON-able arguments for the factory.
        seconds: how long a call may take.
        memory: bytes of address space that the process may have.
        startup: seconds until the process must be ready.
    """

    def __init__(
        self, target: str, *settings: Any, seconds: float = 1.0, memory: int = _GIGABYTE, startup: float = 60.0
    ) -> None:
        self.target, self.settings = target, settings
        self.seconds, self.memory, self.startup = seconds, memory, startup
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._pending = b""

    def start(self) -> None:
        """Start the process where it does not run.

        Raises:
            WorkerError: it died, its factory raised, or it was not ready in time.
        """
        with self._lock:
            self._started()

    def call(self, *arguments: Any, seconds: float | None = None) -> Any:
        """Return what the function returns.

        Args:
            arguments: the function's, JSON-able.
            seconds: how long this call may take, where it is not the worker's own limit.

        Raises:
            TimedOut: it took longer.
            Crashed: the process died.
            Failed: the function raised.
        """
        seconds = self.seconds if seconds is None else seconds
        line = json.dumps([seconds, arguments]).encode() + b"\n"
        with self._lock:
            process = self._started()
            deadline = time.monotonic() + seconds
            try:
                self._send(process, line, deadline)
                return self._answer(process, deadline)
            except (BrokenPipeError, ConnectionResetError):
                raise self._died(process) from None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._kill()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._kill()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        command = [sys.executable, "-c", "from selftaught_verifiers.isolation.worker import main; main()"]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        assert process.stdin  # noqa: S101 (for the type checker)
        os.set_blocking(process.stdin.fileno(), False)
        self._process, self._pending = process, b""
        deadline = time.monotonic() + self.startup
        settings = {"target": self.target, "settings": self.settings, "memory": self.memory}
        try:
            self._send(process, json.dumps(settings).encode() + b"\n", deadline)
            self._answer(process, deadline)
        except WorkerError:
            self._kill()
            raise
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(process) from None
        return process

    def _send(self, process: subprocess.Popen[bytes], line: bytes, deadline: float) -> None:
        stdin = process.stdin
        assert stdin  # noqa: S101 (for the type checker)
        left = memoryview(line)
        while left:
            _, writable, _ = select.select([], [stdin], [], max(0.0, deadline - time.monotonic()))
            if not writable:
                raise self._late()
            left = left[os.write(stdin.fileno(), left) :]

    def _answer(self, process: subprocess.Popen[bytes], deadline: float) -> Any:
        stdout = process.stdout
        assert stdout  # noqa: S101 (for the type checker)
        parts = [self._pending]
        while b"\n" not in parts[-1]:
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise self._late()
            part = os.read(stdout.fileno(), 1 << 20)
            if not part:
                raise self._died(process)
            parts.append(part)
        line, _, self._pending = b"".join(parts).partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def _late(self) -> TimedOut:
        self._kill()
        return TimedOut("no answer in time")

    def _died(self, process: subprocess.Popen[bytes]) -> Crashed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.returncode
        self._kill()
        if code is not None and code < 0:
            return Crashed(f"killed by {signal.Signals(-code).name}")
        return Crashed(f"exit code {code}")

    def _kill(self) -> None:
        process, self._process, self._pending = self._process, None, b""
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        process.wait()


# -- in the child ----------------------------------------------------------------------------------------------------


def main() -> None:
    """Answer calls until the parent is gone."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what the function prints must not stand between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    requests = sys.stdin.buffer
    setting = json.loads(requests.readline())
    function: list[Callable[..., Any]] = []

    def begin() -> None:
        function.append(_resolve(setting["target"])(*setting["settings"]))

    if not _reply(answers, begin):
        return
    # After the imports, which need room of their own; what is allocated already counts.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (setting["memory"], setting["memory"]))
    for line in requests:
        seconds, arguments = json.loads(line)
        # The parent kills in time; where the parent was killed itself, the kernel's own alarm ends what hangs.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds + 1)
        _reply(answers, lambda arguments=arguments: function[0](*arguments))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _resolve(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _reply(answers: IO[bytes], work: Callable[[], Any]) -> bool:
    try:
        text = json.dumps({"result": work()})
    except BaseException as error:  # some libraries raise their own BaseException
        if isinstance(error, MemoryError):
            os._exit(1)  # nothing can be relied on any more
        text = json.dumps({"error": f"{type(error).__name__}: {error}"[:500]})
        with contextlib.suppress(BrokenPipeError):
            _write(answers, text)
        return False
    _write(answers, text)
    return True


def _write(answers: IO[bytes], text: str) -> None:
    left = memoryview(text.encode() + b"\n")
    while left:
        left = left[answers.write(left) :]
