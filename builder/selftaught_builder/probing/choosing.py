"""The endpoint verifiers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from selftaught_builder.probing.judge import Judge
from selftaught_builder.probing.regenerate import Regenerate
from selftaught_builder.probing.verifier import EndpointVerifier
from selftaught_builder.recipe import Recipe

ENDPOINT_VERIFIERS: Mapping[str, Callable[[Recipe, Mapping[str, Any]], EndpointVerifier]] = {
    Judge.name: Judge,
    Regenerate.name: Regenerate,
}
"""Each makes the verifier that a recipe and its options describe; it raises RecipeError where they are wrong."""
