"""`endpoint`: who answers."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, field_validator, model_validator

from selftaught_builder.recipe.section import Count, Section

RESERVED = frozenset({"model", "messages", "prompt", "seed", "n", "stream", "api_key", "api_base", "base_url"})
"""Keys of a request that have their own place, or would make one reply of several; none may come by `extra_body`."""


class Prices(Section):
    """What the endpoint charges, in US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)]
    """Price of prompt tokens."""
    output: Annotated[float, Field(ge=0)]
    """Price of generated tokens, reasoning included."""
    cached: Annotated[float, Field(ge=0)] | None = None
    """Price of cached prompt tokens; the input price where absent."""


class SGLangSettings(Section):
    """How SGLang is started, in an environment of its own, and how each round's weights come into it."""

    python: str = ".venv-sglang/bin/python"
    """The interpreter of SGLang's environment, from the room's folder or from the working directory."""
    args: dict[str, Any] = {}
    """Arguments of `sglang.launch_server` in SGLang's own names: {tp_size: 2, mem_fraction_static: 0.85}. They are checked
    against the SGLang that is installed there; model, served name, version and keys are not for them to say."""
    swap: Literal["restart", "update_weights", "adapter"] = "restart"
    """How a round's weights come in: by starting the server anew, by /update_weights_from_disk, or, for unmerged LoRA adapters,
    by /load_lora_adapter. A server found running at `base_url` is not ours to restart: there `restart` updates weights."""
    startup: Annotated[float, Field(gt=0)] = 1800.0
    """Seconds that loading a model may take."""

    @field_validator("args")
    @classmethod
    def _ours_stay_ours(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name in arguments:
            key = name.lstrip("-").replace("-", "_")
            if key in ("api_key", "admin_api_key"):
                raise ValueError(
                    f"`{name}`: a key never stands in a recipe; start the server yourself and name its `base_url`"
                )
            if key in ("model", "model_path", "served_model_name", "weight_version"):
                raise ValueError(f"`{name}` is said by the builder, which serves another checkpoint each round")
            if key == "port" and not (type(arguments[name]) is int and 0 <= arguments[name] <= 65535):
                raise ValueError(f"`{name}` is no port: {arguments[name]!r}")
        return arguments


class ExternalSettings(Section):
    """A server that the user's own command brings up: a script for Slurm, Kubernetes or a cloud."""

    start: Annotated[list[str], Field(min_length=1)]
    """The command and its arguments, run in the room's folder without a shell. It finds the checkpoint's folder or model id in
    $SELFTAUGHT_MODEL, the name to serve it under in $SELFTAUGHT_SERVED_NAME and the address in $SELFTAUGHT_BASE_URL. It may
    stay, and is then ended with its process group, or return and leave a server behind."""
    stop: list[str] | None = None
    """A command, run in the same way, that takes down what `start` left behind: before the next model, and at the end."""
    startup: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds until the model has to answer at `base_url`."""


class EndpointSettings(Section):
    """Which model answers, and where."""

    kind: Literal["local", "openai", "litellm", "sglang", "external"] = "local"
    """`local`: a model served on this machine by us; `openai`: any OpenAI-compatible server; `litellm`: any provider
    litellm knows; `sglang`: SGLang, started by us or running at `base_url`; `external`: a server that your own command
    brings up."""
    model: str = "smollm2-135m-instruct"
    """The model's id; for `local` also a GGUF file or a folder with a Llama-family checkpoint."""
    base_url: str | None = None
    """For `openai` and `external`: the server, such as http://127.0.0.1:30000/v1. OPENAI_BASE_URL and then OpenAI's own where
    absent. For `sglang`: a server that runs already; its weights are then swapped."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the API key. The key itself never stands in a recipe."""
    timeout: Annotated[float, Field(gt=0, le=86400)] = 600.0
    """Seconds one request may take."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """Tries after the first for rate limits, server errors, timeouts and broken connections."""
    prices: Prices | None = None
    slots: Count | None = None
    """For `local`: requests served at once; 8 for a model of 100 M parameters and more, 32 for a tiny one, where absent."""
    context: Count = 2048
    """For `local`: tokens of context per slot."""
    sglang: SGLangSettings = SGLangSettings()
    external: ExternalSettings | None = None
    extra_body: dict[str, Any] = {}
    """Further keys for each request's body, such as {"top_k": 20}; they are part of the attempt's key."""

    @field_validator("extra_body")
    @classmethod
    def _is_json_and_ours_stay_ours(cls, body: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(RESERVED.intersection(body))
        if taken:
            raise ValueError(f"`{taken[0]}` is not for a recipe's extra_body to say")
        try:
            text = json.dumps(body, allow_nan=False)  # makes text of keys: {50256: -100} is {"50256": -100}
            orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)  # refuses integers over 64 bits
        except (TypeError, ValueError) as error:
            raise ValueError(f"is no JSON: {error}") from None
        return json.loads(text)

    @property
    def names_a_key(self) -> bool:
        """Whether the recipe names a key variable of its own; the default is meant for OpenAI's servers alone."""
        return self.api_key_env != type(self).model_fields["api_key_env"].default

    @model_validator(mode="after")
    def _external_has_a_command(self) -> EndpointSettings:
        if self.kind == "external" and (self.external is None or self.base_url is None):
            raise ValueError(
                "kind `external` needs `external.start`, the command, and `base_url`, where the model will answer"
            )
        return self
