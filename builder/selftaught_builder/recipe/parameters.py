"""The sampling parameters that a recipe asks with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from selftaught_builder.recipe import Recipe


def parameters_of(recipe: Recipe, *, kind: str) -> dict[str, Any]:
    """Return the sampling parameters of a stage, in OpenAI's names; `evaluated` is greedy."""
    sample, temperature = recipe.sample, recipe.sample.temperature
    if kind == "evaluated":
        greedy = {"temperature": 0.0, "top_p": 1.0}
        return {**parameters_of(recipe, kind="sampled"), **greedy, "max_tokens": evaluation_tokens(recipe)}
    if kind == "rationalized" and recipe.rationalize.temperature is not None:
        temperature = recipe.rationalize.temperature
    parameters: dict[str, Any] = {"temperature": temperature, "top_p": sample.top_p, "max_tokens": sample.max_tokens}
    if sample.stop:
        parameters["stop"] = list(sample.stop)
    return {**parameters, **recipe.endpoint.extra_body}


def evaluation_tokens(recipe: Recipe) -> int:
    """Return how many tokens a completion may have in an evaluation."""
    return recipe.evaluate.max_tokens or recipe.sample.max_tokens


def stored_form(parameters: Mapping[str, Any]) -> str:
    """Return sampling parameters as the column `parameters` holds them."""
    return orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS).decode()
