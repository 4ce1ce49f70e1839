"""The recipe: one YAML file says how a dataset is built.

A recipe lives in a room, `datasets/<name>/recipe.yaml`. Unknown keys are refused with a suggestion; every default is
visible with `selftaught recipe show`; `selftaught recipe schema` prints the JSON Schema for editors.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import orjson
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from selftaught_builder.errors import RecipeError
from selftaught_builder.policies import as_policy

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Count = Annotated[int, Field(ge=1)]
Column = str | list[str]
"""A field of the source's rows; of several, the first that a row has."""


RESERVED = frozenset({"model", "messages", "prompt", "seed", "n", "stream", "api_key", "api_base", "base_url"})
"""Keys of a request that have their own place, or would make one reply of several; none may come by `extra_body`."""


class Section(BaseModel):
    """A part of the recipe: immutable, and with no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, serialize_by_alias=True)


class ValidateSet(Section):
    """The held-out questions that steer: early stopping and the choice of the best checkpoint look only here."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training source's questions, chosen by the question's hash, that is held out."""
    limit: Count | None = None
    """Evaluate at most this many of them; the rest stays unused."""


class EvaluateSet(Section):
    """The held-out questions that are only reported. What is absent is as for the training questions."""

    source: str | None = None
    """Another source, as under `questions.source`."""
    split: str | None = None
    """Another split of the source."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Instead of a source or split of their own: this share of the training source's questions, chosen by their hash."""
    limit: Count | None = None
    """Evaluate at most this many, after shuffling."""
    shuffle: int | None = None
    """Seed to shuffle with before the limit."""

    @model_validator(mode="after")
    def _is_apart(self) -> EvaluateSet:
        if (self.share is None) == (self.source is None and self.split is None):
            raise ValueError("give `share`, or a `source` or `split` of its own")
        return self


class Questions(Section):
    """Where the questions come from and how a row becomes a question."""

    source: str | None = None
    """A file (.jsonl, .csv, .parquet), a folder that Hugging Face `datasets` reads, `hf://OWNER/NAME[/CONFIG][@REVISION]`,
    or `gym://TASK?seed=1&size=500` (reasoning-gym). Relative paths start at the recipe's folder."""
    query: str | None = None
    """An SQL query run by DuckDB instead of a source; with `source: FILE.duckdb` it runs over that database."""
    question: Column = "question"
    """The field that holds the question, or a template over the row's fields: "{{ Body }} {{ Question }}"."""
    answer: Column = "answer"
    """The field that holds the known answer, with filters: `answer|after:####` takes what follows the last `####`."""
    choices: Column | None = None
    """The field that holds the choices: {"A": "bank", ...}, ["bank", ...] or {"label": [...], "text": [...]}."""
    id: Column | None = None
    """The field that names a question; without it the row number does."""
    kind: Literal["auto", "number", "letter", "yesno", "date", "math", "text", "code"] = "auto"
    """How answers compare. `auto`: letter where there are choices, else number, yesno, date, math (formulas) or text by the
    answer itself. Answers that are programs, `code`, pass the row's own tests (docs/verifiers.md)."""
    split: str | None = None
    """The split to read of a Hugging Face dataset."""
    longest: Count | None = None
    """Leave out questions of more characters than this."""
    limit: Count | None = None
    """Use at most this many questions, after shuffling."""
    shuffle: int | None = None
    """Seed to shuffle with before the limit; without it the source's order stands."""
    licence: str | None = None
    """The source's licence, for the dataset card (an SPDX id in lower case, as the hub writes it)."""
    validation: Annotated[ValidateSet | None, Field(alias="validate")] = None
    evaluate: EvaluateSet | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> Questions:
        if not (self.source or self.query):
            raise ValueError("give `source` or `query`")
        held = sum(part.share or 0.0 for part in (self.validation, self.evaluate) if part)
        if held >= 1:
            raise ValueError(f"validate.share and evaluate.share hold out {held:.0%}: nothing is left to train on")
        return self


class Prompt(Section):
    """How a question is put to the model."""

    template: str = "star-cot"
    """A shipped template's name, or a path to a Jinja file of your own."""
    examples: str | None = "examples.yaml"
    """The few-shot rationales, a file in the room; null for none."""
    shots: Annotated[int, Field(ge=0)] | None = None
    """Use only the first so many examples."""
    style: Literal["chat", "completion"] = "chat"
    """`chat` sends messages; `completion` sends one plain prompt, for base models."""
    system: str | None = None
    """A system message, replacing the template's own."""


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


