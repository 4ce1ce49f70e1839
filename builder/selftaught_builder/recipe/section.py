"""What all parts of a recipe have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _within_reckoning(count: int) -> int:
    """A float holds no more exactly, and of some none at all: their figures could not be shown."""
    if count > 2**53:
        raise ValueError("is more than can be reckoned with; without a limit, leave it out")
    return count


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Count = Annotated[int, Field(ge=1), AfterValidator(_within_reckoning)]
Column = str | list[str]
"""A field of the source's rows; of several, the first that a row has."""


class Section(BaseModel):
    """A part of the recipe: immutable, with no keys but its own, and of finite numbers."""

    # Infinity and NaN are no JSON, which recipes are stored and hashed as.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True, serialize_by_alias=True
    )
