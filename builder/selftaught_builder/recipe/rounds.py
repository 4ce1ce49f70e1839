"""`rounds`: how often it goes round, and when it stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selftaught_builder.recipe.section import Count, Section


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
