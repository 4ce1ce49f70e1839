"""Computer algebra, as the last resort: math-verify in a process of its own that is killed when it is late.

Two processes take turns, so that a formula that hangs one does not make the next wait for its start.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from selftaught_verifiers.isolation.worker import Crashed, Failed, TimedOut, Worker, WorkerError

SECONDS = 0.7
"""How long a comparison may take; then its process is killed."""

CPU_SECONDS = 0.4
"""How much of a processor's time it may take; then it is given up, and its process lives on."""

MEMORY = 1 << 30
"""Bytes of address space a process may have."""

_PATIENCE = 0.1  # seconds to wait for a free worker

_MAX_LENGTH = 1_000
# Bombs: huge factorials and powers, towers, deep brackets. And dots: what they stand for is nothing to compute.
_REFUSED = re.compile(
    r"\d{5,}[\s})]*!|!\s?[)}]*\s?!|\^\s*\{?\s*-?\d{5,}|\\d?binom\{?\d{5,}|\|{4}|\*\*\s?\(?\d+\s?\*\*|\^\s*\{?[^{}]{0,20}\^\s*\{?[^{}]{0,20}\^|!\s*!\s*!|(?:\{[^{}]{0,9}){25}|(?:\([^()]{0,9}){25}"
    r"|\\[lcdv]?dots|\.\.\."
)


class NoAlgebra(Exception):  # noqa: N818 (it names what is missing)
    """Computer algebra gave no answer; the message says why."""


def available() -> bool:
    """Whether math-verify is installed."""
    return find_spec("math_verify") is not None


@lru_cache(maxsize=8192)
def equal(gold: str, answer: str) -> bool:
    """Whether computer algebra finds that two formulas state the same; what it cannot read is not the same.

    Raises:
        NoAlgebra: math-verify is not installed, or found no answer in time and memory.
    """
    if _REFUSED.search(gold) or _REFUSED.search(answer) or max(len(gold), len(answer)) > _MAX_LENGTH:
        return False
    if not available():
        raise NoAlgebra("needs math-verify")
    try:
        found = _pool().call(gold, answer)
    except WorkerError:
        raise NoAlgebra("math-verify died") from None
    if found is None:
        raise NoAlgebra("math-verify found no answer in time")
    return found


def start() -> None:
    """Start the processes ahead of the first comparison (about two seconds each)."""
    if available():
        _pool().start()


class _Pool:
    """Workers that take turns: after a kill the other one answers, while the killed one starts in the background."""

    def __init__(self, size: int = 2) -> None:
        target = "selftaught_verifiers.answer.algebra:comparing"
        self._workers = [Worker(target, seconds=SECONDS, memory=MEMORY) for _ in range(size)]
        self._idle: queue.SimpleQueue[Worker] | None = None
        self._lock = threading.Lock()

    def start(self, *, waiting_for: int | None = None) -> None:
        """Start all workers, and wait for all of them or some.

        Raises:
            WorkerError: one that was waited for does not start.
        """
        with self._lock:
            if self._idle is not None:
                return
            idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
            for worker in self._workers[:waiting_for]:
                worker.start()
                idle.put(worker)
            self._idle = idle
        for worker in self._workers[len(self._workers[:waiting_for]) :]:
            self._start_behind(worker)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    def call(self, gold: str, answer: str) -> bool | None:
        """What the first free worker says; None where it is late, or all were killed just now.

        Raises:
            WorkerError: it died, or none starts.
        """
        self.start(waiting_for=1)
        assert self._idle is not None  # noqa: S101 (for the type checker)
        try:
            worker = self._idle.get(timeout=_PATIENCE)
        except queue.Empty:
            return None
        try:
            found = worker.call(gold, answer)
        except Failed:
            found = False
        except (TimedOut, Crashed) as error:
            self._start_behind(worker)
            if isinstance(error, Crashed):
                raise
            return None
        self._idle.put(worker)
        return found

    def _start_behind(self, worker: Worker) -> None:
        def start() -> None:
            with contextlib.suppress(WorkerError):
                worker.start()
            if self._idle is not None:
                self._idle.put(worker)

        threading.Thread(target=start, daemon=True).start()


_POOLS: dict[int, _Pool] = {}


def _pool() -> _Pool:
    """This process's own pool: after a fork the parent's workers are the parent's."""
    pid = os.getpid()
    if pid not in _POOLS:
        _POOLS[pid] = pool = _Pool()
        atexit.register(lambda: pool.close() if os.getpid() == pid else None)
    return _POOLS[pid]


# -- in the process ------------------------------------------------------------------------------------------------------


class _Late(BaseException):
    """The processor's time is used up; no library takes it for an error of its own."""


def comparing() -> Callable[[str, str], bool | None]:
    """Return the function that compares two formulas with math-verify: the factory of a `Worker`, warmed up.

    It returns None where it is late.
    """
    import logging
    import signal

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify
    from sympy import Basic, N

    logging.disable(logging.CRITICAL)
    untimed: dict[str, Any] = {"parsing_timeout": None}  # its own limits need the alarm, which guards this process
    extraction = (LatexExtractionConfig(), ExprExtractionConfig())

    def read(text: str) -> list:
        return parse(f"${text}$", extraction_config=extraction, fallback_mode="no_fallback", **untimed)

    def compare(gold: str, answer: str) -> bool:
        golds, answers = read(gold), read(answer)
        if not golds or not answers or not verify(golds, answers, timeout_seconds=None):
            return False
        one, other = golds[0], answers[0]
        if not (isinstance(one, Basic) and isinstance(other, Basic)):
            return True
        if not (one.is_number and other.is_number):
            return True
        # Its rounding is absolute: 1/2**99 would equal 1/2**98.
        first, second = N(one, 40), N(other, 40)
        return bool(abs(first - second) <= max(abs(first), abs(second)) * 10**-11)

    def stop(*_: object) -> None:
        raise _Late

    def in_time(gold: str, answer: str) -> bool | None:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
            return compare(gold, answer)
        except _Late:
            return None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    for gold, answer in _WARMING:
        compare(gold, answer)
    signal.signal(signal.SIGVTALRM, stop)
    return in_time


# Each first use of a form costs up to half a second.
_WARMING = (
    ("x+1", "1+x"),
    (r"\frac{1}{2}", "0.5"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    (r"\{1,2\}", "2,1"),
    ("x<1", "1>x"),
    ("x=2", "2"),
    ("(1,2)", "(2,1)"),
    (r"a_n = \sum_{k=1}^{n} k b_k", r"a_n = \sum_{k=1}^{n} b_k k"),
    (r"a_n = \sum_{k=0}^{n-1} b_k c_{n-k}", r"a_n = \sum_{k=0}^{n-2} b_k c_{n-k-1}"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\int_0^1 x^2 dx", r"\frac13"),
    (r"\lim_{x\to 0}\frac{\sin x}{x}", "1"),
    (r"\frac{d}{dx} \sin x", r"\cos x"),
    (r"\log_2 x", r"\frac{\ln x}{\ln 2}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&5\end{pmatrix}"),
)
