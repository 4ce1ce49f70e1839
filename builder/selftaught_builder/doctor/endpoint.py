"""The endpoint: whether it answers, what it honours, how fast it is, and how long a text may be.

It is asked for a few tokens: two requests of its own and the probe's five. Where the recipe has us start the server, a local
model is started for the examination; SGLang and a command of the user's own are not.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.doctor.finding import Finding, noting
from selftaught_builder.endpoints.base import Endpoint, Identity, Reply, Request
from selftaught_builder.endpoints.probe import probe
from selftaught_builder.spending.budget import prices_of

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings
    from selftaught_builder.room.room import Room

PART = "endpoint"
_TOKENS = 32
_CONVERTED_HERE = 500_000_000
_MENDS = {
    "auth": "Check the key and its account.",
    "bad_request": "The server refuses what the recipe asks for: check endpoint.extra_body, sample and prompt.style.",
    "rate_limit": "Wait, or lower sample.concurrency.",
    "timeout": "Raise endpoint.timeout, or find out what keeps the server.",
}


def examine_endpoint(room: Room) -> list[Finding]:
    """Ask the room's endpoint and each of its replicas for a few tokens."""
    return [finding for door in room.recipe.endpoint.doors for finding in _examine(door, room)]


def _examine(settings: EndpointSettings, room: Room) -> list[Finding]:
    findings: list[Finding] = []
    with (
        noting(PART, findings),
        tempfile.TemporaryDirectory(prefix="selftaught-") as scratch,
        _reached(settings, room.folder, Path(scratch), findings) as (endpoint, url),
    ):
        if endpoint:
            findings += asyncio.run(_asked(endpoint, settings, room))
        if url:
            findings += _context(settings, room, url)
    return findings


@contextmanager
def _reached(
    settings: EndpointSettings, folder: Path, scratch: Path, findings: list[Finding]
) -> Iterator[tuple[Endpoint | None, str]]:
    """Yield the endpoint, None where nothing is to be asked now, and its base URL where it has one."""
    if settings.kind == "local":
        with _local(settings, folder, scratch, findings) as reached:
            yield reached
        return
    if settings.kind == "sglang" and settings.base_url is None:
        findings.append(_sglang(settings, folder))
        yield None, ""
        return
    from selftaught_builder.serving.standing import Standing

    if settings.kind == "external" and not _answers(settings):
        text = f"nobody answers at {settings.base_url} yet; a run starts `endpoint.external.start`"
        findings.append(Finding(PART, "ok", text))
        yield None, ""
        return
    endpoint = Standing(settings).client()
    yield endpoint, getattr(endpoint, "base_url", "")


@contextmanager
def _local(
    settings: EndpointSettings, folder: Path, scratch: Path, findings: list[Finding]
) -> Iterator[tuple[Endpoint | None, str]]:
    from selftaught_builder.endpoints.openai import OpenAIEndpoint
    from selftaught_builder.serving.local import LlamaServer, resolve_model
    from selftaught_builder.serving.local.checkpoint import read_config

    beside = folder / settings.model
    named = beside if beside.exists() else Path(settings.model)
    if named.is_dir():
        read_config(named)
        if sum(file.stat().st_size for file in named.glob("*.safetensors")) > _CONVERTED_HERE:
            findings.append(
                Finding(PART, "ok", f"{named}: a checkpoint that a run converts and serves; not started now")
            )
            yield None, ""
            return
    model = resolve_model(str(beside) if beside.exists() else settings.model, scratch)
    with LlamaServer(model, slots=settings.slots, context=settings.context) as server:
        served = settings.model_copy(update={"model": model.name})
        client = OpenAIEndpoint(served, base_url=server.base_url, slots=server.slots, weights=model.weights)
        yield client, server.base_url


def _sglang(settings: EndpointSettings, folder: Path) -> Finding:
    from selftaught_builder.common.paths import expand

    given = expand(settings.sglang.python)
    python = next((path for path in (folder / given, given) if path.is_file()), None)
    if python is None:
        mend = "Install SGLang there, or name its interpreter in `endpoint.sglang.python` (docs/serving.md)."
        return Finding(PART, "fail", f"{given}: no interpreter of SGLang here", mend)
    return Finding(PART, "ok", f"a run starts SGLang with {python}; it is not started now")


