"""What a version's hash is taken over: its rows in order, their schema, and what selected them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa

from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import as_policy

ROWS_AT_ONCE = 1000
SELECTING = ("draw_on", "per_question", "examples", "reasoning", "rationalized_share", "validation")
"""The keys of the recipe's `export` that decide about rows."""


def content_hash(tables: Mapping[str, pa.Table], recipe: Recipe, verifiers: Mapping[str, str]) -> str:
    """Return a SHA-256 over the rows of all splits, in order, with their schema, and over the selection.

    Neither the card nor the Parquet files' bytes are part of it, so another writer or compression is the same version.

    Args:
        tables: the rows by split.
        recipe: its policy and its `export` select.
        verifiers: name to pinned version.
    """
    export = recipe.export.model_dump(mode="json")
    digest = hashlib.sha256()
    _add(digest, {"keep": as_policy(recipe.keep).line, "verifiers": dict(verifiers)})
    _add(digest, {key: export[key] for key in SELECTING})
    for split, table in tables.items():
        _add(digest, [split, [[field.name, _type_name(field.type)] for field in table.schema], table.num_rows])
        for batch in table.to_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                _add(digest, list(row.values()))
    return digest.hexdigest()


def _add(digest: Any, data: object) -> None:
    digest.update(orjson.dumps(data, option=orjson.OPT_SORT_KEYS) + b"\n")


def _type_name(kind: pa.DataType) -> str:
    """A type in words of our own: those of pyarrow change between its releases."""
    if pa.types.is_list(kind):
        return f"[{_type_name(kind.value_type)}]"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {_type_name(field.type)}" for field in kind) + "}"
    return str(kind)
