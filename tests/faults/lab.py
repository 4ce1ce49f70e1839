"""The fault lab: an OpenAI-compatible server that does everything a server can do wrong, byte by byte.

It runs as a process of its own (`python lab.py`), prints its port, takes its orders at `/control/script` and tells at
`/control/seen` what it has seen. What it does to a request is decided by the request alone: a case named in square brackets in
the question befalls the first try, or a script draws cases at random, from its seed, the request's seed and the try's number.
It speaks HTTP itself, since no framework sends what it is to send.
"""

from __future__ import annotations

import argparse
import asyncio
import email.utils
import gzip
import json
import random
import re
import socket
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

NAMED = re.compile(r"\[(.+?)\]")
SUM = re.compile(r"(\d+) \+ (\d+)")
BOMB = 64 * 2**20
HUGE_TEXT = 10_000_000
PLAIN = "plain"


Asked = tuple[str, int]
"""A question and a seed: the tries of one attempt have them in common, and no other request has."""


@dataclass
class Script:
    """What `/control/script` sets.

    Attributes:
        cases: names out of `ANSWERS` to draw from; none answers plainly where the question names no case.
        share: share of tries that a case befalls.
        seed: of the draws.
    """

    cases: list[str] = field(default_factory=list)
    share: float = 0.0
    seed: int = 0

    def draw(self, asked: Asked, number: int) -> str:
        """Return what befalls a try."""
        dice = random.Random(f"{self.seed}/{asked}/{number}")
        return dice.choice(self.cases) if self.cases and dice.random() < self.share else PLAIN


@dataclass
class Seen:
    """What `/control/seen` tells since the last script.

    Attributes:
        requests: question, seed, case and time (seconds) of each request for a completion, in the order of their arrival.
        elsewhere: connections to the listener that redirects name.
    """

    requests: list[tuple[str, int, str, float]] = field(default_factory=list)
    elsewhere: int = 0


@dataclass
class Exchange:
    """One request, and the way back."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: dict[str, Any]
    authorization: str
    elsewhere: str

    @property
    def question(self) -> str:
        """The last message."""
        return self.body["messages"][-1]["content"]

    def completion(self) -> dict[str, Any]:
        """Return the payload of a right completion."""
        found = SUM.search(self.question)
        answer = int(found[1]) + int(found[2]) if found else 0
        text = f"Attempt {self.body['seed']:x} adds the two numbers. The answer is {answer}."
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": self.body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        }

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send a whole response, or one that promises another `length`."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        names = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body) if length is None else length),
        } | names
        head = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        await self.send(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)

    async def chunks(self, status: int) -> None:
        """Begin a body without a length."""
        await self.send(f"HTTP/1.1 {status} Whatever\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        """Send some of such a body."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def hang_up(self) -> None:
        """Close the connection when everything is sent."""
        self.writer.close()

    def reset(self) -> None:
        """Break the connection."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Answer = Callable[[Exchange], Awaitable[None]]


def compact(payload: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(payload, separators=(",", ":")).encode()


def status(code: int, message: str = "out of order", **headers: str) -> Answer:
    """Answer with a status and an error as OpenAI writes them."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(code, compact({"error": {"message": message, "code": message}}), **headers)

    return answer


def redirect(code: int) -> Answer:
    """Send the client elsewhere."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(code, b"", Location=f"{exchange.elsewhere}/v1/chat/completions")

    return answer


def raw(body: bytes, **headers: str) -> Answer:
    """Answer HTTP 200 with these bytes."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, body, **headers)

    return answer


def changed(change: Callable[[dict[str, Any]], Any]) -> Answer:
    """Answer with a completion that was changed."""

    async def answer(exchange: Exchange) -> None:
        payload = exchange.completion()
        change(payload)
        await exchange.respond(200, compact(payload))

    return answer


def message(**keys: Any) -> Answer:
    """Answer with a completion whose message has these keys."""
    return changed(lambda payload: payload["choices"][0]["message"].update(keys))


def finish(reason: str) -> Answer:
    """Answer with a completion that ended for this reason."""
    return changed(lambda payload: payload["choices"][0].update(finish_reason=reason))


def spliced(old: bytes, new: bytes) -> Answer:
    """Answer with a completion in whose bytes something was replaced."""

    async def answer(exchange: Exchange) -> None:
        payload = exchange.completion()
        payload["choices"][0]["message"]["content"] = "a|b"
        await exchange.respond(200, compact(payload).replace(old, new))

    return answer


async def plain(exchange: Exchange) -> None:
    """Answer as a server should."""
    await exchange.respond(200, compact(exchange.completion()))


async def until_a_date(exchange: Exchange) -> None:
    """Ask to wait until a second after the server's time; its clock is an hour ahead."""
    now = time.time() + 3600
    dates = {
        "Date": email.utils.formatdate(now, usegmt=True),
        "Retry_After": email.utils.formatdate(now + 1, usegmt=True),
    }
    await exchange.respond(429, b"{}", **dates)


