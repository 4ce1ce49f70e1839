"""The command line in this very process: as `command.selftaught`, without the second that a process takes to start.

An error that the command line does not turn into a message comes out of here as it is, and fails the test.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import typer.main

from selftaught_builder.cli.app import main

_get_command = cache(typer.main.get_command)  # typer would make all commands anew for each call


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def inside(*arguments: object, stdin: str = "") -> Done:
    """Run `selftaught ARGUMENTS` here."""
    interrupt = signal.getsignal(signal.SIGINT)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with (
            out.open("w", encoding="utf-8", newline="") as stdout,
            err.open("w", encoding="utf-8", newline="") as stderr,
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            mock.patch.object(typer.main, "get_command", _get_command),
            mock.patch.object(sys, "argv", ["selftaught", *map(str, arguments)]),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        ):
            try:
                main()
            except SystemExit as exit_:
                code = exit_.code
            finally:
                signal.signal(signal.SIGINT, interrupt)
        assert isinstance(code, int | None)
        return Done(code or 0, _read(out), _read(err))


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "backslashreplace")
