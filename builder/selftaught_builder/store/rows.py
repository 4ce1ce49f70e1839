"""The rows that the journal carries, and what each column holds. Journal, frames, views, docs and tests derive from them.

A new column of attempts is a field here, a migration, and whoever knows its value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar


def column(about: str, *, name: str = "", **default: Any) -> Any:
    """Return a field: what it holds, and the column's name if Python keeps that word for itself."""
    return field(metadata={"about": about, "column": name}, **default)


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptRow:
    """A rendered prompt, stored once."""

    table: ClassVar[str] = "prompts"

    hash: str = column("unique")
    style: str = column("chat or completion")
    messages: str = column("the turns, as JSON")


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One try at a sample."""

    table: ClassVar[str] = "attempts"

    id: str = column("unique: key and try number")
    key: str = column("of the sample; see design.md")
    try_: int = column("counted from 1, over all runs", name="try")
    run: str = column("the run that paid for it")
    round: int = column("0 is the base model's")
    question: str = column("the question's hash")
    kind: str = column("sampled, rationalized, evaluated or probed")
    sample_index: int = column("0 for the question's first")
    parent: str | None = column("the failed attempt that a rationalized one answers", default=None)
    prompt: str = column("the prompt's hash")
    completion: str = column("without reasoning content")
    reasoning: str = column("reasoning content, kept apart")
    finish_reason: str = column("'length' is truncated and never trained on")
    endpoint: str = column("who answered")
    model: str = column("as asked for")
    model_replied: str = column("as the reply named it")
    weights: str = column("fingerprint of the served weights, or 'unknown'")
    parameters: str = column("the sampling parameters as sent, as JSON")
    seed: int = column("as sent; derived from the key")
    seed_honoured: bool | None = column("NULL where the probe could not tell", default=None)
    tokens_in: int | None = column("of the prompt, as the server counts", default=None)
    tokens_out: int | None = column("of the completion", default=None)
    tokens_cached: int | None = column("those of tokens_in that the server had read before", default=None)
    cost: float | None = column("US dollars; NULL is unknown, never free", default=None)
    price_source: str | None = column("who said the price: recipe, litellm or server", default=None)
    latency: float = column("seconds")
    error: str | None = column("error class; NULL where a completion arrived", default=None)
    error_text: str | None = column("what the error said", default=None)
    provider: str = column("what else the reply said, as JSON")
    created_at: str = column("when the reply came, in UTC")
    recipe: str | None = column("hash of the recipe that asked; NULL in attempts older than schema 5", default=None)


Row = PromptRow | AttemptRow
ROWS: dict[str, type[Row]] = {row.table: row for row in (PromptRow, AttemptRow)}
"""Each kind of row by its table."""


@cache
def columns_of(row: type[Row]) -> dict[str, str]:
    """Return the columns of a kind of row in their order: the column's name to the field's."""
    return {each.metadata["column"] or each.name: each.name for each in fields(row)}


def about_columns(row: type[Row]) -> dict[str, str]:
    """Return what each column of a kind of row holds, in a few words."""
    return {each.metadata["column"] or each.name: each.metadata["about"] for each in fields(row)}


def record_of(row: Row) -> dict[str, Any]:
    """Return the journal's record of a row: its table and its columns."""
    columns = columns_of(type(row)).items()
    return {"table": row.table, **{name: getattr(row, attribute) for name, attribute in columns}}
