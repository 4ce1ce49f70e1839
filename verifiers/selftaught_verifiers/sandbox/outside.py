"""The parent's side of the sandbox: start the process, read what it says, and kill it in time."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal

MECHANISMS = ("bwrap", "namespace", "landlock", "seccomp")
"""All that can fence a program in, besides a process's limits; of the first two one is used."""

MEGABYTE = 1 << 20
_DISK = 64 * MEGABYTE
_FILE = 16 * MEGABYTE
_REPORT = 4 * MEGABYTE
_STARTUP = 30.0
_NO_NETWORK = frozenset({"bwrap", "namespace", "seccomp"})
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from inside import jail as j; del sys.path[0], sys.argv[0]; "
    "sys.argv.insert(0, ''); j.main()"
)


class NoSandbox(Exception):  # noqa: N818 (it names what is missing)
    """This machine has nothing that takes the network from a program, or a fence could not be put up."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program did.

    Attributes:
        end: `exited`; `signal`, where the program or the kernel killed it; `timeout`, or `output` where it said too
            much.
        code: the exit code, or the signal's number; None where it was killed from here.
        stdout: what it printed, as far as the limit allows; bytes that are no UTF-8 are replaced.
        stderr: its errors, likewise.
        raised: the uncaught error that ended it, "" where none did.
        tests: "" for each test that held, by its number from 0, and the error for each that did not.
        isolation: the mechanisms that held, and `rlimits`.
    """

    end: Literal["exited", "signal", "timeout", "output"]
    code: int | None
    stdout: str
    stderr: str
    raised: str = ""
    tests: dict[int, str] = field(default_factory=dict)
    isolation: tuple[str, ...] = ()

    @property
    def out_of_memory(self) -> bool:
        """Whether it asked for more memory than it may have."""
        return "MemoryError" in (self.raised, *self.tests.values())


def run(
    program: str,
    *,
    stdin: str = "",
    tests: Sequence[str] | None = None,
    seconds: float = 5.0,
    memory: int = 512 * MEGABYTE,
    output: int = MEGABYTE,
    mechanisms: Iterable[str] = MECHANISMS,
    unsafe: bool = False,
) -> Finished:
    """Run a Python program behind all fences that this machine has.

    Only the standard library is there. Without tests it runs as a script (`__name__` is `__main__`); with tests it is
    imported as the module `solution`, and then each test, a piece of Python, is run in that module and holds where it
    raises nothing.

    Args:
        program: its source.
        stdin: its standard input.
        tests: the tests; all are run, whatever came of the others.
        seconds: from its first line to its end; the time to start Python does not count.
        memory: bytes of address space; Python itself takes about 30 MB.
        output: bytes that it may print, standard output and errors each.
        mechanisms: the fences to use, where they work here.
        unsafe: run it even where nothing takes the network from it.

    Raises:
        NoSandbox: nothing takes the network from it and `unsafe` is not set, the process could not be started, or
            this is not Linux.
    """
    if sys.platform != "linux":
        raise NoSandbox("the sandbox needs Linux")
    fences = _choose(set(mechanisms))
    if not fenced(fences) and not unsafe:
        raise NoSandbox("no bubblewrap, network namespace or seccomp works on this machine")
    limits = {"seconds": seconds, "memory": memory, "output": output}
    return _run(program, tests, stdin, fences, limits)


def working() -> tuple[str, ...]:
    """Return which mechanisms work on this machine; the first call tries each in a process of its own (0.3 s)."""
    with _probing:
        return _probe()


def fenced(mechanisms: Iterable[str]) -> bool:
    """Whether these mechanisms take the network from a program."""
    return not _NO_NETWORK.isdisjoint(mechanisms)


def confine(readable: Iterable[str] = ()) -> tuple[str, ...]:
    """Fence in this very process, for good, as far as Landlock and seccomp can, and return which of them held.

    For a process that must do something with hostile text which is better not done (a library's `eval`). It can read
    Python's and the system's libraries and `readable`, write nothing, open no socket, start nothing and signal
    nobody. It should have one thread: Landlock leaves others as they are.
    """
    from selftaught_verifiers.sandbox.inside import kernel, landlock, seccomp

    held = []
    if sys.platform == "linux":
        kernel.give_up_privileges()
        with contextlib.suppress(OSError):
            landlock.restrict([*_readable(), *readable], ["/dev/null"])
            held.append("landlock")
        with contextlib.suppress(OSError):
            seccomp.restrict()
            held.append("seccomp")
    return tuple(held)


