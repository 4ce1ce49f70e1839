"""Any OpenAI-compatible server: SGLang, vLLM, llama.cpp, or an API.

The openai package says how to talk (base URL, organisation and project headers from its environment variables); the
requests go over aiohttp, which costs less than a tenth of the SDK's CPU per request and lets us bound what comes back.
Redirects are refused, so that a key is never sent to another place.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import random
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.secrets import scrub
from selftaught_builder.endpoints.api_key import key_of, key_place
from selftaught_builder.endpoints.base import ERRORS, Identity, Reply, Request
from selftaught_builder.endpoints.bodies import ENCODINGS, BodyError, read_body, read_start
from selftaught_builder.endpoints.listing import listed, listed_prices
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT as ERROR_TEXT_LIMIT
from selftaught_builder.endpoints.replies import (
    NAME_LIMIT,
    Received,
    error_class,
    read_json,
    read_reply,
    read_retry_after,
)
from selftaught_builder.endpoints.weights import LOOPBACK, served_weights
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
        self.base_url, self._headers, self._key = client_settings(settings, base_url)
        self._session: aiohttp.ClientSession | None = None
        self._listed: Prices | None = None

    async def __aenter__(self) -> OpenAIEndpoint:
        self._session = aiohttp.ClientSession(
            headers={**self._headers, "Accept-Encoding": ENCODINGS},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout, connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),  # a server keeps no state here
            proxy=_proxy(urlsplit(self.base_url)),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )
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
        weights = self._weights or await served_weights(self._get, self.base_url, self.settings.model)
        return Identity(self.base_url, self.settings.model, weights, prices=self._listed)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply."""
        body: dict[str, Any] = {"model": self.settings.model, **request.parameters, "seed": request.seed}
        if request.style == "chat":
            path, body["messages"] = "chat/completions", request.messages
        else:
            path, body["prompt"] = "completions", request.messages[0]["content"]
        started = time.perf_counter()
        reply = read_reply(await self._post(path, body), self._key)
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
        assert self._session is not None, "enter the endpoint first"  # noqa: S101
        try:
            async with self._session.post(
                f"{self.base_url}/{path}", data=orjson.dumps(body), allow_redirects=False
            ) as response:
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

    async def _get(self, url: str) -> tuple[int, Any]:
        """Return status and parsed JSON (None where it is none) of a GET; the key is not in it."""
        received = await self._fetch(url)
        return received.status, read_json(received.raw, self._key)

    async def _fetch(self, url: str) -> Received:
        assert self._session is not None, "enter the endpoint first"  # noqa: S101
        async with self._session.get(url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=30)) as response:
            try:
                return Received(await read_body(response), response.status, response.headers)
            except BodyError:
                return Received(b"", response.status, response.headers)

    async def _list_models(self) -> Received:
        """Ask for the list of models, again and again while the server may only be starting or have too much to do.

        A refused connection is no such case: the address is wrong, or the server is not up.
        """
        for number in range(self.settings.retries):
            wait = None
            try:
                received = await self._fetch(f"{self.base_url}/models")
                if received.status < 400 or not ERRORS[error_class(received.status)]:
                    return received
                wait = read_retry_after(received.headers)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                raise
            except (TimeoutError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError):
                pass
            await asyncio.sleep(_pause(number, wait))
        return await self._fetch(f"{self.base_url}/models")

    async def _check_model(self) -> None:
        """Servers accept any model name in a request, so the name is checked against their list."""
        place = self.base_url
        try:
            received = await self._list_models()
        except aiohttp.ClientConnectorCertificateError as error:
            raise EndpointError(
                f"cannot prove who it is: {self._scrub(str(error))}",
                place=place,
                mend="Let SSL_CERT_FILE name the authority that signed its certificate, if you trust it.",
            ) from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            silent = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            reason = str(error).replace(" ssl:default", "") or silent  # aiohttp says so of http, too
            raise EndpointError(
                f"cannot be reached: {self._scrub(reason)}",
                place=place,
                mend="Check endpoint.base_url, and that the server is up.",
            ) from None
        status = received.status
        if status in (401, 403):
            raise EndpointError(
                f"refuses the API key (HTTP {status})",
                place=place,
                mend=f"Put a valid key into {key_place(self.settings)}.",
            )
        rows = {row["id"]: row for row in listed(read_json(received.raw, self._key))}
        known = list(rows)
        self._listed = listed_prices(rows.get(self.settings.model, {})) if status == 200 else None
        if status == 200 and known and self.settings.model not in known:
            close = difflib.get_close_matches(self.settings.model, known[:_LISTED], n=3) or sorted(known)[:5]
            served = self._scrub(", ".join(name[:NAME_LIMIT] for name in close))
            raise EndpointError(
                f"does not serve the model `{self.settings.model}`", place=place, mend=f"It serves: {served}."
            )
        if status >= 300 and status not in (404, 405):
            again = status >= 400 and ERRORS[error_class(status)]
            raise EndpointError(
                f"answers HTTP {status} to /models" + (f", {self.settings.retries + 1} times" if again else ""),
                place=place,
                mend="Try again when it is up and has less to do." if again else "Check endpoint.base_url.",
            )

    def _scrub(self, text: str) -> str:
        return scrub(text, self._key)[:ERROR_TEXT_LIMIT]


