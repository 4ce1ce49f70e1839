"""A stand-in for an OpenAI-compatible server: deterministic, and as faulty as a test wants it.

It runs as a process of its own (`python openai_server.py --port 0`), prints the port it got, and takes its orders at
`/control/config`. A completion is a function of the prompt and the seed, so that two runs get equal bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

ARITHMETIC = re.compile(r"(\d+) ([-+*]) (\d+)")
HINT = re.compile(r"\((-?[\d.,]+)\)$")
HUGE = 17 * 2**20


@dataclass
class Config:
    """What `/control/config` sets; what a request leaves out goes back to its default.

    Attributes:
        latency: seconds before a reply; each seed waits between half and one and a half of it.
        most: requests at once; those above it are answered 429 at once.
        models: ids that /models lists; None answers 404 there.
        models_faults: what goes wrong with the first requests there, one after the other: {"status": N, "retry_after": S},
            {"kind": "reset"}, {"kind": "hang"} or {"kind": "raw", "body": TEXT}.
        pricing: what /models lists as the price of each.
        api_key: the bearer token required, if any.
        right, right_hinted: share of seeds that get a right answer, without and with the answer in the prompt.
        answers: question text to answer; sums such as `3 + 4` are answered without it.
        says: [pattern, reply]: the first pattern found in the whole prompt decides the reply, a replacement template such as
            `The answer is \\3.`; {seed} in it stands for the request's seed.
        faults: what goes wrong, first match wins: {"kind": ..., "every": N} each Nth request, {"first": N} the first N
            requests of each body, {"after": N} all requests from the Nth on, {"before": N} all up to it, else always.
        extra: JSON bodies for other GET paths, such as {"/props": {...}}.
    """

    latency: float = 0.0
    most: int | None = None
    models: list[str] | None = field(default_factory=lambda: ["stand-in"])
    models_faults: list[dict[str, Any]] = field(default_factory=list)
    pricing: dict[str, Any] | None = None
    api_key: str | None = None
    right: float = 0.5
    right_hinted: float = 0.9
    answers: dict[str, str] = field(default_factory=dict)
    says: list[list[str]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Seen:
    """What `/control/stats` tells of the requests for completions since the last configuration.

    `in_flight_sum` adds up how many there were at once as each came; `listings` counts the requests for /models.
    """

    requests: int = 0
    listings: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    in_flight_sum: int = 0
    refused: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    authorizations: Counter[str] = field(default_factory=Counter)


class StandIn:
    """The server's state and handlers.

    Args:
        log: a file that gets one line, the seed, for each request before it is answered.
    """

    def __init__(self, log: Path) -> None:
        self.config, self.seen = Config(), Seen()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_post("/v1/completions", self.complete)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/control/config", self.configure)
        app.router.add_get("/control/stats", self.stats)
        app.router.add_get("/{path:.*}", self.other)
        return app

    async def configure(self, request: web.Request) -> web.Response:
        """Take a whole new configuration and forget what was seen."""
        self.config, self.seen = Config(**await request.json()), Seen()
        return web.json_response(vars(self.config))

    async def stats(self, request: web.Request) -> web.Response:
        """Say what was seen."""
        return web.json_response(vars(self.seen))

    async def models(self, request: web.Request) -> web.StreamResponse:
        """List the models."""
        self.seen.listings += 1
        if self.seen.listings <= len(self.config.models_faults):
            return await self._answer(
                request, {}, {"kind": "status", **self.config.models_faults[self.seen.listings - 1]}
            )
        if not self._allowed(request):
            return _error(401, f"Incorrect API key provided: {request.headers.get('Authorization', '')}")
        if self.config.models is None:
            return _error(404, "no such route")
        more = {"pricing": self.config.pricing} if self.config.pricing else {}
        return web.json_response({"object": "list", "data": [{"id": name, **more} for name in self.config.models]})

    async def other(self, request: web.Request) -> web.Response:
        """Serve what the configuration adds."""
        found = self.config.extra.get(request.path)
        return _error(404, "no such route") if found is None else web.json_response(found)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer one request for a completion, in the way the configuration says."""
        raw = await request.read()
        body = json.loads(raw)
        seed = body.get("seed") or 0
        os.write(self._log, b"%d\n" % seed)
        digest = hashlib.blake2b(raw, digest_size=8).hexdigest()
        seen = self.seen
        seen.requests += 1
        seen.bodies[digest] += 1
        seen.authorizations[request.headers.get("Authorization", "")] += 1
        seen.in_flight += 1
        seen.in_flight_max = max(seen.in_flight_max, seen.in_flight)
        seen.in_flight_sum += seen.in_flight
        try:
            if self.config.most is not None and seen.in_flight > self.config.most:
                seen.refused += 1
                return _error(429, "too many at once")
            fault = self._fault(seen.requests, seen.bodies[digest])
            if self.config.latency:
                await asyncio.sleep(self.config.latency * (0.5 + _share(str(seed))))
            if not self._allowed(request):
                return _error(401, f"Incorrect API key provided: {request.headers.get('Authorization', '')}")
            return await self._answer(request, body, fault)
        finally:
            seen.in_flight -= 1

    def _allowed(self, request: web.Request) -> bool:
        key = self.config.api_key
        return key is None or request.headers.get("Authorization") == f"Bearer {key}"

    def _fault(self, number: int, of_this_body: int) -> dict[str, Any]:
        for fault in self.config.faults:
            if (
                number % fault.get("every", 1) == 0
                and of_this_body <= fault.get("first", 10**9)
                and fault.get("after", 0) < number <= fault.get("before", 10**9)
            ):
                return fault
        return {"kind": "none"}

    async def _answer(self, request: web.Request, body: dict[str, Any], fault: dict[str, Any]) -> web.StreamResponse:
        match fault["kind"]:
            case "status":
                headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
                return _error(fault["status"], fault.get("text", "out of order"), headers)
            case "redirect":
                return web.Response(status=307, headers={"Location": fault["to"]})
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                request.transport.abort()
                return web.Response()
            case "half":
                return await _half(request, _compact(self._completion(body)))
            case "raw":
                return web.Response(body=fault["body"].encode(), content_type=fault.get("type", "application/json"))
            case "huge":
                return web.Response(body=b" " * HUGE, content_type="application/json")
        completion = self._completion(body)
        choice = completion["choices"][0]
        if "message" in choice:
            choice["message"].update(fault.get("message", {}))
        choice.update(fault.get("choice", {}))
        completion.update(fault.get("payload", {}))
        return web.json_response(completion)

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of a right or wrong completion."""
        seed, chat = body.get("seed") or 0, "messages" in body
        asked = body["messages"][-1]["content"] if chat else body["prompt"]
        whole = "\n".join(message["content"] for message in body["messages"]) if chat else asked
        text = self._scripted(whole, seed) or self._text(asked, seed)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        words = len(text.split())
        return {
            "id": f"cmpl-{seed}",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice] * int(body.get("n") or 1),
            "usage": {"prompt_tokens": len(asked.split()), "completion_tokens": words, "total_tokens": words},
        }

    def _scripted(self, prompt: str, seed: int) -> str | None:
        for pattern, reply in self.config.says:
            if found := re.search(pattern, prompt, re.DOTALL):
                return found.expand(reply).replace("{seed}", str(seed))
        return None

    def _text(self, asked: str, seed: int) -> str:
        asked = asked.strip()
        hint = HINT.search(asked)
        question = asked[: hint.start()].strip() if hint else asked
        luck = _share(f"{question}\0{seed}")
        answer = hint[1].replace(",", "") if hint else self.config.answers.get(question) or _sum(question)
        if answer is None or luck > (self.config.right_hinted if hint else self.config.right):
            answer = str(int(luck * 1e6))
        return f"Attempt {seed:x} looks at the numbers step by step. The answer is {answer}."


def _compact(payload: dict[str, Any]) -> bytes:
    """Return compact JSON."""
    return json.dumps(payload, separators=(",", ":")).encode()


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Promise a whole body, send half of it, and hang up."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    request.transport.close()
    return response


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": text}}, status=status, headers=headers)


def _share(text: str) -> float:
    """Return a number in [0, 1) that `text` decides."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


def _sum(question: str) -> str | None:
    found = ARITHMETIC.search(question)
    if not found:
        return None
    a, b = int(found[1]), int(found[3])
    return str({"+": a + b, "-": a - b, "*": a * b}[found[2]])


async def serve(port: int, log: Path) -> None:
    """Serve until the process is ended or its standard input closes, so that it never outlives the tests."""
    runner = web.AppRunner(StandIn(log).application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.log))
