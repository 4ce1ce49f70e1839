"""Start a fault lab as a process of its own, and talk to it."""

from __future__ import annotations

import json
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.lab import Asked
from support.servers import process


class RunningLab:
    """A running lab.

    Args:
        port: where it listens on this machine.
    """

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"

    def script(self, **script: Any) -> None:
        """Give it a new script (see `lab.Script`) and let it forget what it saw."""
        self._ask("script", json.dumps(script).encode())

    def seen(self) -> dict[str, Any]:
        """Return what it saw, see `lab.Seen`."""
        return json.loads(self._ask("seen", None))

    def befell(self) -> dict[Asked, list[str]]:
        """Return what befell the requests of each attempt, in their order."""
        cases: dict[Asked, list[str]] = defaultdict(list)
        for question, seed, case, _ in self.seen()["requests"]:
            cases[question, seed].append(case)
        return dict(cases)

    def _ask(self, what: str, data: bytes | None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(f"{self.root}/control/{what}", data), timeout=30) as reply:
            return reply.read()


@contextmanager
def running_lab() -> Iterator[RunningLab]:
    """Run a lab."""
    with process(str(Path(__file__).with_name("lab.py"))) as port:
        yield RunningLab(port)
