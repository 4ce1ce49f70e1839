"""Talking to a server about itself: is it up, what does it serve. Completions go another way.

Whatever a server does, nothing is raised, and what comes back is bounded and does not hold the key. Redirects are not
followed, since the key is for no other place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from selftaught_builder.endpoints.address import Address
from selftaught_builder.endpoints.bodies import ENCODINGS, BodyError, read_body
from selftaught_builder.endpoints.listing import listed
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT, read_json, read_retry_after

SECONDS = 30.0
"""How long a control request may take, its reply's last byte included, unless told otherwise."""
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a control request.

    Attributes:
        status: the HTTP status, 0 where there was no whole reply.
        body: the parsed JSON; where it is none, the start of what there was, as text; without a reply, why.
        retry_after: seconds that the server asks to wait.
        error: the class of what kept a reply away, out of `base.ERRORS`; "" where there is one.
    """

    status: int
    body: Any
    retry_after: float | None = None
    error: str = ""


class Control:
    """The routes beside the completions of a server, for code that has no event loop in its thread.

    Args:
        address: the server's.

    Attributes:
        base_url: the OpenAI routes' root, as it may be shown.
        on_this_machine: whether the server is.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self.base_url, self.on_this_machine = address.base_url, address.on_this_machine

    def ask(self, path: str, body: Mapping[str, Any] | None = None, *, timeout: float = SECONDS) -> tuple[int, Any]:
        """Return status and JSON body of a GET, or of a POST where there is a body to send.

        Args:
            path: from the server's root, such as `/health`; without the slash from the OpenAI routes, such as `models`.
            body: what to post.
            timeout: seconds for all of it.

        Returns:
            The status, 0 where there was no reply, and the parsed body; where it is no JSON, the start of what there was,
            as text.
        """
        answer = asyncio.run(self._ask(path, body, timeout))
        return answer.status, answer.body

    def models(self) -> list[dict[str, Any]]:
        """Return what the server lists under /models; nothing where it lists nothing."""
        return listed(self.ask("models")[1])

    def scrub(self, text: str) -> str:
        """Return a text without the key."""
        return self._address.scrub(text)

    async def _ask(self, path: str, body: Mapping[str, Any] | None, seconds: float) -> Answer:
        async with open_session(self._address) as session:
            return await request(session, self._address, path, body, seconds=seconds)


def open_session(address: Address, timeout: aiohttp.ClientTimeout | None = None) -> aiohttp.ClientSession:
    """Return an HTTP session with a server; a context manager.

    Args:
        address: the server's.
        timeout: of requests that are given none of their own.
    """
    return aiohttp.ClientSession(
        headers={**address.headers, "Accept-Encoding": ENCODINGS},
        auto_decompress=False,  # `bodies` does that within bounds
        timeout=timeout or aiohttp.ClientTimeout(total=SECONDS),
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),  # a server keeps no state here
        proxy=address.proxy,
    )


async def request(
    session: aiohttp.ClientSession,
    address: Address,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    seconds: float = SECONDS,
) -> Answer:
    """Send a GET, or a POST where there is a body to send; whatever happens is in the answer. The arguments are `Control`'s."""
    method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
    limit = aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.request(
            method, address.url(path), data=data, headers=_JSON, allow_redirects=False, timeout=limit
        ) as response:
            return await _read(response, address)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        why, text = _failure(error)
        return Answer(0, address.scrub(text)[:ERROR_TEXT_LIMIT], error=why)


async def _read(response: aiohttp.ClientResponse, address: Address) -> Answer:
    status, after = response.status, read_retry_after(response.headers)
    try:
        raw = await read_body(response)
    except BodyError as error:
        return Answer(status, str(error), after)
    except TimeoutError:
        raise TimeoutError("the reply does not end") from None
    found = read_json(raw, address.key)
    if found is None:
        found = address.scrub(raw.decode("utf-8", "replace"))[:ERROR_TEXT_LIMIT]
    return Answer(status, found, after)


def _failure(error: Exception) -> tuple[str, str]:
    """Return the class of what kept a reply away, and its text."""
    text = str(error).replace(" ssl:default", "")  # aiohttp says so of http, too
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "certificate", str(error)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return "unreachable", text
        case TimeoutError():
            return "timeout", text or "no answer in time"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "connection", text or type(error).__name__
    return "malformed", text or type(error).__name__
