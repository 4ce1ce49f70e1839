"""Processes to be killed, which begin at once: they are forked off one that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", "polars", "duckdb", "pyarrow.parquet", "selftaught_builder.loop.loop"])


def start(what: Callable[..., Any], *arguments: Any, env: Mapping[str, str] | None = None) -> ForkServerProcess:
    """Start a process that calls `what`, a function of an importable module, with these variables set."""
    life = _CONTEXT.Process(target=_live, args=(what, arguments, dict(env or {})))
    life.start()
    return life


def _live(what: Callable[..., Any], arguments: tuple[Any, ...], env: Mapping[str, str]) -> None:
    os.environ.update(env)
    what(*arguments)
