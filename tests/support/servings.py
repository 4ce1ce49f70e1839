"""Ask what a serving serves."""

from __future__ import annotations

import asyncio

from selftaught_builder.endpoints import Identity, Reply, Request
from selftaught_builder.serving.base import Serving


def ask(request: Request, serving: Serving, *, identify: bool = True) -> tuple[Identity | None, Reply]:
    """Return who answers, where that is to be asked, and the reply to one request, from a fresh client."""

    async def once() -> tuple[Identity | None, Reply]:
        async with serving.client() as endpoint:
            identity = await endpoint.identify() if identify else None
            return identity, await endpoint.complete(request)

    return asyncio.run(once())
