"""The dataset card: what is in a version, where it came from, and what was lost on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.resources import files
from typing import Any

import jinja2
import polars as pl

from selftaught_builder.funnel import Funnel
from selftaught_builder.policies import as_policy
from selftaught_builder.recipe import Recipe

# The hub's own size categories.
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def render_card(
    recipe: Recipe,
    run: str,
    version: str,
    funnel: Funnel,
    verifiers: Mapping[str, str],
    facts: Sequence[Mapping[str, Any]],
    sources: Sequence[str],
    splits: Mapping[str, int],
    rows: pl.DataFrame,
) -> str:
    """Return the card's Markdown with the hub's front matter. It names no time, so that equal content gives equal bytes.

    Args:
        recipe: the recipe.
        run: the run's name.
        version: the version's name; "" while its content hash is still to be found.
        funnel: the run's counts.
        verifiers: name to pinned version.
        facts: one row for each kind, model, weights, endpoint and parameters that attempts were made with.
        sources: where the questions came from.
        splits: rows by split.
        rows: the exported rows.
    """
    hinted = rows.filter(pl.col("kind") == "rationalized").height
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 (Markdown)
    environment.filters |= {"cell": _cell, "code": _code}
    template = environment.from_string((files("selftaught_builder") / "templates" / "card.md.jinja").read_text("utf-8"))
    return template.render(
        recipe=recipe,
        policy=as_policy(recipe.keep),
        run=run,
        version=version,
        funnel=funnel,
        verifiers=dict(verifiers),
        facts=facts,
        splits=dict(splits),
        share=f"{hinted / max(1, rows.height):.0%}",
        sources=[_without_folders(source) for source in sources],
        size=next((name for limit, name in SIZES if rows.height < limit), "n>10M"),
        licence=recipe.export.licence or recipe.questions.licence,
        code=metadata.version("selftaught"),
    )


def _without_folders(source: str) -> str:
    """A source without the folders of absolute paths: those of this machine are nobody's business."""
    return re.sub(r"(?<![\w:/.])/(?:[^\s'\"/]+/)+", "", source)


def _cell(value: object) -> str:
    """Text from outside, made fit for a Markdown table: it can open no row, cell, code or HTML, and hide nothing."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    text = text.replace("|", "\\|").replace("`", "'")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """Text from outside, made fit for a block of code: its lines stay, it cannot end the block, and hides nothing."""
    shown = "".join(character if character.isprintable() or character == "\n" else " " for character in text)
    return shown.replace("```", "` ` `")
