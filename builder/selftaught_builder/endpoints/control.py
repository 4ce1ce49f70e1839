"""Talking to a server about itself: is it up, what does it serve. Plain and synchronous; completions go another way."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from selftaught_builder.endpoints.openai import client_settings
from selftaught_builder.endpoints.weights import LOOPBACK
from selftaught_builder.recipe import EndpointSettings

_BODY_LIMIT = 2**22


class Control:
    """The routes beside the completions of a server.

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
        # This machine is never asked through a proxy; a redirect is never followed, for the key is for no other place.
        proxies = [urllib.request.ProxyHandler({})] if self.on_this_machine else []
        self._opener = urllib.request.build_opener(*proxies, _NoRedirect())

    def ask(self, path: str, body: Mapping[str, Any] | None = None, *, timeout: float = 30.0) -> tuple[int, Any]:
        """Return status and JSON body of a GET, or of a POST where there is a body to send.

        Args:
            path: from the server's root, such as `/health`; without the slash from the OpenAI routes, such as `models`.
            body: what to post.
            timeout: seconds.

        Returns:
            The status, 0 where there was no reply, and the parsed body; where it is no JSON, what there was, as text.
        """
        url = f"{self._root}{path}" if path.startswith("/") else f"{self.base_url}/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers)  # noqa: S310 - http(s), as checked above
        try:
            with self._opener.open(request, timeout=timeout) as reply:
                return reply.status, _parse(reply.read(_BODY_LIMIT))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _parse(error.read(_BODY_LIMIT))
        except (OSError, ValueError) as error:
            return 0, self.scrub(str(getattr(error, "reason", error)))

    def models(self) -> list[dict[str, Any]]:
        """Return what the server lists under /models; nothing where it lists nothing."""
        _, listing = self.ask("models")
        rows = listing.get("data") if isinstance(listing, dict) else None
        return [row for row in rows or [] if isinstance(row, dict) and isinstance(row.get("id"), str)]

    def scrub(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self._key, "[key]") if self._key else text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing; the redirect itself becomes the reply."""


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw[:2000].decode("utf-8", "replace")
