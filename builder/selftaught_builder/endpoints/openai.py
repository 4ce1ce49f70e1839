"""Any OpenAI-compatible server: SGLang, vLLM, llama.cpp, or an API.

The openai package says how to talk (`address`); the requests go over aiohttp, which costs less than a tenth of the SDK's
CPU per request and lets us bound what comes back. Redirects are refused, so that a key is never sent to another place.
"""

from __future__ import annotations

import asyncio
import difflib
import random
import time
from typing import Any

import aiohttp
import orjson

from selftaught_builder.common.backoff import backoff
from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_place
from selftaught_builder.endpoints.base import ERRORS, Identity, Reply, Request
from selftaught_builder.endpoints.bodies import BodyError, read_body, read_start
from selftaught_builder.endpoints.control import Answer, open_session, request
from selftaught_builder.endpoints.listing import listed, listed_prices
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT as ERROR_TEXT_LIMIT
from selftaught_builder.endpoints.replies import (
    NAME_LIMIT,
    Received,
    error_class,
    read_reply,
)
from selftaught_builder.endpoints.weights import served_weights
from selftaught_builder.recipe import EndpointSettings, Prices

CONNECT_SECONDS = 30.0
"""How long a connection may take, TLS included."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds between two tries at a server that starts, or has too much to do, before anything is asked."""
_LISTED = 1000


