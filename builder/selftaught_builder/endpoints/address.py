"""Where an OpenAI-compatible server is, and what every request to it carries: headers and key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.secrets import scrub
from selftaught_builder.endpoints.api_key import key_of, key_place

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MEND = "Give http://HOST:PORT/v1."


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address.

    Attributes:
        base_url: the OpenAI routes' root (`http://HOST:PORT/v1`), as it may be shown.
        headers: of every request, the key's own among them.
        key: the API key, "" where there is none.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = field(default="", repr=False)

    @property
    def on_this_machine(self) -> bool:
        """Whether the server is on this machine."""
        return urlsplit(self.base_url).hostname in _LOOPBACK

    @property
    def proxy(self) -> str | None:
        """The proxy that the environment names for the server; this machine is never asked through one.

        aiohttp's `trust_env` would do that, and take credentials out of ~/.netrc besides.
        """
        parts = urlsplit(self.base_url)
        direct = self.on_this_machine or proxy_bypass(parts.hostname or "")
        return None if direct else getproxies().get(parts.scheme)

    def url(self, path: str) -> str:
        """Return a path's URL: from the server's root (`/health`), without the slash from the OpenAI routes (`models`)."""
        if not path.startswith("/"):
            return f"{self.base_url}/{path}"
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def scrub(self, text: str) -> str:
        """Return a text without the key."""
        return scrub(text, self.key)


def find_address(settings: EndpointSettings, base_url: str | None = None) -> Address:
    """Return base URL, headers and key as the openai client would use them.

    Args:
        settings: the recipe's `endpoint` section.
        base_url: overrides the settings' own.

    Raises:
        EndpointError: a URL or a key that cannot be used, or no key for a server that is not on this machine.
    """
    key, place = key_of(settings), key_place(settings)
    url = base_url or settings.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    parts = split_url(url, place)
    if not key and (settings.names_a_key or parts.hostname not in _LOOPBACK):
        raise EndpointError(
            f"no API key for {parts.hostname}",
            place=place,
            mend="Set this environment variable, or `endpoint.base_url` to a server that needs no key.",
        )
    headers = _sdk_headers(url, key)
    if key:  # the client adds it to each request; since openai 3 it is no default header any more
        headers["Authorization"] = f"Bearer {key}"
    return Address(urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), headers, key)


def split_url(url: str, key_place: str) -> SplitResult:
    """Return a base URL's parts.

    Args:
        url: the URL.
        key_place: where the key should stand, for an error.

    Raises:
        EndpointError: it is no http(s) URL, or holds a credential or a query, which are not shown.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read when asked for
    except ValueError as error:
        raise EndpointError(f"no URL: {error}", place="endpoint.base_url", mend=_MEND) from None
    if "@" in (parts.netloc or url) or parts.query:
        mend = f"{_MEND[:-1]}, and put the key into {key_place}."
        raise EndpointError("the URL holds a credential or a query", place="endpoint.base_url", mend=mend)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError(f"`{url}` is no http(s) URL", place="endpoint.base_url", mend=_MEND)
    return parts


def _sdk_headers(url: str, key: str) -> dict[str, str]:
    """Return the headers that the openai client sends with every request.

    Only the SDK knows them: what it calls itself and the platform, and how it reads OPENAI_ORG_ID, OPENAI_PROJECT_ID and
    OPENAI_CUSTOM_HEADERS, differ between its releases. It also refuses URLs that no HTTP client could use. So a client of
    it is built, which sends nothing.

    Raises:
        EndpointError: the SDK does not take the URL.
    """
    import openai

    try:
        client = openai.AsyncOpenAI(api_key=key or "none", base_url=url, max_retries=0)
    except Exception as error:  # the URL, in the classes of whichever httpx the client brings
        raise EndpointError(f"no URL: {error}", place="endpoint.base_url", mend=_MEND) from None
    return {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