class Limits(Section):
    """What may be spent on something; what is absent has no limit."""

    usd: Annotated[float, Field(ge=0)] | None = None
    """US dollars. Needs a known price: `endpoint.prices`, or litellm's own."""
    tokens: Count | None = None
    """Prompt tokens and generated tokens together."""
    attempts: Count | None = None
    """Tries, failed ones included."""


class Spending(Limits):
    """The same, and time."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which requests were under way; those under way when they are over are waited for."""


class Budget(Spending):
    """What a run may spend. Every try of every kind counts (sampled, rationalized, evaluated, probed), over all sittings.

    A request is sent only where what is spent and what the requests in flight may cost at most leave room for it. When no room
    is left the run stops with exit code 3; raise the budget and run again to go on. A try whose tokens or cost the server
    did not say counts at its most; one that was refused (400, 401, 429, 503, ...) costs nothing. The five requests of 12 tokens
    that probe an endpoint are no attempts and do not count.
    """

    per_question: Limits | None = None
    """`usd`, `tokens` or `attempts` of any one question; what is beyond them is not asked, and the run goes on."""
    per_round: Spending | None = None
    """`usd`, `tokens`, `attempts` or `seconds` of any one round; when they are spent the run stops."""


class Sample(Section):
    """How rationales are sampled."""

    k: Count = 4
    """Samples per question."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """0 takes the likeliest token each time."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens that together have this probability."""
    max_tokens: Count = 512
    """Tokens of one completion; what is cut off is kept as truncated and never exported."""
    stop: list[str] = []
    """Texts that end a completion."""
    concurrency: Count | Literal["auto"] = "auto"
    """Requests in flight at once. `auto`: the slots of a model that we serve; at any other endpoint a number that starts at 16,
    grows while requests succeed, and is halved when the endpoint is overloaded (429, 503, 529, timeouts, broken
    connections), or cut where its latency rises."""
    requests_per_minute: Count | None = None
    """Send no more than this; the requests are spread evenly."""
    tokens_per_minute: Count | None = None
    """Spend no more than this, prompt and generated tokens together. A request counts at its most until its reply is there."""
    budget: Budget | None = None
    """What the run may spend; without it there is no limit."""


class Rationalize(Section):
    """Asking again with the answer as a hint, where no sample was kept."""

    k: Annotated[int, Field(ge=0)] = 1
    """Hinted samples per failed question; 0 turns rationalization off."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """The sampling temperature where absent."""


class Export(Section):
    """What a dataset version holds."""

    per_question: Count | None = 4
    """Keep at most this many rationales per question (ReST-EM keeps at most 10), sampled before rationalized."""
    examples: bool = False
    """Put the few-shot examples into the exported prompt."""
    reasoning: Literal["think_tags", "drop"] = "think_tags"
    """Reasoning content goes before the completion in `<think>` tags, or is dropped."""
    rationalized_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Rationalized rows make up at most this share of a version."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the questions whose rows go to a `validation` split, chosen by the question's hash."""
    language: str | None = None
    """The dataset's language for the card, such as `en`."""
    licence: str | None = None
    """The dataset's licence for the card; the questions' licence where absent."""


class Evaluate(Section):
    """How the held-out questions are asked: greedily, under the sampling prompt, before the first round and after each."""

    k: Annotated[int, Field(ge=0)] = 0
    """Also take this many samples per question of the evaluate set, at the sampling temperature, for pass@k and majority@k."""
    max_tokens: Count | None = None
    """Tokens of one completion; `sample.max_tokens` where absent."""


class Steps(Section):
    """Training steps: `start` in the first round, then `growth` times as many each round, and `add` more."""

    start: Count = 40
    """Optimizer steps of the first round (STaR, section 3.1: 40)."""
    growth: Annotated[float, Field(ge=1)] = 1.2
    """Factor from round to round (STaR: 1.2)."""
    add: Annotated[int, Field(ge=0)] = 0
    """Steps added from round to round (STaR's arithmetic: 20, with growth 1)."""

    def of(self, round_number: int) -> int:
        """Return the steps of a round, counted from 1."""
        return round(self.start * self.growth ** (round_number - 1)) + self.add * (round_number - 1)