_probing = threading.Lock()


@lru_cache(maxsize=1)
def _probe() -> tuple[str, ...]:
    if sys.platform != "linux":
        return ()
    return tuple(name for name in MECHANISMS if _works(name))


def _works(mechanism: str) -> bool:
    if mechanism == "bwrap" and shutil.which("bwrap") is None:
        return False
    limits = {"seconds": 10.0, "memory": 512 * MEGABYTE, "output": MEGABYTE}
    try:
        return _run("print('works')", None, "", (mechanism,), limits).stdout == "works\n"
    except NoSandbox:
        return False


def _choose(wanted: set[str]) -> tuple[str, ...]:
    """The fences to put up: bubblewrap makes the namespaces where it is there."""
    chosen = [name for name in working() if name in wanted]
    if "bwrap" in chosen and "namespace" in chosen:
        chosen.remove("namespace")
    return tuple(chosen)


def _run(
    program: str, tests: Sequence[str] | None, stdin: str, fences: tuple[str, ...], limits: dict[str, Any]
) -> Finished:
    token = secrets.token_hex(16)
    folder = tempfile.mkdtemp(prefix="selftaught-program-")
    orders = {
        "token": token,
        "program": program,
        "tests": None if tests is None else list(tests),
        "folder": folder,
        "disk": _DISK,
        "fences": fences,
        "readable": _readable(),
        "limits": _limits(limits["seconds"], limits["memory"]),
    }
    try:
        with (
            _unnamed_file(json.dumps(orders)) as order_file,
            _unnamed_file(stdin) as input_file,
            _Process(_command(fences, folder), folder, order_file, input_file, limits) as process,
        ):
            process.watch(token)
            return process.finished((*fences, "rlimits"))
    finally:
        _remove(folder)


def _limits(seconds: float, memory: int) -> dict[str, int]:
    return {
        "RLIMIT_CPU": math.ceil(seconds) + 1,  # the wall comes first, unless nobody watches any more
        "RLIMIT_AS": memory,
        "RLIMIT_FSIZE": _FILE,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_NPROC": 64,
        "RLIMIT_CORE": 0,
    }


def _unnamed_file(text: str) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    file.write(text.encode("utf-8", "replace"))
    file.seek(0)
    return file


def _python() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _readable() -> list[str]:
    """What a program may read: the system's libraries, Python's, and a few devices."""
    library = os.path.join(sys.base_prefix, "lib")
    return [*_SYSTEM, *_DEVICES, library, os.path.realpath(library), sysconfig.get_path("stdlib")]


def _command(fences: tuple[str, ...], folder: str) -> list[str]:
    here = str(Path(__file__).parent)
    # Not -I: it would ignore the fixed hash seed too, which makes a program's sets repeat; the environment is empty anyway.
    python = [_python(), "-P", "-s", "-S", "-X", "utf8", "-c", _START, here]
    if "bwrap" not in fences:
        return python
    places = [*_SYSTEM, _python(), os.path.join(sys.base_prefix, "lib"), sysconfig.get_path("stdlib"), here]
    binds = [part for place in places if os.path.exists(place) for part in ("--ro-bind", place, place)]
    own = ["--dev", "/dev", "--bind", folder, folder, "--chdir", folder]
    return [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
        *binds,
        *own,
        *python,
    ]


