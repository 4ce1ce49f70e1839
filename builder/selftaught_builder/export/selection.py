"""Selection: which of the kept attempts become rows of a dataset."""

from __future__ import annotations

import polars as pl

from selftaught_builder.policy import policy_of
from selftaught_builder.recipe import Recipe
from selftaught_builder.scope import Scope
from selftaught_builder.store import Store
from selftaught_builder.verification import versions_of

# An SQL string of what may stand around a rationale; `trim` alone takes only blanks.
_WHITESPACE = "E' \\t\\n\\r\\f\\x0b'"


def select_rows(store: Store, recipe: Recipe, scope: Scope) -> pl.DataFrame:
    """Return the rows to export: kept by the policy, exact duplicates within a question once, at most n per question.

    Where `export.rationalized_share` caps the rationalized ones, which of them stay is decided by their keys.
    """
    kept, parameters = scope.select(f"({policy_of(recipe, versions_of(recipe))})")
    limit = recipe.export.per_question or 2**31
    told_apart = "rationale, reasoning" if recipe.export.reasoning == "think_tags" else "rationale"
    verdicts = ", ".join(f"k.{name} AS verdict_{name}" for name in recipe.verify)
    query = f"""
        WITH kept AS (SELECT *, trim(completion, {_WHITESPACE}) AS rationale FROM ({kept})),
        once AS (
            SELECT *, row_number() OVER (
                PARTITION BY question, {told_apart} ORDER BY hinted, round DESC, sample_index, key
            ) AS copy FROM kept
        ),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY question ORDER BY hinted, round DESC, sample_index, key) AS place
            FROM once WHERE copy = 1
        )
        SELECT r.position, k.question, k.question_id, k.question_text, k.gold, k.choices, k.rationale, k.reasoning,
               k.kind, k.round, k.id AS attempt, k.model, k.weights, k.tokens_out, {verdicts}
        FROM ranked k JOIN run_questions r ON r.question = k.question AND r.run = ?
        WHERE place <= ? ORDER BY r.position, place"""
    return _capped(store.sql(query, [*parameters, scope.run, limit]), recipe.export.rationalized_share)


def _capped(rows: pl.DataFrame, share: float) -> pl.DataFrame:
    hinted = rows.filter(pl.col("kind") == "rationalized")
    room = int((rows.height - hinted.height) * share / (1 - share)) if share < 1 else hinted.height
    if hinted.height <= room:
        return rows
    kept = hinted.sort("attempt").head(room)["attempt"]
    return rows.filter((pl.col("kind") != "rationalized") | pl.col("attempt").is_in(kept.implode()))
