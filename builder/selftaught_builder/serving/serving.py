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

from selftaught_builder.common.errors import EndpointError

if TYPE_CHECKING:
    from selftaught_builder.endpoints.base import Endpoint
    from selftaught_builder.recipe import EndpointSettings


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


class Standing(Timed):
    """A server or provider that is there already and whose weights are not ours to change (`openai`, `litellm`)."""

    takes_checkpoints = False

    def __init__(self, settings: EndpointSettings) -> None:
        super().__init__()
        self.settings = settings

    def load(self, model: str | Path | None = None) -> None:
        """Do nothing for the recipe's own model, and refuse any other."""
        if model is not None and str(model) != self.settings.model:
            raise EndpointError(
                f"`{self.settings.kind}` serves what it serves, and cannot be given {model}",
                place="endpoint.kind",
                mend="To serve checkpoints use local, sglang or external (docs/serving.md).",
            )

    def client(self) -> Endpoint:
        """Return a fresh endpoint."""
        if self.settings.kind == "litellm":
            from selftaught_builder.endpoints.litellm import LiteLLMEndpoint

            return LiteLLMEndpoint(self.settings)
        from selftaught_builder.endpoints.openai import OpenAIEndpoint

        return OpenAIEndpoint(self.settings)


def serve(settings: EndpointSettings, room: Path) -> Serving:
    """Return the serving of one endpoint; nothing is started yet.

    Args:
        settings: the recipe's `endpoint` section; its replicas have servings of their own (`pool.Pool`).
        room: the recipe's folder; relative paths start there, and logs are kept in its `.selftaught/`.
    """
    match settings.kind:
        case "local":
            from selftaught_builder.serving.local.serving import LocalServing

            return LocalServing(settings, room)
        case "sglang":
            from selftaught_builder.serving.sglang.serving import SGLangServing

            return SGLangServing(settings, room)
        case "external":
            from selftaught_builder.serving.external import ExternalServing

            return ExternalServing(settings, room)
    return Standing(settings)