class _Process:
    """The sandboxed process, its pipes, and what came through them."""

    def __init__(
        self, command: list[str], folder: str, orders: IO[bytes], stdin: IO[bytes], limits: dict[str, Any]
    ) -> None:
        self.seconds = limits["seconds"]
        self.said: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray(), "report": bytearray()}
        self.most = {"stdout": limits["output"], "stderr": limits["output"], "report": _REPORT}
        self.killed: Literal["timeout", "output"] | None = None
        self.started = False
        report, far_end = os.pipe()
        try:
            self.process = subprocess.Popen(
                [*command, str(orders.fileno()), str(far_end)],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=_environment(folder),
                pass_fds=(orders.fileno(), far_end),
                start_new_session=True,
            )
        except OSError as error:
            os.close(report)
            raise NoSandbox(f"the sandboxed process could not be started: {error}") from None
        finally:
            os.close(far_end)
        assert self.process.stdout  # noqa: S101 (for the type checker)
        assert self.process.stderr  # noqa: S101
        self.pipes = {
            "stdout": self.process.stdout,
            "stderr": self.process.stderr,
            "report": os.fdopen(report, "rb", 0),
        }

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self.process.wait()
        for pipe in self.pipes.values():
            pipe.close()

    def watch(self, token: str) -> None:
        """Read until the process ends, says too much, or its time is up; then kill whatever is left of it."""
        start = token.encode() + b' {"started"'
        with selectors.DefaultSelector() as selector:
            for name, pipe in self.pipes.items():
                selector.register(pipe, selectors.EVENT_READ, name)
            deadline = time.monotonic() + _STARTUP
            while selector.get_map() and not self.killed:
                left = deadline - time.monotonic()
                if left <= 0:
                    self.killed = "timeout"
                elif not self._read(selector, min(left, 0.05)) and self._ended():
                    break
                if not self.started and self.said["report"].startswith(start):
                    self.started, deadline = True, time.monotonic() + self.seconds
            while not self.killed and not self._ended():  # it closed its pipes
                if time.monotonic() > deadline:
                    self.killed = "timeout"
                time.sleep(0.005)
            self._kill()
            # What is in the pipes still counts, and their end says that every process is gone.
            until = time.monotonic() + 2.0
            while selector.get_map() and time.monotonic() < until:
                self._read(selector, 0.05)
        self._take_reports(token)

    def finished(self, isolation: tuple[str, ...]) -> Finished:
        """Return what the program did; raises NoSandbox where it was never started."""
        refused = next((str(each["refused"]) for each in self.reports if "refused" in each), None)
        texts = {name: bytes(self.said[name]).decode("utf-8", "replace") for name in ("stdout", "stderr")}
        if refused is not None or not self.started:
            raise NoSandbox(f"the fences could not be put up: {refused or texts['stderr'][-300:]}")
        code = self.process.wait()
        # Bubblewrap reports a signal as a shell does.
        number = -code if code < 0 else code - 128 if code > 128 and "bwrap" in isolation else 0
        raised = next((_plain(each["raised"]) for each in self.reports if "raised" in each), "")
        tests = {each["test"]: _plain(each.get("failed", "")) for each in self.reports if "test" in each}
        end = self.killed or ("signal" if number else "exited")
        return Finished(
            end, None if self.killed else number or code, **texts, raised=raised, tests=tests, isolation=isolation
        )

    def _read(self, selector: selectors.BaseSelector, seconds: float) -> bool:
        """Read what is there, within the limits; True where there was something."""
        ready = selector.select(seconds)
        for key, _ in ready:
            part = os.read(key.fd, 1 << 16)
            kept, most = self.said[key.data], self.most[key.data]
            if not part:
                selector.unregister(key.fileobj)
            elif len(kept) + len(part) > most:
                self.killed = self.killed or "output"
            kept += part[: most - len(kept)]
        return bool(ready)

    def _ended(self) -> bool:
        """Whether the process ended; it is not reaped, so that its group's number stays taken."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _kill(self) -> None:
        # Not the builder's `common.processes`: verifiers import nothing of it, and a program under suspicion is given no time.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _take_reports(self, token: str) -> None:
        start = token.encode() + b" "
        self.reports: list[dict[str, Any]] = [
            json.loads(line[len(start) :]) for line in self.said["report"].split(b"\n")[:-1] if line.startswith(start)
        ]


def _environment(folder: str) -> dict[str, str]:
    fixed = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    return fixed | {"HOME": folder, "TMPDIR": folder}


def _plain(text: object) -> str:
    """Text that any file or database can hold: a program's error may contain lone surrogates."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _remove(folder: str) -> None:
    """Delete a folder that a hostile program filled: too deep for recursion, or made unreadable."""
    top, number = Path(folder), 0
    with contextlib.suppress(OSError):
        while inner := _children(top):
            for child in inner:
                for grandchild in _children(child):
                    number += 1
                    grandchild.rename(top / f"{number}-{secrets.token_hex(4)}")
                child.rmdir()
        top.rmdir()


def _children(folder: Path) -> list[Path]:
    """Delete the files of a folder and return its folders."""
    os.chmod(folder, 0o700)
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                os.unlink(entry.path)
    return folders
