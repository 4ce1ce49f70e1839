"""Which parameters a server honours, found by asking: servers accept and ignore them silently.

A probe is five requests of at most 12 tokens. Its replies are no attempts at a question and are not stored; its findings are,
with the round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from selftaught_builder.endpoints.base import Reply, Request

_MESSAGES = ({"role": "user", "content": "Name ten random words."},)


class Completes(Protocol):
    """The part of an endpoint that a probe needs."""

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample."""
        ...


async def probe(endpoint: Completes) -> Mapping[str, bool | None]:
    """Return for `seed`, `n` and `logprobs` whether the endpoint honours it; None where that could not be told.

    A seed is honoured where the same seed repeats a text and another seed changes it, one request at a time; under
    concurrency a server may still vary.
    """
    first = await _ask(endpoint, seed=1)
    again = await _ask(endpoint, seed=1)
    other = await _ask(endpoint, seed=2)
    several = await _ask(endpoint, seed=1, n=2)
    logprobs = await _ask(endpoint, seed=1, logprobs=True)
    seed = None
    if not (first.error or again.error or other.error):
        same = first.completion == again.completion
        seed = False if not same else True if other.completion != first.completion else None
    return {
        "seed": seed,
        "n": None if several.error else several.provider.get("choices") == 2,
        "logprobs": None if logprobs.error else bool(logprobs.provider.get("logprobs")),
    }


async def _ask(endpoint: Completes, *, seed: int, **extra: object) -> Reply:
    parameters = {"max_tokens": 12, "temperature": 1.0, **extra}
    return await endpoint.complete(Request(_MESSAGES, "chat", parameters, seed))
