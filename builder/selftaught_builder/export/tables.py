"""The rows of a dataset version as an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from selftaught_builder.export.conversations import Conversations
from selftaught_builder.recipe import Recipe

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
CHOICE = pa.struct([("label", pa.string()), ("text", pa.string())])
# The card, `cli/show/version.py`, `training/render.py` and the templates in `train/recipes/` know `messages` by this name.
COLUMNS = {
    "messages": pa.list_(MESSAGE),
    "question_id": pa.string(),
    "question": pa.string(),
    "choices": pa.list_(CHOICE),
    "answer": pa.string(),
    "rationale": pa.string(),
    "kind": pa.string(),
    "round": pa.int32(),
    "attempt": pa.string(),
    "model": pa.string(),
    "weights": pa.string(),
    "tokens": pa.int64(),
}
# Of rows that several recipes asked for, each tells how.
POOLED_COLUMNS = {"prompt": pa.string(), "parameters": pa.string(), "recipe": pa.string()}


def tables_of(rows: pl.DataFrame, recipe: Recipe, conversations: Conversations) -> pa.Table:
    """Return the table of some rows of `selection.select_rows`."""
    fields = dict(COLUMNS)
    if recipe.export.draw_on != "recipe":
        fields |= POOLED_COLUMNS
    fields |= {f"verdict_{name}": pa.string() for name in recipe.verify}
    records = [_record_of(row, recipe, conversations) for row in rows.iter_rows(named=True)]
    return pa.Table.from_pylist(records, schema=pa.schema(list(fields.items())))


def _record_of(row: Mapping[str, Any], recipe: Recipe, conversations: Conversations) -> dict[str, Any]:
    rationale = row["rationale"]
    if row["reasoning"] and recipe.export.reasoning == "think_tags":
        rationale = f"<think>\n{row['reasoning']}\n</think>\n\n{rationale}"
    return {
        **row,  # the columns that are named as in the store
        "messages": [*conversations.of(row), {"role": "assistant", "content": rationale}],
        "question": row["question_text"],
        "choices": [{"label": label, "text": text} for label, text in orjson.loads(row["choices"]).items()],
        "answer": row["gold"],
        "rationale": rationale,
        # Without the number of the try: what failed before changes no row.
        "attempt": row["key"],
        "tokens": row["tokens_out"],
        "recipe": row["recipe"] or "unknown",
    }
