"""The dataset card: what is in a version, where it came from, and what was lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2

from selftaught_builder.spending.costs import dollars

# The hub's own size categories.
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def render_card(facts: Mapping[str, Any], version: str) -> str:
    """Return the card's Markdown with the hub's front matter.

    It is made of recorded facts alone, and only what was found out later has a date: equal facts give equal bytes.

    Args:
        facts: see `facts.facts_of`.
        version: the version's name.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 (Markdown)
    environment.filters |= {"cell": _cell, "code": _code, "dollars": dollars}
    template = environment.from_string((files("selftaught_builder.export") / "card.md.jinja").read_text("utf-8"))
    return template.render(
        **facts,
        version=version,
        share=f"{facts['rationalized'] / max(1, facts['rows']):.0%}",
        size=next((name for limit, name in SIZES if facts["rows"] < limit), "n>10M"),
    )


def _cell(value: object) -> str:
    """Text from outside, made fit for a Markdown table: it can open no row, cell, code or HTML, and hide nothing."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    text = text.replace("|", "\\|").replace("`", "'")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """Text from outside, made fit for a block of code: its lines stay, it cannot end the block, and hides nothing."""
    shown = "".join(character if character.isprintable() or character == "\n" else " " for character in text)
    return shown.replace("```", "` ` `")
