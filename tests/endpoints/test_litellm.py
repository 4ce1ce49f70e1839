"""The litellm endpoint, through the real litellm where it is installed (`just test-litellm`)."""

from __future__ import annotations

import asyncio
import http.server
import importlib.util
import threading
from collections.abc import Iterator
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from faults.cases import BY_NAME
from faults.labs import RunningLab, running_lab
from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints import ERRORS, Reply
from selftaught_builder.endpoints.base import Request
from selftaught_builder.endpoints.litellm import LiteLLMEndpoint
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT, NAME_LIMIT
from selftaught_builder.recipe import EndpointSettings, Prices

needs_litellm = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="litellm is not installed here: `just test-litellm` runs this"
)
KEY = "sk-canary-0123456789"
OTHER = "ak-canary-9876543210"
ASK = Request(({"role": "user", "content": "What is 2 + 3?"},), "chat", {"temperature": 0.5, "max_tokens": 20}, 7)


def settings(server: Any, **changes: Any) -> EndpointSettings:
    return EndpointSettings(
        kind="litellm", model="openai/stand-in", base_url=server.url, api_key_env="TEST_LITELLM_KEY", **changes
    )


def ask(settings: EndpointSettings, request: Request = ASK) -> Any:
    async def run() -> Any:
        async with LiteLLMEndpoint(settings) as endpoint:
            return await endpoint.complete(request)

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_LITELLM_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", OTHER)  # litellm would find it by itself


@pytest.mark.skipif(importlib.util.find_spec("litellm") is not None, reason="litellm is installed here")
def test_without_litellm_the_mend_is_named() -> None:
    with pytest.raises(EndpointError, match=r"pip install 'selftaught\[litellm\]'"):
        LiteLLMEndpoint(EndpointSettings(kind="litellm", model="openai/x"))


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0", "1.107.3"])
def test_a_compromised_release_is_refused_before_it_is_imported(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(EndpointError, match="compromised"):
        LiteLLMEndpoint(EndpointSettings(kind="litellm", model="openai/x"))


@needs_litellm
def test_a_completion_arrives_with_its_usage(openai_server: Any) -> None:
    reply = ask(settings(openai_server))
    assert reply.error is None, reply.error_text
    assert reply.completion
    assert reply.finish_reason == "stop"
    assert reply.tokens_in
    assert reply.tokens_out
    assert (reply.cost, reply.price_source) == (None, None)  # a private model has no price: unknown, not zero


@needs_litellm
def test_prices_of_the_recipe_are_used(openai_server: Any) -> None:
    reply = ask(settings(openai_server, prices=Prices(input=1.0, output=2.0)))
    assert reply.cost == pytest.approx((reply.tokens_in + 2 * reply.tokens_out) / 1e6)
    assert reply.price_source == "recipe"


@needs_litellm
def test_the_seed_reaches_the_server(openai_server: Any) -> None:
    first, again = ask(settings(openai_server)), ask(settings(openai_server))
    other = ask(settings(openai_server), Request(ASK.messages, ASK.style, ASK.parameters, 8))
    assert first.completion == again.completion
    assert first.completion != other.completion


def stand_in(monkeypatch: pytest.MonkeyPatch, does: Any) -> None:
    """Put something in litellm's place that does this when it is asked."""

    class Litellm:
        async def acompletion(self, **arguments: Any) -> Any:
            return does(**arguments)

        async def close_litellm_async_clients(self) -> None: ...

    monkeypatch.setattr("selftaught_builder.endpoints.litellm._import_litellm", Litellm)


def bounded(reply: Reply) -> None:
    """It is a reply as of any endpoint: of a known class, short but for the model's text, and without any key."""
    held = {name: getattr(reply, name) for name in Reply.__slots__}
    assert orjson.loads(orjson.dumps(held)) == held
    assert reply.error is None or reply.error in ERRORS
    assert len(reply.error_text or "") <= ERROR_TEXT_LIMIT
    names = (reply.finish_reason, reply.model, reply.provider.get("id"), reply.provider.get("system_fingerprint"))
    assert max(len(name or "") for name in names) <= NAME_LIMIT
    for key in (KEY, OTHER, KEY[:9], OTHER[:9]):
        assert key not in str(held)


LONG = "x" * (NAME_LIMIT - 10) + KEY + "x" * 10**6
CHOICE = {"message": {"content": f"So 5, {KEY} {OTHER}."}, "finish_reason": LONG}
PAYLOADS: dict[str, tuple[Any, str | None]] = {
    "names": ({"choices": [CHOICE], "model": LONG, "id": LONG, "system_fingerprint": LONG}, None),
    "lone surrogate": ({"choices": [{"message": {"content": "a\ud800b"}}]}, None),
    "not a number": ({"choices": [CHOICE], "usage": {"prompt_tokens": float("nan")}, "created": float("inf")}, None),
    "no JSON": ({"choices": [CHOICE], "id": object(), "model": {1, 2}}, None),
    "a number for a text": ({"choices": [{"message": {"content": 5}}], "model": 5}, "malformed"),
    "no choices": ({"choices": None, "detail": KEY}, "malformed"),
    "a list": ([KEY], "malformed"),
    "nothing": (None, "malformed"),
    "too much": ({"choices": [{"message": {"content": "x" * 2**24}}]}, "too_large"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_litellm_returns_is_read_as_any_body_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    payload, error = PAYLOADS[name]
    stand_in(monkeypatch, lambda **_: SimpleNamespace(model_dump=lambda: payload))
    reply = ask(EndpointSettings(kind="litellm", model="anthropic/x", api_key_env="TEST_LITELLM_KEY"))
    bounded(reply)
    assert reply.error == error, reply.error_text
    if name == "names":
        assert reply.completion == "So 5, [key] [key]."


@pytest.mark.parametrize("returned", [None, 5, "text", SimpleNamespace()])
def test_what_is_no_response_is_a_reply_too(monkeypatch: pytest.MonkeyPatch, returned: Any) -> None:
    stand_in(monkeypatch, lambda **_: returned)
    reply = ask(EndpointSettings(kind="litellm", model="anthropic/x"))
    bounded(reply)
    assert reply.error == "malformed"


@pytest.mark.parametrize("before", [0, ERROR_TEXT_LIMIT - 50, ERROR_TEXT_LIMIT - 30, ERROR_TEXT_LIMIT])
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, "auth"), (429, "rate_limit"), (503, "server"), (None, "connection"), ("x", "connection")],
)
def test_what_litellm_raises_is_read_as_any_status_is(
    monkeypatch: pytest.MonkeyPatch, status: Any, error: str, before: int
) -> None:
    def acompletion(**_: Any) -> None:
        error = Exception("x" * before + f"{OTHER} {KEY} \ud800" + "y" * 10**6)
        error.__dict__.update(status_code=status, litellm_response_headers={"retry-after": "7"})
        raise error

    stand_in(monkeypatch, acompletion)
    reply = ask(EndpointSettings(kind="litellm", model="anthropic/x", api_key_env="TEST_LITELLM_KEY"))
    bounded(reply)
    assert reply.error == error
    assert reply.retry_after == (7.0 if isinstance(status, int) else None)