class Train(Section):
    """How a dataset version becomes the next model: one Axolotl YAML a round."""

    recipe: str = "full"
    """A shipped Axolotl template (full, lora, qlora, preference, stepwise), or the path of an Axolotl YAML of your own: of
    that only `datasets`, the output and prepared paths, and base_model, seed and max_steps where it lacks them, are
    filled in."""
    base_model: str | None = None
    """The model that training starts from: a checkpoint's folder or a hub id; `endpoint.model` where absent."""
    init: Literal["base", "last"] = "base"
    """Train each round from the base model (STaR), or go on from the last round's checkpoint."""
    steps: Steps = Steps()
    batch_size: Count = 8
    """Rows per optimizer step."""
    micro_batch_size: Count | None = None
    """Rows per device and pass; batch_size where absent. It must divide batch_size."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """The template's own where absent."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    """The template's own where absent."""
    sequence_len: Count | None = None
    """Tokens of the longest row; the template's own where absent."""
    seed: int = 1
    """Axolotl's seed: same seed, same data, same weights on the same machine."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """`auto` asks the trainer's environment."""
    launcher: Literal["python", "accelerate", "torchrun"] = "python"
    """How Axolotl starts its processes."""
    launcher_args: list[str] = []
    """Arguments for the launcher: ["--nnodes", "2", "--nproc_per_node", "8", "--rdzv_endpoint", "host:29400"]."""
    axolotl: dict[str, Any] = {}
    """Further Axolotl keys; they replace the template's."""

    @model_validator(mode="after")
    def _batches_fit(self) -> Train:
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class Rounds(Section):
    """How often the loop goes round, what carries over, and when it stops by itself."""

    count: Count = 1
    """Rounds at most; `run --rounds N` overrides it."""
    data: Literal["reset", "accumulate"] = "reset"
    """Train a round on what its own model wrote (STaR), or on all rounds so far, duplicates dropped."""
    patience: Annotated[int, Field(ge=1)] | None = 2
    """Stop after this many rounds without a better accuracy on the validate set; null never stops."""
    fall: Annotated[float, Field(gt=0, le=1)] | None = 0.1
    """Stop at once where the accuracy on the validate set is this far below the best; null never does."""