async def error_without_end(exchange: Exchange) -> None:
    """Send an error for ever."""
    await exchange.chunks(500)
    while not exchange.writer.is_closing():
        await exchange.chunk(b"e" * 2**16)


async def error_as_a_bomb(exchange: Exchange) -> None:
    """Send an error that grows."""
    await exchange.respond(500, bomb(), Content_Encoding="gzip")


async def half_an_error(exchange: Exchange) -> None:
    """Send the start of an error."""
    await exchange.respond(400, b'{"error": {"message": "half of', 1000)
    exchange.hang_up()


async def reset(exchange: Exchange) -> None:
    """Break the connection."""
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """Close the connection."""
    exchange.hang_up()


async def half_a_body(exchange: Exchange) -> None:
    """Send half of what was promised."""
    body = compact(exchange.completion())
    await exchange.respond(200, body[: len(body) // 2], len(body))
    exchange.hang_up()


async def half_in_chunks(exchange: Exchange) -> None:
    """Send a chunk and no end."""
    await exchange.chunks(200)
    await exchange.chunk(compact(exchange.completion())[:100])
    exchange.hang_up()


async def no_http(exchange: Exchange) -> None:
    """Speak another protocol."""
    await exchange.send(b"SSH-2.0-OpenSSH_9.9\xff\xfe\r\n\r\n")
    exchange.hang_up()


async def long_headers(exchange: Exchange) -> None:
    """Send a header of a megabyte."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2**20 + b"\r\n\r\n")
    exchange.hang_up()


async def silence(exchange: Exchange) -> None:
    """Wait until the client has gone."""
    await exchange.reader.read()


async def endless(exchange: Exchange) -> None:
    """Send spaces for ever, slowly enough for no limit but that of time."""
    await exchange.chunks(200)
    while not exchange.writer.is_closing():
        await exchange.chunk(b" " * 100)
        await asyncio.sleep(0.01)


async def slow_drip(exchange: Exchange) -> None:
    """Send a completion so slowly that nobody waits for its end."""
    body = compact(exchange.completion())
    await exchange.respond(200, b"", len(body))
    for at in range(len(body)):
        if exchange.writer.is_closing():
            return
        await exchange.send(body[at : at + 1])
        await asyncio.sleep(0.2)


async def in_pieces(exchange: Exchange) -> None:
    """Send a completion in pieces."""
    body = compact(exchange.completion())
    await exchange.respond(200, b"", len(body))
    for at in range(0, len(body), 50):
        await exchange.send(body[at : at + 50])
        await asyncio.sleep(0.01)


async def flood(exchange: Exchange) -> None:
    """Send spaces for ever, as fast as they are taken."""
    await exchange.chunks(200)
    while not exchange.writer.is_closing():
        await exchange.chunk(b" " * 2**18)


async def compressed(exchange: Exchange) -> None:
    """Send a completion as gzip."""
    await exchange.respond(200, gzip.compress(compact(exchange.completion())), Content_Encoding="gzip")


async def half_of_gzip(exchange: Exchange) -> None:
    """Send gzip that ends too early, as a body that does not."""
    body = gzip.compress(compact(exchange.completion()))
    await exchange.respond(200, body[: len(body) // 2], Content_Encoding="gzip")


async def gzip_bomb(exchange: Exchange) -> None:
    """Send little that becomes much."""
    await exchange.respond(200, bomb(), Content_Encoding="gzip")


async def the_key(exchange: Exchange) -> None:
    """Show the request's header in an error."""
    await exchange.respond(400, f"your header: {exchange.authorization}; twice: {exchange.authorization}".encode())


async def half_the_key(exchange: Exchange) -> None:
    """Hang up while showing the key."""
    await exchange.respond(400, f"your header: {exchange.authorization[:-3]}".encode(), 1000)
    exchange.hang_up()


async def the_key_in_text(exchange: Exchange) -> None:
    """Show the request's header in a completion, and all around it."""
    payload = exchange.completion()
    payload["id"] = payload["model"] = exchange.authorization
    payload["choices"][0]["message"]["content"] = f"Your header: {exchange.authorization}"
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in exchange.authorization)
    body = compact(payload).decode().replace(exchange.authorization, escaped)
    await exchange.respond(200, body.encode())


@cache
def bomb() -> bytes:
    """Return gzip that grows a thousandfold."""
    return gzip.compress(b" " * BOMB, 9)


ANSWERS: Mapping[str, Answer] = {
    PLAIN: plain,
    **{str(code): status(code) for code in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)},
    "429 in seconds": status(429, Retry_After="1"),
    "429 as a date": until_a_date,
    "429 for a day": status(429, Retry_After="86400"),
    "429 without quota": status(429, "insufficient_quota"),
    "500 without end": error_without_end,
    "500 as a bomb": error_as_a_bomb,
    "400 in half": half_an_error,
    **{str(code): redirect(code) for code in (301, 302, 303, 307, 308)},
    "certificate": plain,  # its wrong is the listener's
    "reset": reset,
    "hang-up": hang_up,
    "half a body": half_a_body,
    "half in chunks": half_in_chunks,
    "no HTTP": no_http,
    "long headers": long_headers,
    "silence": silence,
    "endless": endless,
    "slow drip": slow_drip,
    "flood": flood,
    "gzip bomb": gzip_bomb,
    "broken gzip": raw(b"not gzip", Content_Encoding="gzip"),
    "half of gzip": half_of_gzip,
    "brotli": raw(b"{}", Content_Encoding="br"),
    "wrong JSON": raw(b'{"choices": [{"message": {"content": "So'),
    "HTML": raw(b"<html><body>a proxy's page</body></html>", Content_Type="text/html"),
    "nothing": raw(b""),
    "a list": raw(b"[1, 2]"),
    "deep JSON": raw(b"[" * 100_000),
    "no choices": changed(lambda payload: payload.pop("choices")),
    "empty choices": changed(lambda payload: payload.update(choices=[])),
    "no message": changed(lambda payload: payload["choices"][0].pop("message")),
    "a number": message(content=7),
    "an error": raw(compact({"error": {"message": "later"}})),
    "503 in 200": raw(compact({"error": {"message": "later", "code": 503}})),
    "the key": the_key,
    "half the key": half_the_key,
    "the key in text": the_key_in_text,
    "compressed": compressed,
    "in pieces": in_pieces,
    "NaN": changed(lambda payload: payload["usage"].update(prompt_tokens=float("nan"))),
    "infinity": changed(lambda payload: payload.update(created=10**30, usage={"completion_tokens": float("inf")})),
    "no usage": changed(lambda payload: payload.pop("usage")),
    "no content": changed(lambda payload: payload["choices"][0]["message"].pop("content")),
    "null content": message(content=None),
    "a refusal": message(content=None, refusal="I can't help with that."),
    "content_filter": finish("content_filter"),
    "length": finish("length"),
    "broken off": finish("error"),
    "one id": plain,
    "another model": changed(lambda payload: payload.update(model="somebody")),
    "10 MB": message(content="x" * HUGE_TEXT),
    "invalid UTF-8": spliced(b"|", b"\xff"),
    "lone surrogates": spliced(b"|", rb"\ud800"),
    "NUL": spliced(b"|", rb"\u0000"),
    "raw NUL": spliced(b"|", b"\0"),
    "escapes": message(content="\x1b]0;owned\x07\x1b[2J"),
}


