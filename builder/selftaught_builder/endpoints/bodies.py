"""Reading a response's body within bounds: what is sent, and what it is decompressed to.

Decompression is done here rather than by the HTTP client, whose bounds differ between its releases.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress

import aiohttp

BODY_LIMIT = 16 * 2**20
"""Bytes of a body, decompressed: a megabyte is some 250,000 tokens."""
ERROR_BODY_LIMIT = 64 * 2**10
"""Bytes read of a body that only explains a failure."""
ERROR_BODY_SECONDS = 5.0
"""How long such a body is waited for."""
ENCODINGS = "gzip"
"""What a request may say that it accepts."""


class BodyError(Exception):
    """A body that cannot be read whole; `error` is its class out of `base.ERRORS`."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the decompressed body.

    Raises:
        BodyError: it is larger than `BODY_LIMIT`, or compressed in a way that was not asked for or is broken.
        aiohttp.ClientError, TimeoutError: the connection's own.
    """
    body = _Body(response, BODY_LIMIT)
    async for chunk in response.content.iter_any():
        body.add(chunk)
        if body.full:
            response.close()
            raise BodyError("too_large", f"the body is over {BODY_LIMIT} bytes")
    return body.whole()


async def read_start(response: aiohttp.ClientResponse) -> bytes:
    """Return what arrives of a body within `ERROR_BODY_LIMIT` and `ERROR_BODY_SECONDS`, for the status says enough."""
    body = _Body(response, ERROR_BODY_LIMIT)
    with suppress(BodyError, aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        async with asyncio.timeout(ERROR_BODY_SECONDS):
            async for chunk in response.content.iter_any():
                body.add(chunk)
                if body.full:
                    break
    if not response.content.at_eof():
        response.close()  # what follows is not waited for
    return bytes(body.content[:ERROR_BODY_LIMIT])


class _Body:
    """A body as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, limit: int) -> None:
        self.content, self._limit, self._received = bytearray(), limit, 0
        self._encoding = response.headers.get("Content-Encoding", "").strip().lower()
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._encoding in ("gzip", "x-gzip") else None

    @property
    def full(self) -> bool:
        """Whether more came than is wanted."""
        return max(len(self.content), self._received) > self._limit

    def add(self, chunk: bytes) -> None:
        """Take what has arrived; never decompresses more than a byte over the limit."""
        self._received += len(chunk)
        if self._gzip is None:
            if self._encoding not in ("", "identity"):
                raise BodyError("malformed", f"the body is encoded as `{self._encoding[:50]}`, which was not asked for")
            self.content += chunk
            return
        try:
            self.content += self._gzip.decompress(chunk, self._limit + 1 - len(self.content))
        except zlib.error as error:
            raise BodyError("malformed", f"the body is no gzip: {error}") from None

    def whole(self) -> bytes:
        """Return all of it."""
        if self._gzip is not None and not self._gzip.eof and self._received:
            raise BodyError("malformed", "the compressed body ends too early")
        if self._gzip is not None and self._gzip.unused_data:
            raise BodyError("malformed", "something follows the compressed body")
        return bytes(self.content)
