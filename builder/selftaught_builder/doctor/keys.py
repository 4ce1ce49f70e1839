"""Keys: whether the variables that would hold them are set. Their values are never looked at beyond that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from selftaught_builder.doctor.finding import Finding

if TYPE_CHECKING:
    from selftaught_builder.recipe import Recipe

_USUAL = {
    "OPENAI_API_KEY": "`endpoint.kind: openai` without a variable of its own",
    "HF_TOKEN": "the hub: gated data and `push`",
}


def examine_keys(recipe: Recipe | None = None) -> list[Finding]:
    """Say of each key's variable whether it is set. A missing one is a fault only where the endpoint says so."""
    wanted = dict(_USUAL)
    if recipe and recipe.endpoint.kind != "local":
        wanted = {recipe.endpoint.api_key_env: "the recipe's endpoint", "HF_TOKEN": _USUAL["HF_TOKEN"]}
    return [_of(variable, use, recipe) for variable, use in wanted.items()]


def _of(variable: str, use: str, recipe: Recipe | None) -> Finding:
    if os.environ.get(variable, "").strip():
        return Finding("keys", "ok", f"{variable}: set, for {use}")
    if recipe and variable == recipe.endpoint.api_key_env and recipe.endpoint.names_a_key:
        return Finding("keys", "fail", f"{variable}: not set, and the recipe names it", f"Set {variable}.")
    return Finding("keys", "ok", f"{variable}: not set; it is for {use}")