def test_an_address_with_a_password_in_it_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, lambda **_: None)
    with pytest.raises(EndpointError, match="holds a credential") as raised:
        LiteLLMEndpoint(EndpointSettings(kind="litellm", model="x/y", base_url=f"http://me:{KEY}@127.0.0.1:9/v1"))
    assert KEY not in str(raised.value)


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab() as running:
        yield running


# litellm itself takes what its clients cannot read for an error of the server.
LAB = {"server": "server", "malformed": "server", "connection": "server"}


@needs_litellm
@pytest.mark.parametrize(
    "name",
    ["400", "401", "402", "404", "429 in seconds", "429 as a date", "429 without quota", "503", "500 without end", "307",
     "302", "reset", "half a body", "broken gzip", "wrong JSON", "HTML", "503 in 200", "silence", "the key", "half the key",
     "the key in text", "lone surrogates", "NUL", "10 MB", "null content", "length"],
)  # fmt: skip
def test_faults_behind_litellm_are_the_rows_that_they_are_elsewhere(lab: RunningLab, name: str) -> None:
    case = BY_NAME[name]
    lab.script()
    question = ({"role": "user", "content": f"[{name}] How much is 1 + 7?"},)
    given = EndpointSettings(
        kind="litellm", model="openai/m", base_url=lab.url, api_key_env="TEST_LITELLM_KEY", timeout=1
    )
    reply = ask(given, Request(question, "chat", {"max_tokens": 20}, 7))
    if not case.columns.get("completion"):
        bounded(reply)
    assert KEY not in f"{reply}"
    expected = {"500 without end": "timeout", "half the key": "server"}.get(name, LAB.get(case.error or "", case.error))
    assert reply.error == expected, reply.error_text
    asked = case.columns.get("provider", {})
    assert reply.retry_after == (asked.get("retry_after") if isinstance(asked, dict) else None)
    assert lab.seen()["elsewhere"] == 0


@needs_litellm
@pytest.mark.parametrize("model", ["openai/m", "anthropic/m", "gemini/m"])
def test_no_provider_takes_the_key_to_where_a_redirect_points(other_server: Any, model: str) -> None:
    class Redirect(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(307)
            self.send_header("Location", f"{other_server.url}/chat/completions")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        given = EndpointSettings(kind="litellm", model=model, base_url=url, api_key_env="TEST_LITELLM_KEY", timeout=10)
        assert ask(given).error in ("redirect", "connection", "server")
        server.shutdown()
    assert other_server.stats()["requests"] == 0


@pytest.mark.parametrize(("variable", "sent"), [("OPENAI_API_KEY", None), ("TEST_LITELLM_KEY", KEY)])
def test_openais_key_is_sent_to_no_other_provider(
    variable: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def acompletion(**arguments: Any) -> None:
        seen.update(arguments)
        raise ConnectionError("asked")

    stand_in(monkeypatch, acompletion)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-canary")
    ask(EndpointSettings(kind="litellm", model="anthropic/x", api_key_env=variable))
    assert seen["api_key"] == sent


@needs_litellm
def test_an_unreachable_server_is_a_reply_without_the_key() -> None:
    gone = EndpointSettings(
        kind="litellm", model="openai/x", base_url="http://127.0.0.1:9/v1", api_key_env="TEST_LITELLM_KEY"
    )
    reply = ask(gone)
    assert reply.error in ("connection", "server")
    assert "sk-canary" not in (reply.error_text or "")
