"""What answers, for as long as a run needs it: a server that is started, given other weights, and stopped.

A server outlives the stages of a run, each of which has an event loop of its own; so the server's life is synchronous, and
`client` gives each stage a fresh asynchronous endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from selftaught_builder.endpoints.base import Endpoint


class Serving(Protocol):
    """A model's server. A context manager; leaving it stops what it started."""

    seconds: float
    """Wall time spent on starting servers and changing their weights so far."""
    takes_checkpoints: bool
    """Whether `load` can be given another model than the recipe's own; a loop of rounds needs one that can."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def load(self, model: str | Path | None = None) -> None:
        """Serve this model: start a server, change its weights, or do nothing where it serves them already.

        No request may be under way.

        Args:
            model: a checkpoint's folder or whatever else the endpoint's kind understands; the recipe's own where None.

        Raises:
            EndpointError: it cannot be served, or what is served turned out to be something else.
            InputError: the checkpoint cannot be carried over into the server's format.
            RecipeError: an argument that the server does not know.
        """
        ...

    def release(self) -> None:
        """Free the machine, for training say: stop what we started. A server that we found running stays."""
        ...

    def client(self) -> Endpoint:
        """Return a fresh endpoint of what is loaded."""
        ...


class Timed:
    """The common part of servings: a clock, and a context that releases on leaving.

    Attributes:
        closed: the context was left; a start that another thread is waiting for is then broken off.
    """

    takes_checkpoints = True

    def __init__(self) -> None:
        self.seconds, self.closed = 0.0, False

    def __enter__(self) -> Self:
        self.closed = False
        return self

    def __exit__(self, *exc: object) -> None:
        self.closed = True
        self.release()

    def release(self) -> None:
        """Stop what we started."""

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what happens inside to `seconds`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started