class OpenAIEndpoint:
    """An OpenAI-compatible server.

    Args:
        settings: the recipe's `endpoint` section.
        base_url: overrides the settings' own.
        slots: requests at once under `concurrency: auto`.
        weights: the weights' fingerprint where the caller knows it; else the server is asked.

    Raises:
        EndpointError: a base URL or key that cannot be used, or no key for a server that is not on this machine.
    """

    def __init__(
        self, settings: EndpointSettings, *, base_url: str | None = None, slots: int = 64, weights: str | None = None
    ) -> None:
        self.settings, self.slots, self._weights = settings, slots, weights
        self._address = find_address(settings, base_url)
        self.base_url = self._address.base_url
        self._session: aiohttp.ClientSession | None = None
        self._listed: Prices | None = None

    async def __aenter__(self) -> OpenAIEndpoint:
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout, connect=CONNECT_SECONDS)
        self._session = open_session(self._address, timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session:
            await self._session.close()

    async def identify(self) -> Identity:
        """Check server, key and model, and say who answers.

        Raises:
            EndpointError: unreachable, key refused, model unknown.
        """
        await self._check_model()
        weights = self._weights or await self._served_weights()
        return Identity(self.base_url, self.settings.model, weights, prices=self._listed)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply."""
        body: dict[str, Any] = {"model": self.settings.model, **request.parameters, "seed": request.seed}
        if request.style == "chat":
            path, body["messages"] = "chat/completions", request.messages
        else:
            path, body["prompt"] = "completions", request.messages[0]["content"]
        started = time.perf_counter()
        reply = read_reply(await self._post(path, body), self._address.key)
        reply.latency = time.perf_counter() - started
        if reply.error is None:
            self._price(reply)
        return reply

    def _price(self, reply: Reply) -> None:
        """Say what a reply cost: by the recipe's prices, by what it says itself, or by the prices that the server lists."""
        if self.settings.prices:
            reply.cost, reply.price_source = _cost(reply, self.settings.prices), "recipe"
        elif reply.cost is None and self._listed:
            reply.cost, reply.price_source = _cost(reply, self._listed), "server"

    async def _post(self, path: str, body: dict[str, Any]) -> Received:
        url, data = self._address.url(path), orjson.dumps(body)
        try:
            async with self._opened.post(url, data=data, allow_redirects=False) as response:
                raw = await (read_body if response.status == 200 else read_start)(response)
                return Received(raw, response.status, response.headers)
        except BodyError as error:
            return _failure(error.error, str(error))
        except aiohttp.ConnectionTimeoutError:
            return _failure("unreachable", f"no connection within {min(self.settings.timeout, CONNECT_SECONDS):g} s")
        except TimeoutError:
            return _failure("timeout", f"no whole reply within {self.settings.timeout:g} s")
        except aiohttp.ClientConnectorCertificateError as error:
            return _failure("certificate", str(error))
        except aiohttp.ClientConnectorError as error:
            return _failure("unreachable", f"{type(error).__name__}: {error}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure("connection", f"{type(error).__name__}: {error}")

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the endpoint first")
        return self._session

    async def _ask(self, path: str) -> Answer:
        return await request(self._opened, self._address, path)

    async def _served_weights(self) -> str:
        async def get(path: str) -> tuple[int, Any]:
            answer = await self._ask(path)
            return answer.status, answer.body

        return await served_weights(get, self.settings.model, on_this_machine=self._address.on_this_machine)

    async def _list_models(self) -> Answer:
        """Ask for the list of models, again and again while the server may only be starting or have too much to do.

        A refused connection is no such case: the address is wrong, or the server is not up.
        """
        for number in range(self.settings.retries):
            answer = await self._ask("models")
            if not _is_passing(answer):
                return answer
            await asyncio.sleep(_pause(number, answer.retry_after))
        return await self._ask("models")

    async def _check_model(self) -> None:
        """Servers accept any model name in a request, so the name is checked against their list."""
        answer = await self._list_models()
        self._refuse_failure(answer)
        rows = {row["id"]: row for row in listed(answer.body)}
        known = list(rows)
        self._listed = listed_prices(rows.get(self.settings.model, {})) if answer.status == 200 else None
        if answer.status == 200 and known and self.settings.model not in known:
            close = difflib.get_close_matches(self.settings.model, known[:_LISTED], n=3) or sorted(known)[:5]
            served = self._address.scrub(", ".join(name[:NAME_LIMIT] for name in close))[:ERROR_TEXT_LIMIT]
            raise EndpointError(
                f"does not serve the model `{self.settings.model}`", place=self.base_url, mend=f"It serves: {served}."
            )
        if answer.status >= 300 and answer.status not in (404, 405):
            again = answer.status >= 400 and ERRORS[error_class(answer.status)]
            raise EndpointError(
                f"answers HTTP {answer.status} to /models" + (f", {self.settings.retries + 1} times" if again else ""),
                place=self.base_url,
                mend="Try again when it is up and has less to do." if again else "Check endpoint.base_url.",
            )

    def _refuse_failure(self, answer: Answer) -> None:
        """Raise EndpointError where there was no reply, or one that refuses the key."""
        place = self.base_url
        if answer.error == "certificate":
            mend = "Let SSL_CERT_FILE name the authority that signed its certificate, if you trust it."
            raise EndpointError(f"cannot prove who it is: {answer.body}", place=place, mend=mend)
        if answer.error:
            mend = "Check endpoint.base_url, and that the server is up."
            raise EndpointError(f"cannot be reached: {answer.body}", place=place, mend=mend)
        if answer.status in (401, 403):
            mend = f"Put a valid key into {key_place(self.settings)}."
            raise EndpointError(f"refuses the API key (HTTP {answer.status})", place=place, mend=mend)


def _is_passing(answer: Answer) -> bool:
    """Whether asking once more may help: the server starts, or has too much to do."""
    if answer.error:
        return answer.error in ("timeout", "connection")
    return answer.status >= 400 and ERRORS[error_class(answer.status)]


def _failure(error: str, text: str) -> Received:
    return Received(text.encode(errors="replace"), error=error)


def _pause(number: int, retry_after: float | None) -> float:
    """Seconds before the next try: what the server asked for within bounds, else more each time."""
    if retry_after is not None:
        return min(retry_after, LONGEST_PAUSE)
    return backoff(number, first=FIRST_PAUSE, longest=LONGEST_PAUSE, jitter=0.5, chance=random.random())  # noqa: S311


def _cost(reply: Reply, prices: Prices) -> float | None:
    """Dollars for one reply; None where the server did not count its tokens."""
    if reply.tokens_in is None or reply.tokens_out is None:
        return None
    cached = reply.tokens_cached or 0
    cached_price = prices.input if prices.cached is None else prices.cached
    fresh = max(0, reply.tokens_in - cached)  # some count cached tokens beside the others
    return (fresh * prices.input + cached * cached_price + reply.tokens_out * prices.output) / 1e6
