"""`endpoint`: who answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, PrivateAttr, field_validator, model_validator

from selftaught_builder.recipe.section import Count, Section

RESERVED = frozenset(
    {
        *(
            "model",
            "messages",
            "prompt",
            "seed",
            "n",
            "stream",
            "api_key",
            "api_base",
            "base_url",
            "headers",
            "extra_headers",
        ),
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "azure_ad_token", "client_secret"),
        "vertex_credentials",
    }
)
"""Keys of a request that have their own place, would make one reply of several, or hold a key of a provider's, which is never
stored; none may come by `extra_body`."""

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable. Most keys have a dash, and do not pass for one."""
_TWO_KEYS = "give `api_key_env` or `api_key_file`, not both"


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
    environment: list[Variable] = []
    """Environment variables to pass to it although their names say that they hold a key. HF_TOKEN is passed without being
    listed where the model is no folder; everything that looks like no key is passed anyway."""

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
    environment: list[Variable] = []
    """Environment variables to pass to both commands although their names say that they hold a key (…_KEY, …_TOKEN,
    …SECRET…, …PASSWORD…). The one that `api_key_env` names is passed without being listed; everything that looks like
    no key is passed anyway."""


Share = Annotated[float, Field(ge=0)]


def _provider(kind: str, model: str) -> tuple[str, str]:
    """Whom an address and a key are meant for; litellm names the provider before the model."""
    return kind, model.partition("/")[0] if kind == "litellm" else ""


class Replica(Section):
    """Another door to the same model: a further server, or another provider. What is absent is as in `endpoint`.

    Of another `kind`, or another provider of litellm's, `base_url` and key are its own: a key is sent to no other provider.
    It must serve the same weights. Where servers say which they serve, others are refused; where nobody tells, listing a
    replica is the promise that it is the same model.
    """

    kind: Literal["openai", "litellm", "sglang"] | None = None
    """`openai`, `litellm`, or `sglang` running at `base_url`."""
    model: str | None = None
    """The model's name there; attempts are recorded under `endpoint.model` all the same."""
    base_url: str | None = None
    """The server, such as http://10.0.0.2:30000/v1."""
    api_key_env: Variable | None = None
    """The environment variable that holds its API key."""
    api_key_file: str | None = None
    """Instead of a variable: the file that holds it."""
    timeout: Annotated[float, Field(gt=0, le=86400)] | None = None
    """Seconds one request may take."""
    prices: Prices | None = None
    """What it charges; the endpoint's where neither `kind`, `model` nor the key is its own, else unknown."""
    share: Share | None = None
    """Its share of the requests, see `endpoint.share`."""
    concurrency: Count | Literal["auto"] | None = None
    """Requests in flight at once here; `sample.concurrency` where absent."""
    requests_per_minute: Count | None = None
    """Of this replica; `sample.requests_per_minute` where absent."""
    tokens_per_minute: Count | None = None
    """Of this replica; `sample.tokens_per_minute` where absent."""

    @model_validator(mode="after")
    def _a_key_stands_in_one_place(self) -> Replica:
        if self.api_key_file is not None and self.api_key_env is not None:
            raise ValueError(_TWO_KEYS)
        return self


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
    api_key_env: Variable = "OPENAI_API_KEY"
    """The environment variable that holds the API key. The key itself never stands in a recipe."""
    api_key_file: str | None = None
    """Instead of a variable: a file whose first line is the API key. A relative path starts at the room, `~` at home."""
    timeout: Annotated[float, Field(gt=0, le=86400)] = 600.0
    """Seconds one request may take."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """Tries after the first for rate limits, server errors, timeouts and broken connections."""
    prices: Prices | None = None
    """What it charges, in US dollars per million tokens. Where absent: what a reply says that it cost, what the server lists at
    /models (as OpenRouter does), or for `litellm` its own price map; else the cost is unknown, and said to be."""
    share: Share | None = None
    """Beside `replicas`: this endpoint's share of the requests. Without any share each endpoint gets what it can take. With
    one, requests are handed out in proportion (3 and 1: three of four), an endpoint that names none having 1; who
    does not answer gives its share up meanwhile. 0 is a spare, asked only while no other answers."""
    replicas: list[Replica] = []
    """Further servers or providers of the same model, asked at the same time. What one of them does not answer the others are
    asked for; `selftaught status` counts each by itself."""
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
    def doors(self) -> list[EndpointSettings]:
        """This endpoint and its replicas, each with settings of its own and no replicas."""
        return [self.model_copy(update={"replicas": []}), *(self._of(replica) for replica in self.replicas)]

    def _of(self, replica: Replica) -> EndpointSettings:
        own = {"kind", "model", "base_url", "api_key_env", "api_key_file", "timeout"}
        given = replica.model_dump(include=own, exclude_none=True)
        elsewhere = {"kind", "model", "api_key_env", "api_key_file"} & given.keys()
        if _provider(replica.kind or self.kind, replica.model or self.model) != _provider(self.kind, self.model):
            default = type(self).model_fields["api_key_env"].default
            given = {"base_url": None, "api_key_env": default, "api_key_file": None, **given}
        if replica.api_key_env is not None:  # else the endpoint's file would stand before it
            given["api_key_file"] = None
        prices = replica.prices or (None if elsewhere else self.prices)
        return self.model_copy(update={**given, "prices": prices, "share": replica.share, "replicas": []})

    _folder: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:
        """Note the recipe's folder, which whoever reads a recipe gives as the context."""
        self._folder = (context or {}).get("folder", self._folder)

    @property
    def folder(self) -> Path:
        """The folder that a relative `api_key_file` starts from."""
        return self._folder

    @property
    def names_a_key(self) -> bool:
        """Whether the recipe names a key of its own; the default variable is meant for OpenAI's servers alone."""
        default = type(self).model_fields["api_key_env"].default
        return self.api_key_file is not None or self.api_key_env != default

    @model_validator(mode="after")
    def _a_key_stands_in_one_place(self) -> EndpointSettings:
        if self.api_key_file is not None and "api_key_env" in self.model_fields_set:
            raise ValueError(_TWO_KEYS)
        return self

    @model_validator(mode="after")
    def _replicas_are_others(self) -> EndpointSettings:
        places = [(door.kind, door.base_url, door.model) for door in self.doors]
        for number, (place, door) in enumerate(zip(places[1:], self.doors[1:], strict=True)):
            if door.kind in ("local", "external"):
                raise ValueError(f"replicas.{number} needs a `kind` of its own: openai, litellm or sglang")
            if door.kind == "sglang" and self.replicas[number].base_url is None:
                raise ValueError(f"replicas.{number} needs the `base_url` at which SGLang runs")
            if self.kind == door.kind == "sglang" and door.model != self.model:
                raise ValueError(
                    f"replicas.{number}: SGLang is given the endpoint's `model`; leave it out, or say `kind: openai`"
                )
            if place in places[: number + 1]:
                raise ValueError(
                    f"replicas.{number} is listed already: give it a `base_url`, `kind` or `model` of its own"
                )
        if self.replicas and not any(door.share != 0 for door in self.doors):
            raise ValueError("every `share` is 0: who is to be asked first?")
        return self

    @model_validator(mode="after")
    def _external_has_a_command(self) -> EndpointSettings:
        if self.kind == "external" and (self.external is None or self.base_url is None):
            raise ValueError(
                "kind `external` needs `external.start`, the command, and `base_url`, where the model will answer"
            )
        return self
