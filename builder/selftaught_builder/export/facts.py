"""What a dataset card says, gathered when a version is exported and recorded with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

import polars as pl

from selftaught_builder.evaluation.statistics import wilson
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.funnel import Funnel
from selftaught_builder.selection.reading import View
from selftaught_builder.spending.costs import cost_of
from selftaught_builder.store import Store

MADE_WITH = ("kind", "model", "weights", "endpoint", "parameters", "recipe")


def facts_of(
    store: Store,
    recipe: Recipe,
    scope: Scope,
    funnel: Funnel,
    verifiers: Mapping[str, str],
    parts: Mapping[str, pl.DataFrame],
    made_with: Sequence[Mapping[str, Any]],
    version: str,
) -> dict[str, Any]:
    """Return what the card says, as JSON has it.

    Args:
        store: the store.
        recipe: the recipe.
        scope: the attempts that the version draws on.
        funnel: their counts.
        verifiers: name to pinned version.
        parts: the exported rows by split.
        made_with: see `count_made_with`.
        version: the version's name.
    """
    rows = pl.concat(parts.values())
    hinted = rows.filter(pl.col("kind") == "rationalized").height
    policy, cost = as_policy(recipe.keep), cost_of(store, scope)
    return {
        "name": recipe.name,
        "description": recipe.description,
        "run": scope.run,
        "rounds": [scope.first, scope.last],
        "draw_on": scope.draw_on,
        "samples": recipe.sample.k,
        "hinted_samples": recipe.rationalize.k,
        "template": recipe.prompt.template,
        "examples": recipe.export.examples,
        "per_question": recipe.export.per_question,
        "language": recipe.export.language,
        "licence": recipe.export.licence or recipe.questions.licence,
        "questions_licence": recipe.questions.licence,
        "policy": {"name": policy.name, "sql": policy.sql},
        "verifiers": dict(verifiers),
        "funnel": {**asdict(funnel), "not_asked": funnel.not_asked},
        "splits": {name: part.height for name, part in parts.items()},
        "rows": rows.height,
        "rationalized": hinted,
        "made_with": list(made_with),
        "sources": _sources(store, scope.run),
        "cost": {"usd": cost.usd, "per_row": cost.per_row(rows.height), "unpriced": cost.unpriced},
        "later": _later(store, recipe.name, version),
        "code": metadata.version("selftaught"),
    }


def count_made_with(view: View, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how the exported rows were made, and of how many attempts they are what is left."""
    pooled = view.scope.draw_on != "recipe"
    by = [name for name in MADE_WITH if pooled or name != "recipe"]
    rows = rows.with_columns(pl.col("recipe").fill_null("unknown"))
    attempts = view.sql(_ATTEMPTS).with_columns(pl.col("recipe").fill_null("unknown"))
    attempts = attempts.group_by(by).agg(pl.col("attempts").sum(), pl.col("seed_honoured").all(ignore_nulls=False))
    counted = rows.group_by(by).agg(pl.len().cast(pl.Int64).alias("rows"))
    together = attempts.join(counted, on=by, how="left").with_columns(pl.col("rows").fill_null(0))
    return together.sort(by, descending=[name == "kind" for name in by]).to_dicts()


_ATTEMPTS = """
SELECT kind, model, weights, endpoint, parameters::VARCHAR AS parameters, recipe,
       bool_and(seed_honoured) AS seed_honoured, count(*) AS attempts
FROM audited GROUP BY ALL
"""


def _sources(store: Store, run: str) -> list[str]:
    query = """
        SELECT DISTINCT q.source FROM questions q JOIN run_questions r ON r.question = q.hash AND r.run = ?
        ORDER BY q.source"""
    return [_without_folders(source) for source in store.sql(query, [run])["source"]]


def _without_folders(source: str) -> str:
    """A source without the folders of absolute paths: those of this machine are nobody's business."""
    return re.sub(r"(?<![\w:/.])/(?:[^\s'\"/]+/)+", "", source)


_EVALUATIONS = """
SELECT e.held_out, e.questions, e.accuracy, e.low, e.high, e.weights, e.created_at::DATE::VARCHAR AS date
FROM evaluations e JOIN trainings t ON t.weights = e.weights AND t.version = ? AND t.recipe_name = ?
QUALIFY row_number() OVER (PARTITION BY e.held_out, e.weights ORDER BY e.created_at DESC) = 1
ORDER BY e.held_out DESC, e.weights
"""
_LABELS = """
SELECT count(*), count(*) FILTER (flawed), max(created_at)::DATE::VARCHAR FROM (
    FROM labels WHERE attempt IN (SELECT attempt FROM dataset_rows WHERE version = ? AND recipe_name = ?)
    QUALIFY row_number() OVER (PARTITION BY attempt ORDER BY created_at DESC) = 1)
"""


def _later(store: Store, recipe_name: str, version: str) -> dict[str, Any]:
    """What is found out about a version after it is made, each with its date: evaluations and people's labels."""
    with store.read() as connection:
        names: Sequence[str] = ("held_out", "questions", "accuracy", "low", "high", "weights", "date")
        rows = connection.execute(_EVALUATIONS, [version, recipe_name]).fetchall()
        ((labelled, flawed, date),) = connection.execute(_LABELS, [version, recipe_name]).fetchall()
    found: dict[str, Any] = {"evaluations": [dict(zip(names, row, strict=True)) for row in rows], "labels": None}
    if labelled:
        low, high = wilson(flawed, labelled)
        found["labels"] = {"labelled": labelled, "flawed": flawed, "low": low, "high": high, "date": date}
    return found
