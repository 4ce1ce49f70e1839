"""Provenance: what a run asked, under which recipe, of which weights, by which code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import orjson
import polars as pl

from selftaught_builder.common.errors import InputError
from selftaught_builder.endpoints.base import Identity
from selftaught_builder.questions import Divided, Question
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import Store, insert_frame

_QUESTION_COLUMNS = [
    "hash",
    "id",
    "source",
    "split",
    "row_number",
    "question",
    "gold",
    "answer_kind",
    "choices",
    "meta",
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


def record_questions(store: Store, run: str, recipe_name: str, divided: Divided) -> None:
    """Store the run, its questions in their order, those held out, and the source rows that became none."""
    loaded = divided.training
    held_out = {"validate": divided.validate, "evaluate": divided.evaluate}
    frames = [
        _frame_of([*loaded.questions, *divided.validate], loaded.source),
        _frame_of(divided.evaluate, divided.evaluate_source),
    ]
    rejected = pl.DataFrame(
        [(run, problem.row, problem.reason, problem.detail) for problem in loaded.rejected],
        schema={"run": pl.String, "row_number": pl.Int64, "reason": pl.String, "detail": pl.String},
        orient="row",
    )
    held = pl.DataFrame(
        [(run, question.hash, name, place) for name, part in held_out.items() for place, question in enumerate(part)],
        schema={"run": pl.String, "question": pl.String, "held_out": pl.String, "position": pl.Int64},
        orient="row",
    )
    asked = pl.DataFrame(
        [(run, question.hash, position) for position, question in enumerate(loaded.questions)],
        schema={"run": pl.String, "question": pl.String, "position": pl.Int64},
        orient="row",
    )
    with store.write() as connection:
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, now(), ?) ON CONFLICT DO UPDATE SET source_rows = excluded.source_rows",
            [run, recipe_name, loaded.rows],
        )
        for frame in frames:
            insert_frame(connection, "questions", frame)
        for table, frame in (("run_questions", asked), ("held_out_questions", held), ("rejected_questions", rejected)):
            connection.execute(f"DELETE FROM {table} WHERE run = ?", [run])
            insert_frame(connection, table, frame)


def _frame_of(questions: Sequence[Question], source: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                question.hash,
                question.id,
                source,
                question.split,
                question.row,
                question.text,
                question.gold,
                question.kind,
                orjson.dumps(question.choices).decode(),
                orjson.dumps(question.meta, default=str).decode(),
            )
            for question in questions
        ],
        schema=_QUESTION_COLUMNS,
        orient="row",
    )


def require_run(store: Store, run: str) -> None:
    """Raise InputError where the store has no run of this name."""
    known = store.sql("SELECT id FROM runs ORDER BY id")["id"].to_list()
    if run not in known:
        mend = f"There are: {', '.join(known)}." if known else "`selftaught run` begins one."
        raise InputError(f"no run `{run}` in this store", place="run", mend=mend)


def known_honours(store: Store, identity: Identity) -> dict[str, bool | None] | None:
    """Return what an earlier round's probe of the same endpoint found, None where there was none."""
    with store.read() as connection:
        row = connection.execute(
            "SELECT honours FROM rounds WHERE endpoint = ? AND model = ? AND weights = ? ORDER BY started_at DESC LIMIT 1",
            [identity.endpoint, identity.model, identity.weights],
        ).fetchone()
    return (json.loads(row[0]) or None) if row else None


def weights_of_round(store: Store, run: str, round_number: int) -> list[str]:
    """Return the weights that have answered in a round so far."""
    known = "SELECT DISTINCT weights FROM rounds WHERE run = ? AND round = ? ORDER BY weights"
    return store.sql(known, [run, round_number])["weights"].to_list()


def record_round(
    store: Store, run: str, round_number: int, recipe: Recipe, who: Sequence[Identity], prompt_form: str | None = None
) -> None:
    """Store under which recipe, endpoints and weights a round works; of several weights, the last to begin are the round's.

    `prompt_form` is the hash of the form that the prompts have, see `prompts.Form`.
    """
    text = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    rows = [
        [
            run,
            round_number,
            recipe.hash,
            text,
            identity.endpoint,
            identity.model,
            identity.weights,
            json.dumps(dict(identity.honours)),
            code_revision(),
            prompt_form,
        ]
        for identity in who
    ]
    with store.write() as connection:
        connection.executemany(
            "INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, now(), ?) ON CONFLICT DO UPDATE SET "
            "started_at = excluded.started_at, honours = excluded.honours, prompt_form = excluded.prompt_form",
            rows,
        )
