"""All servers and providers of one model, as one thing that is loaded, asked and released."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.base import Endpoint
from selftaught_builder.recipe import EndpointSettings, Replica
from selftaught_builder.serving.serve import serve


@dataclass(frozen=True)
class Member:
    """One endpoint of a pool, while it is open.

    Attributes:
        settings: its own, without replicas.
        endpoint: entered.
        limits: what the recipe limits for it alone; the first has nothing of its own.
    """

    settings: EndpointSettings
    endpoint: Endpoint
    limits: Replica


@dataclass(frozen=True)
class Opened:
    """A pool, while it is open.

    Attributes:
        members: those that can be asked, at least one.
        problems: why the others cannot.
    """

    members: Sequence[Member]
    problems: Sequence[EndpointError] = ()


class Pool:
    """The servings of an endpoint and its replicas. A context manager; leaving it stops what it started.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        self.settings = settings
        self._servings = [serve(door, room) for door in settings.doors]
        self._problems: list[EndpointError | None] = [None] * len(self._servings)
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        for serving in self._servings:
            serving.__enter__()
            self._entered.callback(serving.__exit__, None, None, None)
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.close()

    @property
    def seconds(self) -> float:
        """Wall time spent on starting servers and changing their weights so far."""
        return sum(serving.seconds for serving in self._servings)

    @property
    def takes_checkpoints(self) -> bool:
        """Whether each of them can be given another model than the recipe's own."""
        return all(serving.takes_checkpoints for serving in self._servings)

    def load(self, model: str | Path | None = None) -> None:
        """Have all of them serve this model. Raises what `Serving.load` raises, EndpointError only where none can."""
        self._problems = [None] * len(self._servings)
        for number, serving in enumerate(self._servings):
            try:
                serving.load(model)
            except EndpointError as error:
                self._problems[number] = error
        if all(self._problems):
            raise self._problems[0] or EndpointError("nothing to serve")

    def release(self) -> None:
        """Free the machine, for training say: stop what we started."""
        for serving in self._servings:
            serving.release()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Opened]:
        """Yield a fresh client of each. Raises EndpointError where none can be made."""
        doors, replicas = self.settings.doors, [Replica(), *self.settings.replicas]
        async with AsyncExitStack() as stack:
            members: list[Member] = []
            problems = [problem for problem in self._problems if problem]
            for serving, door, replica, unloaded in zip(self._servings, doors, replicas, self._problems, strict=True):
                if unloaded:
                    continue
                try:
                    endpoint = await stack.enter_async_context(serving.client())
                except EndpointError as error:
                    problems.append(error)
                else:
                    members.append(Member(door, endpoint, replica))
            if not members:
                raise problems[0]
            yield Opened(members, problems)


@asynccontextmanager
async def open_pool(settings: EndpointSettings, room: Path) -> AsyncIterator[Opened]:
    """Serve the recipe's own model for as long as the context is open, and yield who answers.

    Raises:
        EndpointError: it cannot be served.
    """
    with Pool(settings, room) as pool:
        await asyncio.to_thread(pool.load)
        async with pool.open() as opened:
            yield opened
