"""A command that runs beside us and ends with us: its process group, its log, and what became of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.logs import last_lines
from selftaught_builder.common.processes import kill_group, output_of, signal_group
from selftaught_builder.common.secrets import without_keys
from selftaught_builder.common.supervisor import program

GRACE_SECONDS, STOP_SECONDS = 10.0, 120.0


class Supervised:
    """A command in a process group of its own, which ends with `end()` and with this process, however that ends.

    Args:
        command: the program and its arguments; no shell reads it.
        folder: the working directory.
        environment: variables over this process's own, of which those that look like keys are left out.
        keep: names of such variables that are passed all the same.
        log: the file that its output is appended to.
        stop: a command that runs whenever the first is ended.

    Raises:
        EndpointError: the command cannot be started, or the log not be written.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        keep: Collection[str] = (),
        log: Path,
        stop: Sequence[str] = (),
    ) -> None:
        self.command, self.log = command, log
        self._said, self._status, self._group = b"", None, 0
        arguments = [f"--parent={os.getpid()}", f"--log={log}", f"--grace={GRACE_SECONDS}"]
        arguments += [f"--stop={json.dumps(list(stop))}", f"--stop-limit={STOP_SECONDS}", "--", *command]
        self._process = subprocess.Popen(
            [*program(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={**without_keys(os.environ, keep), **environment},
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
        self._output = output_of(self._process)
        first = self._hear(None)
        if not first.startswith("started "):
            self.end()
            problem = f"cannot be started: {first.removeprefix('failed ') or 'the supervisor ended'}"
            raise EndpointError(problem, place=command[0], mend="Check the path and its rights.")
        self._group = int(first.removeprefix("started "))

    def status(self) -> int | None:
        """Return the command's exit status (a signal as a negative number), None while it runs."""
        if self._status is None:
            said = self._hear(0.0)
            if said.startswith("ended "):
                self._status = int(said.removeprefix("ended "))
            elif self._process.poll() is not None:
                self._status = -int(signal.SIGKILL)  # the supervisor went, and nobody can tell
        return self._status

    def end(self) -> None:
        """End the command with its process group, and run the stop command. Does nothing where that is done."""
        process = self._process
        if process.stdin is None or process.stdin.closed:
            return
        process.stdin.close()
        try:
            process.wait(GRACE_SECONDS + STOP_SECONDS + 10)
        except subprocess.TimeoutExpired:
            kill_group(process)
        if process.returncode and self._group:  # it came to no clean end of its own
            signal_group(self._group, signal.SIGKILL)
        self._output.close()

    def last_lines(self) -> str:
        """Return the end of the log, indented as an error shows it."""
        return "\n".join(f"  {line}" for line in last_lines(self.log))

    def _hear(self, seconds: float | None) -> str:
        """Return the supervisor's next line, "" where there is none within this time."""
        output = self._output.fileno()
        while b"\n" not in self._said:
            if not select.select([output], [], [], seconds)[0]:
                return ""
            block = os.read(output, 1024)
            if not block:
                return ""
            self._said += block
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


def open_log(room: Path, name: str) -> Path:
    """Return an empty log file for a server of this room: `.selftaught/NAME.log`.

    Raises:
        EndpointError: it cannot be written.
    """
    log = (room / ".selftaught" / f"{name}.log").resolve()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner may read it: a user's own command may print what is nobody else's business.
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    except OSError as error:
        raise EndpointError(f"cannot write here: {error.strerror}", place=log, mend="Check its rights.") from None
    return log


def how_it_ended(status: int) -> str:
    """Return an exit status in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
