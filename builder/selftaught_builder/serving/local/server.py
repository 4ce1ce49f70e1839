"""The process that serves a local model: started, waited for, and stopped."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.logs import last_lines
from selftaught_builder.common.machine import usable_cores
from selftaught_builder.common.processes import end_group, output_of
from selftaught_builder.common.secrets import without_keys
from selftaught_builder.endpoints.address import Address
from selftaught_builder.endpoints.control import Control
from selftaught_builder.serving.local.models import LocalModel, default_slots
from selftaught_builder.serving.ports import check_port

_STOP_SECONDS = 5.0


class LlamaServer:
    """llama.cpp's server in a process of its own; a context manager, or `start()` and `stop()`.

    The process ends with `stop()`, and with this process, however that ends. llama.cpp also answers requests for other
    model names, reads a seed modulo 2**32 and takes 2**32 - 1 as "any seed"; a seed repeats a text only where the same
    requests run beside it.

    Args:
        model: what to serve; its name is the one in /v1/models.
        slots: requests served at once; `default_slots` where None.
        context: tokens per slot, prompt and completion together.
        host: the address to listen on; leave it unless the whole network may use the model.
        port: the port to listen on; 0 takes a free one.
        threads: compute threads; every usable core where None.
        startup: seconds the model may take to load.
        log: append the server's messages to this file; where None they are kept only for a failure's report.

    Attributes:
        base_url: where the OpenAI routes are (`http://127.0.0.1:PORT/v1`), "" while stopped.
        process: the server's process, None while stopped.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        slots: int | None = None,
        context: int = 2048,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int | None = None,
        startup: float = 120.0,
        log: Path | None = None,
    ) -> None:
        self.model, self.context = model, context
        self.host, self.port, self.threads, self.startup = host, port, threads, startup
        self.slots = slots or default_slots(model.gguf)
        self.base_url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._log, self._folder = log, None

    def __enter__(self) -> LlamaServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> LlamaServer:
        """Start the process, wait until it answers, and return this server.

        Raises:
            EndpointError: xllamacpp is not installed, the file or port is not usable, or the server did not come up.
        """
        if self.process is not None:
            return self
        self._check()
        try:
            self.process, output = self._spawn()
            address = self._read_address(output, time.monotonic() + self.startup)
            self._check_health(address)
        except BaseException:
            self.stop()
            raise
        self.base_url = f"{address}/v1"
        return self

    def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL after a few seconds. Does nothing where it is stopped."""
        process, self.process, self.base_url = self.process, None, ""
        if process is not None:
            end_group(process, _STOP_SECONDS)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def wait(self) -> int:
        """Wait until the process ends by itself and return its exit status (for serving in the foreground)."""
        return self.process.wait() if self.process else 0

    def _check(self) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            mend = "pip install 'selftaught[local]'"
            raise EndpointError("xllamacpp is not installed", place=self.model.name, mend=mend)
        if not self.model.gguf.is_file():
            raise EndpointError("no such file", place=self.model.gguf, mend="Name a .gguf file.")
        if self.port:
            check_port(self.host, self.port)

    def _spawn(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        log = self._log_path()
        options = {
            "gguf": self.model.gguf,
            "alias": self.model.name,
            "host": self.host,
            "port": self.port,
            "slots": self.slots,
            "context": self.context,
            "threads": self.threads or usable_cores(),
            "log": log,
            "parent": os.getpid(),
        }
        command = [sys.executable, "-m", "selftaught_builder.serving.local.process"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with _open_log(log) as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle; the server stops when we say so
            )
        return process, output_of(process)

    def _log_path(self) -> Path:
        if self._log is not None:
            return self._log
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="selftaught-")
        return Path(self._folder) / "llama.log"

    def _read_address(self, output: IO[bytes], deadline: float) -> str:
        """Read the address that the server prints once it listens.

        With port 0 it chose the port itself while binding, so nobody can take the port in between.
        """
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise self._failure(f"the model did not load within {self.startup:g} s")
            block = os.read(output.fileno(), 1024)
            if not block:
                raise self._failure("llama.cpp cannot serve this file")
            line += block
        return line.decode().strip()

    def _check_health(self, address: str) -> None:
        status, said = Control(Address(f"{address}/v1")).ask("/health")
        if status != 200:
            raise self._failure(f"the server does not answer: {said}")

    def _failure(self, problem: str) -> EndpointError:
        lines = last_lines(self._log_path())
        mend = "\n  ".join(["Check the file, or the memory free on this machine. The server said:", *lines])
        return EndpointError(problem, place=self.model.gguf, mend=mend)


def _environment() -> dict[str, str]:
    """Return the server's environment: threads that sleep when idle, no keys, and this package on its path."""
    here = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    return {**quiet, **without_keys(os.environ), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _open_log(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as error:
        raise EndpointError(f"cannot write here: {error.strerror}", place=path, mend="Name another log file.") from None
