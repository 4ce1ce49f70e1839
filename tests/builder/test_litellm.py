"""The litellm endpoint, through the real litellm where it is installed (`just test-litellm`)."""

from __future__ import annotations

import asyncio
import importlib.util
from importlib import metadata
from typing import Any

import pytest

from selftaught_builder.endpoints.base import Request
from selftaught_builder.endpoints.litellm import LiteLLMEndpoint
from selftaught_builder.errors import EndpointError
from selftaught_builder.recipe import EndpointSettings, Prices

needs_litellm = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="litellm is not installed here: `just test-litellm` runs this"
)
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
    monkeypatch.setenv("TEST_LITELLM_KEY", "sk-canary-0123456789")


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


@pytest.mark.parametrize(("variable", "sent"), [("OPENAI_API_KEY", None), ("TEST_LITELLM_KEY", "sk-canary-0123456789")])
def test_openais_key_is_sent_to_no_other_provider(
    variable: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    class Litellm:
        async def acompletion(self, **arguments: Any) -> None:
            seen.update(arguments)
            raise ConnectionError("asked")

        async def close_litellm_async_clients(self) -> None: ...

    monkeypatch.setattr("selftaught_builder.endpoints.litellm._import_litellm", Litellm)
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
