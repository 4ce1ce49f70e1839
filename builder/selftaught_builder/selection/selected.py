"""Selection: which of the kept attempts become rows of a dataset."""

from __future__ import annotations

import polars as pl

from selftaught_builder.recipe import Export
from selftaught_builder.selection.reading import View

# An SQL string of what may stand around a rationale; `trim` alone takes only blanks.
_WHITESPACE = "E' \\t\\n\\r\\f\\x0b'"


def select_rows(view: View) -> pl.DataFrame:
    """Return the rows to export: kept by the policy, exact duplicates within a question once, at most n per question.

    If `export.rationalized_share` caps the rationalized ones, which of them stay is decided by their keys.
    """
    export = view.filter.export
    verdicts = ", ".join(f"k.{name} AS verdict_{name}" for name in view.filter.versions)
    query = f"""
        SELECT r.position, k.question, k.question_id, k.question_text, k.gold, k.choices, k.rationale, k.reasoning,
               k.kind, k.round, k.id AS attempt, k.key, k.model, k.weights, k.tokens_out, k.prompt,
               k.parameters::VARCHAR AS parameters, k.endpoint, k.recipe, {verdicts}
        FROM ({ranked("FROM kept", export)}) k JOIN run_questions r ON r.question = k.question AND r.run = ?
        WHERE k.copy = 1 AND k.place <= ? ORDER BY r.position, k.place"""
    return _capped(view.sql(query, [view.scope.run, most(export)]), export.rationalized_share)


def ranked(kept: str, export: Export) -> str:
    """Return a query of the kept attempts in the order in which a question's are taken.

    Adds `rationale`; `copy`, from 1, among those that say exactly the same; `first_copy`, the id of the first of these; and
    `place`, from 1, among the question's first copies.

    Args:
        kept: an SQL query of the kept attempts.
        export: says whether two attempts with one rationale and different reasoning are the same.
    """
    told_apart = "rationale, reasoning" if export.reasoning == "think_tags" else "rationale"
    order = "ORDER BY hinted, round DESC, sample_index, key"
    return f"""
        WITH trimmed AS (SELECT *, trim(completion, {_WHITESPACE}) AS rationale FROM ({kept})),
        once AS (
            SELECT *, row_number() OVER same AS copy, first_value(id) OVER same AS first_copy FROM trimmed
            WINDOW same AS (PARTITION BY question, {told_apart} {order})
        )
        SELECT *, row_number() OVER (PARTITION BY question, copy = 1 {order}) AS place FROM once"""


def most(export: Export) -> int:
    """Return how many rows a question may have at most."""
    return export.per_question or 2**31


def _capped(rows: pl.DataFrame, share: float) -> pl.DataFrame:
    hinted = rows.filter(pl.col("kind") == "rationalized")
    room = int((rows.height - hinted.height) * share / (1 - share)) if share < 1 else hinted.height
    if hinted.height <= room:
        return rows
    kept = hinted.sort("key").head(room)["attempt"]
    return rows.filter((pl.col("kind") != "rationalized") | pl.col("attempt").is_in(kept.implode()))
