"""Any provider that litellm knows. Needs the extra: `pip install 'selftaught[litellm]'`.

litellm is imported only here and only when used: it costs nine CPU-seconds. Its price map is read from its own package, not
from the network, and its retries are off, because every try is an attempt row of ours.
"""

from __future__ import annotations

import os
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

import orjson

from selftaught_builder.endpoints.base import Identity, Reply, Request
from selftaught_builder.endpoints.replies import error_class, parse_completion, read_retry_after
from selftaught_builder.errors import EndpointError
from selftaught_builder.keys import UNKNOWN_WEIGHTS
from selftaught_builder.recipe import Prices

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings

# Releases that carried a credential stealer, or were withdrawn.
BAD_RELEASES = ("1.82.7", "1.82.8", "1.107.")
LITELLM_ERRORS = {"Timeout": "timeout", "APIConnectionError": "connection", "RateLimitError": "rate_limit"}


class LiteLLMEndpoint:
    """A provider behind litellm; the model is named as litellm names it (`anthropic/…`, `gemini/…`).

    Raises:
        EndpointError: litellm is not installed, or is a release that must not run.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings, self.slots = settings, 32
        self._litellm = _import_litellm()
        self._key = os.environ.get(settings.api_key_env, "").strip()

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
                mend="Check endpoint.model and the provider's API key variable.",
            )
        where = self.settings.base_url or "litellm"
        return Identity(where, self.settings.model, UNKNOWN_WEIGHTS)

    async def complete(self, request: Request) -> Reply:
        """Ask for one sample; whatever happens is in the reply."""
        started = time.perf_counter()
        try:
            response = await self._send(request)
            reply = parse_completion(orjson.dumps(response.model_dump(mode="json")))
            if reply.error is None:
                reply.cost, reply.price_source = self._cost(response)
        except Exception as error:  # litellm raises its own, the providers' and transport errors
            reply = self._failed(error)
        reply.latency = time.perf_counter() - started
        return reply

    async def _send(self, request: Request) -> Any:
        shared = {
            "model": self.settings.model,
            "api_base": self.settings.base_url,
            # Without a variable of its own litellm finds the provider's: OpenAI's key is not for the others.
            "api_key": (self.settings.names_a_key and self._key) or None,
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

    def _failed(self, error: Exception) -> Reply:
        status = getattr(error, "status_code", None)
        kind = LITELLM_ERRORS.get(type(error).__name__)
        if kind is None:
            kind = error_class(status) if isinstance(status, int) and status != 200 else "connection"
        text = f"{type(error).__name__}: {error}"
        if self._key:
            text = text.replace(self._key, "[key]")
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return Reply(error=kind, error_text=text[:2000], retry_after=read_retry_after(headers))


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
    return litellm