def client_settings(settings: EndpointSettings, base_url: str | None) -> tuple[str, dict[str, str], str]:
    """Return base URL, headers and key as the openai client would use them.

    Raises:
        EndpointError: a URL or a key that cannot be used, or no key for a server that is not on this machine.
    """
    import openai

    key, place = key_of(settings), key_place(settings)
    url = base_url or settings.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    parts = split_url(url, place)
    if not key and (settings.names_a_key or parts.hostname not in LOOPBACK):
        raise EndpointError(
            f"no API key for {parts.hostname}",
            place=place,
            mend="Set this environment variable, or `endpoint.base_url` to a server that needs no key.",
        )
    try:
        client = openai.AsyncOpenAI(api_key=key or "none", base_url=url, max_retries=0)
    except Exception as error:  # the URL, in the classes of whichever httpx the client brings
        raise EndpointError(f"no URL: {error}", place="endpoint.base_url", mend="Give http://HOST:PORT/v1.") from None
    headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    if key:  # the client adds it to each request; since openai 3 it is no default header any more
        headers["Authorization"] = f"Bearer {key}"
    clean = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    return clean, headers, key


def split_url(url: str, key_place: str) -> SplitResult:
    """Return a base URL's parts.

    Args:
        url: the URL.
        key_place: where the key should stand, for an error.

    Raises:
        EndpointError: it is no http(s) URL, or holds a credential or a query, which are not shown.
    """
    mend = "Give http://HOST:PORT/v1."
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read when asked for
    except ValueError as error:
        raise EndpointError(f"no URL: {error}", place="endpoint.base_url", mend=mend) from None
    if "@" in (parts.netloc or url) or parts.query:
        mend = f"Give http://HOST:PORT/v1, and put the key into {key_place}."
        raise EndpointError("the URL holds a credential or a query", place="endpoint.base_url", mend=mend)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError(f"`{url}` is no http(s) URL", place="endpoint.base_url", mend=mend)
    return parts


def _proxy(parts: SplitResult) -> str | None:
    """Return the proxy that the environment names for a URL; this machine is never asked through one.

    aiohttp's `trust_env` would do that, and take credentials out of ~/.netrc besides.
    """
    host = parts.hostname or ""
    return None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(parts.scheme)


def _failure(error: str, text: str) -> Received:
    return Received(text.encode(errors="replace"), error=error)


def _pause(number: int, retry_after: float | None) -> float:
    """Seconds before the next try: what the server asked for within bounds, else more each time."""
    if retry_after is not None:
        return min(retry_after, LONGEST_PAUSE)
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * random.uniform(0.5, 1.0)  # noqa: S311


def _cost(reply: Reply, prices: Prices) -> float | None:
    """Dollars for one reply; None where the server did not count its tokens."""
    if reply.tokens_in is None or reply.tokens_out is None:
        return None
    cached = reply.tokens_cached or 0
    cached_price = prices.input if prices.cached is None else prices.cached
    fresh = max(0, reply.tokens_in - cached)  # some count cached tokens beside the others
    return (fresh * prices.input + cached * cached_price + reply.tokens_out * prices.output) / 1e6