class Recipe(Section):
    """How one dataset is built, from questions to versions."""

    name: Name
    """The dataset's name: lower-case letters, digits, - and _. The run is named after it."""
    description: str = ""
    """What the dataset is, for its card."""
    questions: Questions
    prompt: Prompt = Prompt()
    endpoint: EndpointSettings = EndpointSettings()
    sample: Sample = Sample()
    rationalize: Rationalize = Rationalize()
    verify: Annotated[list[str], Field(min_length=1)] = [
        *("answer", "equations", "number_provenance", "hint_leak", "degenerate")
    ]
    """The verifiers to run."""
    verifiers: dict[str, dict[str, Any]] = {}
    """What verifiers need beyond their names: options ({near_duplicate: {similarity: 0.9}}), or where one of your own is
    defined ({no_apology: {file: checks.py}}, {lucky: {sql: "SELECT id AS attempt, ..."}})."""
    keep: Annotated[str, Field(validate_default=True)] = "default"
    """The policy: `answer-only`, `default`, `strict` or `rft`, or an SQL predicate over `attempts_wide`."""
    export: Export = Export()
    evaluate: Evaluate = Evaluate()
    train: Train | None = None
    rounds: Rounds = Rounds()
    store: str = "store.duckdb"
    """The store's file, from the recipe's folder."""

    @field_validator("verify")
    @classmethod
    def _answer_is_always_verified(cls, names: list[str]) -> list[str]:
        if "answer" not in names:
            raise ValueError("must list `answer`: nothing becomes training data without a passing answer verdict")
        if len(set(names)) < len(names):
            raise ValueError("lists a verifier twice")
        return names

    @field_validator("keep")
    @classmethod
    def _its_verifiers_are_run(cls, keep: str, others: ValidationInfo) -> str:
        listed = others.data.get("verify")
        lacking = [name for name in as_policy(keep).verifiers if listed is not None and name not in listed]
        if lacking:
            names = ", ".join(f"`{name}`" for name in lacking)
            raise ValueError(f"this policy reads {names}; add that to `verify`, or take another policy")
        return keep

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the recipe start from."""
        return self._folder

    @model_validator(mode="after")
    def _options_have_their_verifier(self) -> Recipe:
        for name in self.verifiers:
            if name not in self.verify:
                raise ValueError(f"`verifiers.{name}` is set, but `verify` does not list `{name}`")
        return self

    @model_validator(mode="after")
    def _hints_are_looked_for(self) -> Recipe:
        if self.rationalize.k and "hint_leak" not in self.verify:
            raise ValueError(
                "rationalize.k needs `hint_leak` under `verify`: no rationalized row is exported without it"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _rounds_may_be_a_number(cls, data: Any) -> Any:
        if isinstance(data, dict) and type(data.get("rounds")) is int:
            return {**data, "rounds": {"count": data["rounds"]}}
        return data

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 over the recipe with every default filled in."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_MOST_NODES = 200_000


def find_recipe(room: Path) -> Path:
    """Return the recipe file that `room` (a room's folder, or the file itself) names.

    Raises:
        RecipeError: there is none.
    """
    path = room / "recipe.yaml" if room.is_dir() else room
    if not path.is_file():
        raise RecipeError("no recipe here", place=path, mend="Name a room's folder or its recipe.yaml.")
    return path


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: the file is missing, no YAML, or not a recipe; the message names line and key.
    """
    path = find_recipe(path)
    data, lines = read_yaml(path)
    if not isinstance(data, dict):
        raise RecipeError("a recipe is a mapping of keys", place=path, mend="Start from `selftaught init`.")
    try:
        recipe = Recipe.model_validate(data)
        recipe._folder = path.parent.absolute()
        return recipe
    except ValidationError as error:
        raise _explain(error, path, lines) from None


def read_yaml(path: Path) -> tuple[Any, dict[tuple[str | int, ...], int]]:
    """Read a YAML file; return its data, and for each key's path the line it stands on.

    Raises:
        RecipeError: not readable, not UTF-8, or no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        data = yaml.safe_load(text)
        lines: dict[tuple[str | int, ...], int] = {}
        if node is not None:
            _index_lines(node, (), lines)
    except FileNotFoundError:
        raise RecipeError("no such file", place=path, mend="Check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot be read: {error}", place=path, mend="It must be a UTF-8 text file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"not valid YAML: {problem}", place=place, mend="Mend the syntax on this line.") from None
    except ValueError as error:  # a date such as 2024-13-45
        raise RecipeError(f"a value that is none: {error}", place=path, mend="Put quotes around text.") from None
    except RecursionError:
        raise RecipeError("an alias that holds itself", place=path, mend="Write the value out.") from None
    return data, lines


def _index_lines(node: yaml.Node, at: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    if len(lines) > _MOST_NODES:  # a few aliases of aliases write out as billions
        raise yaml.MarkedYAMLError(problem="too large with its aliases written out", problem_mark=node.start_mark)
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, key.value)
            if here in lines:
                raise yaml.MarkedYAMLError(problem=f"`{key.value}` stands twice", problem_mark=key.start_mark)
            lines[here] = key.start_mark.line + 1
            _index_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(value, (*at, index), lines)


def _explain(error: ValidationError, path: Path, lines: dict[tuple[str | int, ...], int]) -> RecipeError:
    """Turn pydantic's first complaint into file, line, key and mend."""
    first = error.errors()[0]
    at = first["loc"]
    known = at
    while known and known not in lines:
        known = known[:-1]
    place = f"{path}:{lines.get(known, 1)}"
    key = ".".join(str(part) for part in at if part in dict.fromkeys(at)) or "recipe"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(at[-1]), _keys_at(at[:-1]), n=1)
        mend = f"Did you mean `{close[0]}`?" if close else f"Known keys: {', '.join(_keys_at(at[:-1]))}."
        return RecipeError(f"unknown key `{key}`", place=place, mend=mend)
    if first["type"] == "missing":
        return RecipeError(f"`{key}` is missing", place=place, mend=f"Add `{key}`.")
    if first["type"] == "model_type":
        return RecipeError(f"`{key}` is a section", place=place, mend=f"Its keys: {', '.join(_keys_at(at))}.")
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = first.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool | list) and at else ""
    return RecipeError(
        f"`{key}`: {message}{shown}"[:400], place=place, mend="`selftaught recipe schema` lists what each key takes."
    )


def _keys_at(at: tuple[str | int, ...]) -> list[str]:
    model: Any = Recipe
    for part in at:
        kind = next(field.annotation for name, field in model.model_fields.items() if part == (field.alias or name))
        model = next(one for one in (kind, *get_args(kind)) if hasattr(one, "model_fields"))
    return [field.alias or name for name, field in model.model_fields.items()]
