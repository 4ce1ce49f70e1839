"""Runs a command that must not outlive another process: a small program of its own, which `program` gives the words for.

    python -I -S -c ... --parent PID --log FILE --grace 10 -- COMMAND ARGUMENTS...

It loads nothing but the standard library and `processes`, since it stays for as long as the command does.
It prints `started PID` or `failed REASON`, later `ended STATUS`, and waits: until its standard input closes (the kernel
does that however the parent dies), the parent is no longer its parent, or it is told to stop (SIGTERM). Then it ends the
command with its whole process group and runs the `--stop` command. A command that has ended by itself is not reaped before
that, so that its process group's number still belongs to it, and to what it left running.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from selftaught_builder.common.processes import end_group, kill_group

POLL_SECONDS = 0.5
# The interpreter finds no module of the folder that it starts in, nor of PYTHONPATH (-I), nor an installed one (-S), which
# might take the place of one of Python's own; ours come last.
_RUN = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from selftaught_builder.common.supervisor import main; sys.exit(main())"
)


def program() -> list[str]:
    """Return the command line that runs `main`, up to its own arguments."""
    return [sys.executable, "-I", "-S", "-c", _RUN, str(Path(__file__).resolve().parents[2])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, wait, and clean up after it; return 1 where it could not be started."""
    options = _parse(arguments)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    process = None
    try:
        process = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        _say(f"started {process.pid}")
        _wait(options.parent, process.pid)
    except OSError as error:
        _say(f"failed {error.strerror or error}")
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # cleaning up happens once, and whole
        if process is not None:
            end_group(process, options.grace)
            _run_stop(json.loads(options.stop), log, options.stop_limit)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="supervisor", description="Run a command that ends with another process.")
    parser.add_argument("--parent", type=int, required=True, help="end with this process")
    parser.add_argument("--log", required=True, help="append the command's output to this file")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--stop", default="[]", help="a command, as JSON, to run at the end")
    parser.add_argument("--stop-limit", type=float, default=120.0, help="seconds it may take")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _wait(parent: int, child: int) -> None:
    """Return when the parent is gone; tell it at once when the child is."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    told = False
    while os.getppid() == parent:
        if not told and (status := _status(child)) is not None:
            told = True
            _say(f"ended {status}")
        readable, _, _ = select.select([0, woken], [], [], POLL_SECONDS)
        if woken in readable:
            os.read(woken, 1024)
        if 0 in readable and not os.read(0, 1024):
            return


def _status(child: int) -> int | None:
    """Return how the child ended (a signal as a negative number) without reaping it, None while it runs."""
    found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _run_stop(command: list[str], log: int, limit: float) -> None:
    if not command:
        return
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            kill_group(process)  # with what it waits for
            raise
    except (OSError, subprocess.TimeoutExpired) as error:
        os.write(log, f"the stop command: {error}\n".encode(errors="replace"))


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads any more
        os.write(1, f"{text}\n".encode())