def _answers(settings: EndpointSettings) -> bool:
    from selftaught_builder.endpoints.address import find_address
    from selftaught_builder.endpoints.control import Control

    return Control(find_address(settings)).ask("models", timeout=5)[0] > 0


async def _asked(endpoint: Endpoint, settings: EndpointSettings, room: Room) -> list[Finding]:
    async with endpoint:
        who = await endpoint.identify()
        findings = [Finding(PART, "ok", f"{who.endpoint} serves {who.model}, weights {who.weights}")]
        first, second = await _ask(endpoint, room, 1), await _ask(endpoint, room, _TOKENS)
        if error := first.error or second.error:
            said = (first.error_text or second.error_text or "").strip()[:300]
            return [
                *findings,
                Finding(PART, "fail", f"{error}: {said}", _MENDS.get(error, "Look at the server's log.")),
            ]
        findings.append(Finding(PART, "ok", _speed(first, second)))
        with noting(PART, findings):
            prices_of(room.recipe.sample.budget, settings, who.prices)
        return [*findings, _honoured(await probe(endpoint), who)]


async def _ask(endpoint: Endpoint, room: Room, tokens: int) -> Reply:
    """Ask as the recipe does, but for `tokens` tokens."""
    parameters = {
        **room.recipe.endpoint.extra_body,
        "temperature": room.recipe.sample.temperature,
        "max_tokens": tokens,
    }
    hello = ({"role": "user", "content": "Count from one to one hundred in words."},)
    return await endpoint.complete(Request(hello, room.recipe.prompt.style, parameters, 1))


def _speed(first: Reply, second: Reply) -> str:
    text = f"first token after about {first.latency * 1000:.0f} ms"
    if second.tokens_out and second.latency:
        return f"{text}, {second.tokens_out / second.latency:.0f} tokens/s for one request alone"
    return f"{text}; the server does not count its tokens"


def _honoured(found: Mapping[str, bool | None], who: Identity) -> Finding:
    said = {True: "honoured", False: "ignored", None: "unclear"}
    text = ", ".join(f"{name} {said[honoured]}" for name, honoured in found.items())
    if found.get("seed") is False:
        mend = "Nothing breaks: the store keeps every text. SGLang: --enable-deterministic-inference."
        return Finding(PART, "warn", f"{text}: the same request does not repeat its text", mend)
    return Finding(PART, "ok", text)


def _context(settings: EndpointSettings, room: Room, url: str) -> list[Finding]:
    """Compare the context length that the server tells, if it does, with what the recipe asks for."""
    from selftaught_builder.endpoints.address import find_address
    from selftaught_builder.endpoints.control import Control

    control = Control(find_address(settings, url))
    length = context_length(control.models(), settings.model)
    if length is None and control.on_this_machine:
        _, props = control.ask("/props")
        defaults = props.get("default_generation_settings") if isinstance(props, dict) else None
        length = _positive(defaults.get("n_ctx")) if isinstance(defaults, dict) else None
    if length is None:
        return [Finding("context", "ok", "the server does not tell its context length")]
    wanted = room.recipe.sample.max_tokens
    if length <= wanted:
        mend = "Lower sample.max_tokens, or serve with a longer context."
        return [Finding("context", "fail", f"{length:,} tokens, and sample.max_tokens alone asks for {wanted:,}", mend)]
    return [Finding("context", "ok", f"{length:,} tokens: {length - wanted:,} for the prompt beside sample.max_tokens")]


def context_length(listing: list[dict[str, Any]], model: str) -> int | None:
    """Return the context length in tokens that a server's list of models tells, None where it tells none.

    vLLM and SGLang say `max_model_len`, others `context_length` or `context_window`.
    """
    rows = [row for row in listing if row["id"] == model] or listing[:1]
    for row in rows:
        for name in ("max_model_len", "context_length", "context_window"):
            if length := _positive(row.get(name)):
                return length
    return None


def _positive(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 2**40 else None