class Lab:
    """The server's state and routes."""

    def __init__(self) -> None:
        self.script, self.seen, self.elsewhere = Script(), Seen(), ""
        self._tries: Counter[Asked] = Counter()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while not writer.is_closing():
                await self._answer(*await _read_request(reader), reader, writer)
        writer.close()

    async def meet_elsewhere(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection that nobody should make."""
        self.seen.elsewhere += 1
        writer.close()

    async def _answer(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        given = json.loads(body) if body else {}
        exchange = Exchange(reader, writer, given, headers.get("authorization", ""), self.elsewhere)
        if path == "/v1/chat/completions":
            await ANSWERS[self._befalls(exchange)](exchange)
        elif path == "/v1/models":
            await exchange.respond(200, compact({"object": "list", "data": [{"id": "stand-in"}]}))
        elif path == "/control/script":
            self.script, self.seen, self._tries = Script(**given), Seen(), Counter()
            await exchange.respond(200, b"{}")
        elif path == "/control/seen":
            await exchange.respond(200, compact(vars(self.seen)))
        else:
            await exchange.respond(404, b"{}")

    def _befalls(self, exchange: Exchange) -> str:
        asked = (exchange.question, exchange.body["seed"])
        if not SUM.search(exchange.question):
            return PLAIN  # the probe: its replies are no attempts
        self._tries[asked] += 1
        named = NAMED.search(exchange.question)
        case = self.script.draw(asked, self._tries[asked])
        if named:
            case = named[1] if self._tries[asked] == 1 else PLAIN
        self.seen.requests.append((*asked, case, time.monotonic()))
        return case


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return head[0].split()[1], headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def serve(certificate: Path | None) -> None:
    """Serve until the process is ended or its standard input closes; print the port."""
    lab = Lab()
    elsewhere = await asyncio.start_server(lab.meet_elsewhere, "127.0.0.1", 0)
    lab.elsewhere = f"http://127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}"
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = await asyncio.start_server(lab.meet, "127.0.0.1", 0, backlog=1024, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", type=Path, help="speak TLS, with this certificate and its key")
    asyncio.run(serve(parser.parse_args().certificate))
