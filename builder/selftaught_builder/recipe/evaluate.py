"""`evaluate`: how the held-out questions are asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selftaught_builder.recipe.section import Count, Section


class Evaluate(Section):
    """How the held-out questions are asked: greedily, under the sampling prompt, before the first round and after each."""

    k: Annotated[int, Field(ge=0)] = 0
    """Also take this many samples per question of the evaluate set, at the sampling temperature, for pass@k and majority@k."""
    max_tokens: Count | None = None
    """Tokens of one completion; `sample.max_tokens` where absent."""
