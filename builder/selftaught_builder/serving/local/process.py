"""The server process: llama.cpp's own HTTP server out of the xllamacpp wheel, OpenAI-compatible.

    python -m selftaught_builder.serving.local.process --gguf MODEL.gguf --port 8080

It prints its address once it is ready. With `--parent PID` it ends as soon as that process does: it reads its standard
input, whose other end the parent holds and the kernel closes however the parent dies, and looks at its parent's id, for
the case that a sibling inherited that end. Linux's PR_SET_PDEATHSIG would not do: it fires when the *thread* that
started the server ends.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import Any

from selftaught_builder.common.machine import usable_cores

POLL_SECONDS = 0.5
_CACHE_MIB = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop (SIGTERM) or orphaned; return 1 where the model cannot be served."""
    options = _parse(arguments)
    ready = _redirect_output(options.log)
    try:
        server = _serve(options)
    except RuntimeError as error:
        print(f"llama.cpp refused: {error}", file=sys.stderr, flush=True)
        return 1
    os.write(ready, f"{server.listening_address}\n".encode())
    os.close(ready)
    _wait(options.parent)
    # Tearing the server down would wait for requests in flight; nobody is left to read them.
    os._exit(0)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="llama_server", description="Serve a GGUF model with llama.cpp.")
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--slots", type=int, default=8, help="requests served at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens per slot")
    parser.add_argument("--alias", default="local", help="the model's name in /v1/models")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--log", help="append llama.cpp's messages to this file")
    parser.add_argument("--parent", type=int, help="end with this process")
    return parser.parse_args(arguments)


def _redirect_output(log: str | None) -> int:
    """Send all output, C++ included, to the log; return a descriptor that is still the old standard output."""
    ready = os.dup(1)
    if log:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.close(target)
    else:
        os.dup2(2, 1)
    return ready


def _serve(options: argparse.Namespace) -> Any:
    """Start the server's threads and return the server, listening."""
    xllamacpp: Any = importlib.import_module("xllamacpp")  # compiled, without type stubs
    params = xllamacpp.CommonParams()
    params.model.path = options.gguf
    params.model_alias = {options.alias}
    params.hostnames, params.port = [options.host], options.port
    params.n_parallel, params.n_ctx = options.slots, options.slots * options.context
    params.kv_unified = False  # one pool for all slots was no faster, and lets long requests starve others
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.cache_ram_mib = _CACHE_MIB
    params.endpoint_metrics = True
    params.ui = False
    params.fit_params = False  # serve what was asked for or fail
    params.verbosity = 1 if options.log else 0
    _sample_plainly(params.sampling)
    return xllamacpp.Server(params)


def _sample_plainly(sampling: Any) -> None:
    """Make OpenAI's defaults the server's: llama.cpp otherwise cuts the distribution by top_k 40 and min_p 0.05.

    A request can still ask for either in its body.
    """
    sampling.temp, sampling.top_p, sampling.top_k, sampling.min_p = 1.0, 1.0, 0, 0.0


def _wait(parent: int | None) -> None:
    """Return when the parent is gone; without one, never."""
    if parent is None:
        while True:
            select.select([], [], [], 3600)
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable and not os.read(0, 1024):
            return


if __name__ == "__main__":
    sys.exit(main())
