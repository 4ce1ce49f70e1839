"""What a recipe may say of the endpoint verifiers, under `verifiers: {judge: {...}, regenerate: {...}}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.recipe import Count, EndpointSettings, Section

Seen = Literal["question", "rationale", "gold", "choices", "hint"]


class ProbeOptions(Section):
    """What all endpoint verifiers have in common."""

    of: str = "answer = 'pass'"
    """Which sampled and rationalized attempts are asked about: an SQL predicate over `attempts_wide`."""
    sample: Count | None = None
    """Ask about at most this many attempts of each kind and model, chosen by their keys; about all where absent."""
    endpoint: EndpointSettings | None = None
    """Who is asked. Where absent, the model that wrote the attempt."""
    concurrency: Count | Literal["auto"] = "auto"
    """Requests in flight at once to an `endpoint` of its own; `auto` asks it."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """0 takes the likeliest token each time."""


class JudgeOptions(ProbeOptions):
    """Options of `judge`."""

    template: str = "judge"
    """The prompt: the shipped one, or the path of a Jinja file from the recipe's folder."""
    sees: tuple[Seen, ...] = ("question", "rationale")
    """What the prompt may show. `hint` says whether the writer was told the answer."""
    votes: Count = 3
    """Replies asked for; the majority of those that can be read decides."""
    max_tokens: Count = 1024
    """Tokens of one reply."""

    @field_validator("sees")
    @classmethod
    def _a_rationale_is_judged(cls, seen: tuple[str, ...]) -> tuple[str, ...]:
        if "rationale" not in seen:
            raise ValueError("must list `rationale`: it is what is judged")
        return seen


class RegenerateOptions(ProbeOptions):
    """Options of `regenerate`."""

    template: str = "regenerate"
    """The prompt: the shipped one, or the path of a Jinja file from the recipe's folder."""
    k: Count = 2
    """Replies asked for, with the rationale and without."""
    max_tokens: Count = 32
    """Tokens of one reply: enough for an answer, too few to reason anew."""


Options = TypeVar("Options", bound=ProbeOptions)


def read_options(name: str, model: type[Options], given: Mapping[str, Any], folder: Path) -> Options:
    """Return the options of a verifier, whose paths start from `folder`; raises RecipeError, which names the key."""
    try:
        return model.model_validate(dict(given), context={"folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["verifiers", name, *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            at = EndpointSettings if first["loc"][0] == "endpoint" else model
            mend = f"It has: {', '.join(at.model_fields)}."
            raise RecipeError("no such option", place=place, mend=mend) from None
        raise RecipeError(
            first["msg"].removeprefix("Value error, "), place=place, mend="Mend the option, or leave it out."
        ) from None
