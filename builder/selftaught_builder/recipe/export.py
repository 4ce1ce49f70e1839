"""`export`: what a dataset version holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selftaught_builder.recipe.section import Count, Section

DrawOn = Literal["recipe", "run", "store"]


class Export(Section):
    """What a dataset version holds."""

    draw_on: DrawOn = "recipe"
    """Which attempts: `recipe` those that this recipe asks for itself (kind, prompt, parameters, samples, model), `run` all of
    the run, whatever the recipe said at the time, `store` all at the run's questions, whoever asked. Under the last two each
    row tells its prompt, parameters, model, weights and recipe, and `messages` is the conversation that it was made under."""

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
