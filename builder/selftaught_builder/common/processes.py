"""Processes that we start: how one ends together with its group.

A process group outlives its leader: data preparation and users' scripts leave children behind. Nothing but the standard
library is needed here, since the supervisor, which runs in an interpreter of its own, loads this module, too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import IO

AFTERMATH_SECONDS = 2.0
"""How long the others of a group may take once its leader has gone."""
_POLL_SECONDS = 0.05


def end_group(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a process and its group: SIGTERM, then SIGKILL to whoever is left. Reap the process and close its pipes.

    Whatever interrupts the wait, a second Ctrl-C say, nothing of the group is left running.

    Args:
        process: it leads its group (`start_new_session=True` or `process_group=0`); it may have ended already.
        seconds: between the two signals; after the leader's end the others have at most `AFTERMATH_SECONDS` of it.
    """
    emptied = False
    try:
        signal_group(process.pid, signal.SIGTERM)
        emptied = _wait_until_empty(process, seconds)
    finally:
        if not emptied:
            signal_group(process.pid, signal.SIGKILL)
        _reap(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and its group at once, also one that has outlived its leader; reap, and close its pipes.

    Args:
        process: it leads its group; it may have ended already.
    """
    signal_group(process.pid, signal.SIGKILL)
    _reap(process)


def signal_group(group: int, number: int) -> bool:
    """Signal a process group (0 only asks); return whether it has members."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # some systems say the latter of a group of zombies
        return False
    return True


def output_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Return our end of a process's standard output.

    Raises:
        ValueError: it was started without a pipe there.
    """
    if process.stdout is None:
        raise ValueError("the process has no pipe as its standard output")
    return process.stdout


def _wait_until_empty(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Return whether process and group end within this time."""
    deadline = time.monotonic() + seconds
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    deadline = min(deadline, time.monotonic() + AFTERMATH_SECONDS)
    while signal_group(process.pid, 0):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _reap(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
