"""How many tokens a request may cost, before it is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from selftaught_builder.prompts.form import Prompt

OVERHEAD = 32
"""Bytes that stand for what a chat template puts around the messages."""
_REMEMBERED = 4096


class PromptSizes:
    """Tells how many tokens a prompt has: what the server said of it, else what its bytes come to.

    Until the server has counted a prompt, a byte counts as a token, of which it has fewer; then as the most that a byte
    has come to so far.
    """

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._per_byte = 0.0

    def of(self, prompt: Prompt) -> int:
        """Return how many tokens a prompt has, or may have."""
        if known := self._known.get(prompt.hash):
            return known
        return math.ceil(self._per_byte * most_tokens(prompt)) if self._per_byte else most_tokens(prompt)

    def learn(self, prompt: Prompt, tokens: int | None) -> None:
        """Take note of what a server has counted."""
        if not tokens or prompt.hash in self._known:
            return
        if len(self._known) >= _REMEMBERED:  # the samples of a question follow each other
            self._known.clear()
        self._known[prompt.hash] = tokens
        self._per_byte = max(self._per_byte, tokens / most_tokens(prompt))


def most_tokens(prompt: Prompt) -> int:
    """Return how many tokens a prompt has at most: as many as its messages have bytes, with what is put around them."""
    return len(orjson.dumps(prompt.messages)) + OVERHEAD


def most_generated(parameters: Mapping[str, Any]) -> int:
    """Return how many tokens a request's parameters let a completion have."""
    limits = [parameters.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return max((limit for limit in limits if isinstance(limit, int)), default=0)
