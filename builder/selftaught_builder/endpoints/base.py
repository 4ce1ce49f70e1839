"""What an endpoint is: something that completes one prompt, and says what it is.

The sampler knows nothing else about models. A reply is a fact, not an exception: whatever happens to a request (refusal,
truncation, HTTP error, reset connection) comes back as a `Reply`, and becomes an attempt row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from selftaught_builder.recipe import Prices

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to ask for.

    Attributes:
        messages: chat turns, or one user message holding a plain prompt where `style` is `completion`.
        style: `chat` (/chat/completions) or `completion` (/completions).
        parameters: sampling parameters in OpenAI's names (temperature, top_p, max_tokens, stop, ...).
        seed: the request's seed, derived from the attempt key.
    """

    messages: Sequence[Message]
    style: str
    parameters: Mapping[str, Any]
    seed: int


@dataclass(slots=True)
class Reply:
    """What came of one request; `error` is None exactly where a completion arrived.

    Attributes:
        completion: the text, without reasoning content.
        reasoning: reasoning content, kept apart.
        finish_reason: the server's word; `length` means truncated.
        model: the model name that the reply carried.
        tokens_in, tokens_out, tokens_cached: the server's usage counts, None where it gave none.
        cost: US dollars, None where no price is known.
        price_source: where the price came from (`recipe`, `litellm`, `server`), None where no price is known.
        latency: seconds from sending to the last byte.
        error: a class out of `ERRORS`, or None.
        error_text: what the server or the socket said, cut to 2,000 characters.
        retry_after: seconds the server asked to wait.
        provider: what else the reply held (ids, fingerprints; of an error its HTTP status), for provenance; under
            `changed` what had to be changed in the texts so that they can be kept.
    """

    completion: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost: float | None = None
    price_source: str | None = None
    latency: float = 0.0
    error: str | None = None
    error_text: str | None = None
    retry_after: float | None = None
    provider: dict[str, Any] = field(default_factory=dict)


# Error classes, and whether trying again can help.
ERRORS: Mapping[str, bool] = {
    "bad_request": False,  # every other 4xx (400, 404, 413, 422): the request itself is wrong
    "auth": False,  # 401, 402, 403, a spent quota: the key or its account is refused
    "rate_limit": True,  # 429
    "server": True,  # 408, 409, 5xx
    "timeout": True,
    "unreachable": True,  # no connection: refused, no such host, none in time; nothing was sent
    "connection": True,  # reset, closed, half a body
    "certificate": False,  # TLS: the server cannot prove who it is
    "malformed": True,  # not JSON, or JSON without what the protocol promises
    "too_large": False,  # a body over the limit
    "redirect": False,  # never followed: a key is sent to no other place
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: recorded with every round and part of every attempt's key.

    Attributes:
        endpoint: the base URL (or `litellm`), without credentials.
        model: the model id asked for.
        weights: fingerprint of the served weights (`sha256:…`, `weight_version:…`), or `unknown`.
        honours: which parameters a probe found honoured: {"seed": True, "n": True, "logprobs": False}; None where the
            probe could not tell, empty before one was made.
        prices: what the server lists that the model costs; None where it lists nothing.
    """

    endpoint: str
    model: str
    weights: str
    honours: Mapping[str, bool | None] = field(default_factory=dict)
    prices: Prices | None = None


class Endpoint(Protocol):
    """A model behind some door. An async context manager: entering starts or reaches it, leaving lets go of it."""

    slots: int
    """How many requests it takes at once when the recipe says `concurrency: auto`."""

    async def __aenter__(self) -> Endpoint: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def identify(self) -> Identity:
        """Check that the endpoint is there, knows the model and accepts the key, and say who it is.

        Raises:
            EndpointError: unreachable, wrong key, or unknown model.
        """
        ...

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample. Never raises for what the other side does; the reply carries the error."""
        ...
