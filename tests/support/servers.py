"""Start the stand-in servers as processes of their own, and talk to them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class OpenAIServer:
    """A running stand-in, see `openai_server`.

    Args:
        port: where it listens on this machine.
        log: its request log, a seed a line.
    """

    def __init__(self, port: int, log: Path) -> None:
        self.root, self.log = f"http://127.0.0.1:{port}", log

    @property
    def url(self) -> str:
        """The base URL of its OpenAI routes."""
        return f"{self.root}/v1"

    def configure(self, **config: Any) -> None:
        """Give it a whole new configuration (see `openai_server.Config`) and forget what it saw."""
        data = json.dumps(config).encode()
        request = urllib.request.Request(f"{self.root}/control/config", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10):
            pass

    def stats(self) -> dict[str, Any]:
        """Return what it saw since it was configured, see `openai_server.Seen`."""
        with urllib.request.urlopen(f"{self.root}/control/stats", timeout=10) as reply:
            return json.load(reply)

    def seeds(self, start: int = 0) -> list[int]:
        """Return the seeds of all requests, in order, from the log's byte `start` on."""
        with self.log.open("rb") as log:
            log.seek(start)
            return [int(line) for line in log.read().splitlines()]


@contextmanager
def process(script: str, *arguments: str) -> Iterator[int]:
    """Run a server of this folder; yield its port."""
    command = [sys.executable, str(HERE / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


@contextmanager
def openai_server(folder: Path, port: int = 0) -> Iterator[OpenAIServer]:
    """Run a stand-in whose log lies in `folder`, at a port of its own choice or at this one."""
    log = folder / "requests.log"
    with process("openai_server.py", "--log", str(log), "--port", str(port)) as port:
        yield OpenAIServer(port, log)


@contextmanager
def instant_server() -> Iterator[str]:
    """Run the instant server; yield its base URL."""
    with process("instant_server.py") as port:
        yield f"http://127.0.0.1:{port}/v1"
