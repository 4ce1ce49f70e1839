"""The cheapest server that an OpenAI client believes: one prebuilt completion for every POST.

For measurements: a server on a web framework would cost more than the clients that are measured.
Run it as `python instant_server.py`; it prints its port and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys

TEXT = "The sold and the left rolls make up the whole batch, so we add the two numbers. 41 + 23 = 64. The answer is 64."


def _reply(payload: dict[str, object]) -> bytes:
    body = json.dumps(payload, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


COMPLETION = _reply(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
        "usage": {"prompt_tokens": 180, "completion_tokens": 40, "total_tokens": 220},
    }
)
MODELS = _reply({"object": "list", "data": [{"id": "stand-in", "object": "model", "created": 1, "owned_by": "nobody"}]})


class Instant(asyncio.Protocol):
    """Answers each request of a connection as soon as its last byte is there."""

    def __init__(self) -> None:
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        data = self._left + data if self._left else data
        while (head := data.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length(data[:head])
            if len(data) < end:
                break
            self._transport.write(COMPLETION if data.startswith(b"POST") else MODELS)
            data = data[end:]
        self._left = data


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
