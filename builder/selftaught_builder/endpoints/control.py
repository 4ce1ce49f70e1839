"""Talking to a server about itself: is it up, what does it serve. Plain and synchronous; completions go another way."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from selftaught_builder.common.secrets import scrub
from selftaught_builder.endpoints.listing import listed
from selftaught_builder.endpoints.openai import client_settings
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT, read_json
from selftaught_builder.endpoints.weights import LOOPBACK
from selftaught_builder.recipe import EndpointSettings

_BODY_LIMIT = 2**22
_BLOCK = 2**16


class Control:
    """The routes beside the completions of a server.

    What it returns is bounded, and does not hold the key.

    Args:
        settings: the recipe's `endpoint` section, for the key.
        base_url: the OpenAI routes' root (`http://HOST:PORT/v1`).

    Attributes:
        base_url: the same, as it may be shown.
        on_this_machine: whether the server is.

    Raises:
        EndpointError: a base URL or key that cannot be used.
    """

    def __init__(self, settings: EndpointSettings, base_url: str) -> None:
        self.base_url, headers, self._key = client_settings(settings, base_url)
        parts = urlsplit(self.base_url)
        self._root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self.on_this_machine = parts.hostname in LOOPBACK
        self._headers = {**headers, "Content-Type": "application/json"}
        # This machine is never asked through a proxy.
        proxies = [urllib.request.ProxyHandler({})] if self.on_this_machine else []
        self._opener = urllib.request.build_opener(*proxies, _AsItCame())

    def ask(self, path: str, body: Mapping[str, Any] | None = None, *, timeout: float = 30.0) -> tuple[int, Any]:
        """Return status and JSON body of a GET, or of a POST where there is a body to send.

        Args:
            path: from the server's root, such as `/health`; without the slash from the OpenAI routes, such as `models`.
            body: what to post.
            timeout: seconds.

        Returns:
            The status, 0 where there was no reply, and the parsed body; where it is no JSON, the start of what there was,
            as text.
        """
        url = f"{self._root}{path}" if path.startswith("/") else f"{self.base_url}/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers)  # noqa: S310 - http(s), as checked above
        deadline = time.monotonic() + timeout
        try:
            with self._opener.open(request, timeout=timeout) as reply:
                return reply.status, self._parse(_read(reply, deadline))
        except (OSError, ValueError, http.client.HTTPException) as error:
            return 0, self.scrub(str(getattr(error, "reason", error)))[:ERROR_TEXT_LIMIT]

    def models(self) -> list[dict[str, Any]]:
        """Return what the server lists under /models; nothing where it lists nothing."""
        return listed(self.ask("models")[1])

    def scrub(self, text: str) -> str:
        """Return a text without the key."""
        return scrub(text, self._key)

    def _parse(self, raw: bytes) -> Any:
        found = read_json(raw, self._key)
        return self.scrub(raw.decode("utf-8", "replace"))[:ERROR_TEXT_LIMIT] if found is None else found


class _AsItCame(urllib.request.HTTPErrorProcessor):
    """Makes a reply of every status; of a redirect, too, which is not followed, since the key is for no other place."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """Return the response."""
        return response

    https_response = http_response


def _read(reply: http.client.HTTPResponse, deadline: float) -> bytes:
    """Return a body's first `_BODY_LIMIT` bytes; raises TimeoutError where they have not come before the deadline."""
    body = bytearray()
    while len(body) < _BODY_LIMIT and (block := reply.read1(_BLOCK)):
        body += block
        if time.monotonic() > deadline:
            raise TimeoutError("the reply does not end")
    return bytes(body)
