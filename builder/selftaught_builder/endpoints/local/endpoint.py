"""The `local` endpoint: a model served on this machine by us, started on entering and stopped on leaving."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.endpoints.base import Identity, Reply, Request
from selftaught_builder.endpoints.local import LlamaServer, resolve_model
from selftaught_builder.endpoints.openai import OpenAIEndpoint

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings


class LocalEndpoint:
    """llama.cpp's own server around one model, spoken to as any OpenAI-compatible server.

    Args:
        settings: the recipe's `endpoint` section; `model` is a shipped name, a GGUF file or a checkpoint's folder.
        room: the recipe's folder, from which a relative path starts.

    Raises:
        EndpointError: no such model, or the extra `local` is not installed.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        beside = room / settings.model
        self.settings = settings
        self._model = resolve_model(str(beside) if beside.exists() else settings.model)
        self._server = LlamaServer(self._model, slots=settings.slots, context=settings.context)
        self.slots = self._server.slots
        self._client: OpenAIEndpoint | None = None

    async def __aenter__(self) -> LocalEndpoint:
        await asyncio.to_thread(self._server.start)
        served = self.settings.model_copy(update={"model": self._model.name})
        self._client = OpenAIEndpoint(
            served, base_url=self._server.base_url, slots=self.slots, weights=self._model.weights
        )
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._client:
            await self._client.__aexit__(*exc)
        await asyncio.to_thread(self._server.stop)

    async def identify(self) -> Identity:
        """Say who answers; the port is left out, for it differs at each start."""
        assert self._client is not None, "enter the endpoint first"  # noqa: S101
        found = await self._client.identify()
        return Identity("local", found.model, found.weights)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply."""
        assert self._client is not None, "enter the endpoint first"  # noqa: S101
        return await self._client.complete(request)
