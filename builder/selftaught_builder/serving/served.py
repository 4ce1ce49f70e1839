"""A client of a server that we start or whose weights we change: it says which weights answer, and why nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from selftaught_builder.endpoints.base import Identity, Reply, Request
from selftaught_builder.endpoints.openai import ERROR_TEXT_LIMIT, OpenAIEndpoint

# A dying server's connections are closed some time before it can be said to have ended.
_NEWS_SECONDS = 0.5


class ServedEndpoint:
    """An OpenAI-compatible server under our care.

    Args:
        client: speaks to it; not entered yet.
        endpoint: what to record as the place; the URL where None. Of a server of ours the port differs at each start.
        model: what to record as the model's name; the name asked for where None.
        extra: further keys for each request's body.
        verify: raises EndpointError where other weights than those loaded are served.
        diagnose: says what became of the server, "" where nothing is known.
    """

    def __init__(
        self,
        client: OpenAIEndpoint,
        *,
        endpoint: str | None = None,
        model: str | None = None,
        extra: Mapping[str, Any] | None = None,
        verify: Callable[[], None] | None = None,
        diagnose: Callable[[], str] = str,
    ) -> None:
        self.slots = client.slots
        self._client, self._endpoint, self._model = client, endpoint, model
        self._extra, self._verify, self._diagnose = dict(extra or {}), verify, diagnose

    async def __aenter__(self) -> ServedEndpoint:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.__aexit__(*exc)

    async def identify(self) -> Identity:
        """Check once more what is served, and say who answers.

        Raises:
            EndpointError: unreachable, or other weights than those loaded.
        """
        if self._verify:
            await asyncio.to_thread(self._verify)
        found = await self._client.identify()
        return replace(found, endpoint=self._endpoint or found.endpoint, model=self._model or found.model)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply, and where the server is gone, what became of it."""
        if self._extra:
            request = replace(request, parameters={**request.parameters, **self._extra})
        reply = await self._client.complete(request)
        if reply.error in ("unreachable", "connection"):
            await asyncio.sleep(_NEWS_SECONDS)
            if why := self._diagnose():
                reply.error_text = f"{why}: {reply.error_text}"[:ERROR_TEXT_LIMIT]
        return reply
