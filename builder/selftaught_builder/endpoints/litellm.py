"""Any provider that litellm knows. Needs the extra: `pip install 'selftaught[litellm]'`.

litellm is imported only here and only when used: it costs nine CPU-seconds. Its price map is read from its own package, not
from the network, and its retries are off, because every try is an attempt row of ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import warnings
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.common.secrets import keys_in
from selftaught_builder.endpoints.address import split_url
from selftaught_builder.endpoints.api_key import key_of, key_place
from selftaught_builder.endpoints.base import Identity, Reply, Request
from selftaught_builder.endpoints.bodies import BODY_LIMIT
from selftaught_builder.endpoints.replies import Received, read_reply
from selftaught_builder.recipe import Prices

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings

# Releases that carried a credential stealer, or were withdrawn.
BAD_RELEASES = ("1.82.7", "1.82.8", "1.107.")
LITELLM_ERRORS = {"Timeout": "timeout", "APIConnectionError": "connection"}
"""Whose HTTP status says something else."""


class LiteLLMEndpoint:
    """A provider behind litellm; the model is named as litellm names it (`anthropic/…`, `gemini/…`).

    Raises:
        EndpointError: litellm is not installed, or is a release that must not run; or a base URL or key that cannot be used.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings, self.slots = settings, 32
        if settings.base_url is not None:
            split_url(settings.base_url, key_place(settings))
        self._litellm = _import_litellm()
        # Without a key of its own litellm finds the provider's: OpenAI's is not for the others. Which one it takes is
        # its own business, so that none of them is to be seen in what comes back.
        self._key = key_of(settings) if settings.names_a_key else ""
        self._secrets = tuple({*filter(None, [self._key]), *keys_in(os.environ)})

    async def __aenter__(self) -> LiteLLMEndpoint:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._litellm.close_litellm_async_clients()

    async def identify(self) -> Identity:
        """Check by a first request that key and model are accepted, and say who answers."""
        hello = Request(({"role": "user", "content": "Say hello."},), "chat", {"max_tokens": 4}, 1)
        reply = await self.complete(hello)
        if reply.error in ("auth", "bad_request", "connection"):
            raise EndpointError(
                f"`{self.settings.model}`: {(reply.error_text or '')[:300]}",
                place="litellm",
                mend="Check endpoint.model, and the provider's API key in its variable or where the recipe says.",
            )
        where = self.settings.base_url or "litellm"
        return Identity(where, self.settings.model, UNKNOWN_WEIGHTS)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.timeout):  # the providers' clients bound the time to the next byte
                response = await self._send(request)
        except TimeoutError:
            late = f"no whole reply within {self.settings.timeout:g} s".encode()
            reply = read_reply(Received(late, error="timeout"))
        except Exception as error:  # litellm raises its own, the providers' and transport errors
            reply = read_reply(_failure(error), *self._secrets)
        else:
            reply = read_reply(_received(response), *self._secrets)
            if reply.error is None:
                cost, source = self._cost(response)
                if source:  # else what the reply says itself
                    reply.cost, reply.price_source = cost, source
        reply.latency = time.perf_counter() - started
        return reply

    async def _send(self, request: Request) -> Any:
        shared = {
            "model": self.settings.model,
            "api_base": self.settings.base_url,
            "api_key": self._key or None,
            "timeout": self.settings.timeout,
            "num_retries": 0,
            "max_retries": 0,
            "seed": request.seed,
            "drop_params": True,  # providers without a seed refuse the request otherwise
            **request.parameters,
        }
        if request.style == "chat":
            return await self._litellm.acompletion(messages=list(request.messages), **shared)
        return await self._litellm.atext_completion(prompt=request.messages[0]["content"], **shared)

    def _cost(self, response: Any) -> tuple[float | None, str | None]:
        prices = self.settings.prices
        known = {}
        if prices:
            known = {
                "custom_cost_per_token": {
                    "input_cost_per_token": prices.input / 1e6,
                    "output_cost_per_token": prices.output / 1e6,
                }
            }
        try:
            cost = self._litellm.completion_cost(response, model=self.settings.model, **known)
        except Exception:
            return None, None  # a model that litellm has no price for: unknown, never zero
        return cost, "recipe" if prices else "litellm"


def _received(response: Any) -> Received:
    """Return what litellm made of a response as the body that a server would have sent."""
    try:
        raw = json.dumps(response.model_dump(), default=str).encode()
    except Exception as error:  # what it made may be of any kind
        return Received(_said(error), error="malformed")
    if len(raw) > BODY_LIMIT:
        return Received(f"the reply is over {BODY_LIMIT} bytes".encode(), error="too_large")
    return Received(raw)


def _failure(error: Exception) -> Received:
    """Return what litellm raised as the response that it stands for."""
    status, headers = getattr(error, "status_code", None), getattr(error, "litellm_response_headers", None)
    if type(error).__name__ not in LITELLM_ERRORS and isinstance(status, int) and 300 <= status < 1000:
        headers = headers if isinstance(headers, Mapping) else {}
        return Received(_said(error), status, {str(name).title(): str(value) for name, value in headers.items()})
    return Received(_said(error), error=LITELLM_ERRORS.get(type(error).__name__, "connection"))


def _said(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}".encode(errors="replace")


def mapped_prices(model: str) -> Prices | None:
    """Return what litellm's price map says of a model; None where it does not know it, or not by the token."""
    try:
        found = _import_litellm().get_model_info(model)
    except EndpointError:
        raise
    except Exception:  # it raises a bare one for a model that it does not know
        return None
    each = [found.get(f"{side}_cost_per_token") for side in ("input", "output")]
    if not all(
        isinstance(price, int | float) and price > 0 for price in each
    ):  # 0 stands for models without a price, too
        return None
    return Prices(input=each[0] * 1e6, output=each[1] * 1e6)


def _import_litellm() -> Any:
    try:
        version = metadata.version("litellm")
    except metadata.PackageNotFoundError:
        raise EndpointError(
            "litellm is not installed", place="endpoint.kind", mend="Run `pip install 'selftaught[litellm]'`."
        ) from None
    if version.startswith(BAD_RELEASES):
        raise EndpointError(
            f"litellm {version} is a compromised release",
            place="endpoint.kind",
            mend="Remove it, change your credentials, and install another release.",
        )
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)  # they quote what a server sent
    for name in ("httpx", "httpx2"):  # the providers' clients are built on one of these
        if name in sys.modules:
            _refuse_redirects(sys.modules[name].AsyncClient)
    return litellm


def _refuse_redirects(client: Any) -> None:
    """Let a class of clients follow no redirect: it takes `Authorization` off for another host, and no `x-api-key`."""
    send = client.send

    async def send_unredirected(self: Any, request: Any, **options: Any) -> Any:
        return await send(self, request, **{**options, "follow_redirects": False})

    if send.__name__ != send_unredirected.__name__:  # else that is done
        client.send = send_unredirected
