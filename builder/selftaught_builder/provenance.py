"""Provenance: what a run asked, under which recipe, of which weights, by which code."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import orjson
import polars as pl

from selftaught_builder.endpoints.base import Identity
from selftaught_builder.errors import InputError
from selftaught_builder.questions import Loaded
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import Store, insert_frame

_QUESTION_COLUMNS = [
    *("hash", "id", "source", "split", "row_number", "question", "gold", "answer_kind", "choices", "meta"),
    *("run", "position"),
]


@cache
def code_revision() -> str:
    """Return this package's version, with the commit where it runs from a checkout."""
    version = metadata.version("selftaught")
    here = Path(__file__).resolve().parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+g{commit.stdout.strip()}"


def record_questions(store: Store, run: str, recipe_name: str, loaded: Loaded) -> None:
    """Store the run, its questions in their order, and the source rows that became none."""
    questions = pl.DataFrame(
        [
            (
                question.hash,
                question.id,
                loaded.source,
                question.split,
                question.row,
                question.text,
                question.gold,
                question.kind,
                orjson.dumps(question.choices).decode(),
                orjson.dumps(question.meta, default=str).decode(),
                run,
                position,
            )
            for position, question in enumerate(loaded.questions)
        ],
        schema=_QUESTION_COLUMNS,
        orient="row",
    )
    rejected = pl.DataFrame(
        [(run, problem.row, problem.reason, problem.detail) for problem in loaded.rejected],
        schema={"run": pl.String, "row_number": pl.Int64, "reason": pl.String, "detail": pl.String},
        orient="row",
    )
    asked = questions.select("run", pl.col("hash").alias("question"), "position")
    with store.write() as connection:
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, now(), ?) ON CONFLICT DO UPDATE SET source_rows = excluded.source_rows",
            [run, recipe_name, loaded.rows],
        )
        insert_frame(connection, "questions", questions.drop("run", "position"))
        connection.execute("DELETE FROM run_questions WHERE run = ?", [run])
        insert_frame(connection, "run_questions", asked)
        connection.execute("DELETE FROM rejected_questions WHERE run = ?", [run])
        insert_frame(connection, "rejected_questions", rejected)


def require_run(store: Store, run: str) -> None:
    """Raise InputError where the store has no run of this name."""
    known = store.sql("SELECT id FROM runs ORDER BY id")["id"].to_list()
    if run not in known:
        mend = f"There are: {', '.join(known)}." if known else "`selftaught sample` begins one."
        raise InputError(f"no run `{run}` in this store", place="run", mend=mend)


def known_honours(store: Store, identity: Identity) -> dict[str, bool | None] | None:
    """Return what an earlier round's probe of the same endpoint found, None where there was none."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT honours FROM rounds WHERE endpoint = ? AND model = ? AND weights = ? ORDER BY started_at DESC LIMIT 1",
            [identity.endpoint, identity.model, identity.weights],
        ).fetchone()
    return json.loads(row[0]) if row else None


def record_round(store: Store, run: str, round_number: int, recipe: Recipe, identity: Identity) -> None:
    """Store under which recipe, endpoint and weights a round works, once."""
    with store.write() as connection:
        connection.execute(
            "INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, now()) ON CONFLICT DO NOTHING",
            [
                run,
                round_number,
                recipe.hash,
                json.dumps(recipe.model_dump(mode="json"), sort_keys=True),
                identity.endpoint,
                identity.model,
                identity.weights,
                json.dumps(dict(identity.honours)),
                code_revision(),
            ],
        )
