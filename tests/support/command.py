"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

COMMAND = [sys.executable, "-c", "from selftaught_builder.cli.app import main; main()"]


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without colours, wide, and with these changes."""
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "TERMINAL_WIDTH": "200", "TERM": "dumb", **changes}


def selftaught(
    *arguments: object, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `selftaught ARGUMENTS`; return its exit code and what it printed."""
    return subprocess.run(
        [*COMMAND, *(str(argument) for argument in arguments)],
        env=environment() if env is None else env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )
