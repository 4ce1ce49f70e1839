"""The prompts that a run's questions are asked under, as the store records them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl
from pydantic import ValidationError

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.recipe import Prompt as PromptSettings
from selftaught_builder.room.room import Room
from selftaught_builder.store import Store, insert_frame


@dataclass(frozen=True)
class StoredQuestion:
    """A question as a template sees it."""

    text: str
    gold: str
    choices: Mapping[str, str]


def record_prompts(store: Store, run: str, prompter: Prompter) -> None:
    """Store how a run's questions are put: what a recipe asks for can then be told from the store alone.

    The caller holds the writer lock, and has recorded the questions.
    """
    form = prompter.form
    with store.read() as connection:
        rows = list(
            rendered(connection.execute(UNRENDERED_QUESTIONS, {"run": run, "form": form.hash}).fetchall(), prompter)
        )
        known = connection.execute("SELECT count(*) FROM prompt_forms WHERE hash = ?", [form.hash]).fetchone() == (1,)
    if known and not rows:
        return
    frame = pl.DataFrame(rows, schema=["question", "plain", "hinted"], orient="row")
    text = orjson.dumps(form.data).decode()
    with store.write() as connection:
        insert_frame(connection, "prompt_forms", pl.DataFrame({"hash": [form.hash], "form": [text]}))
        insert_frame(connection, "asked_prompts", frame.with_columns(pl.lit(form.hash).alias("form")))


def recover_prompts(store: Store, room: Room) -> None:
    """Record the forms of the prompts that earlier recipes of this room used, as far as their templates are still there.

    A store from before forms were recorded does not tell how its rationalized attempts were put without the hint. Rendered
    anew, a form is known by its prompts' hashes.
    """
    recorded = store.sql("SELECT DISTINCT recipe ->> 'prompt' AS prompt FROM rounds")["prompt"].drop_nulls()
    for text in recorded:
        try:
            prompter = Prompter.of(PromptSettings.model_validate_json(text), room.folder)
            record_prompts(store, room.run, prompter)
        except (ValidationError, RecipeError):  # of another release, or its files are gone
            continue


def prompt_hashes(store: Store, form: str, *, hint: bool) -> dict[str, str]:
    """Return the hash of each question's prompt under a form, by the question's; with the hint or without."""
    column = "hinted" if hint else "plain"
    with store.read() as connection:
        return dict(
            connection.execute(f"SELECT question, {column} FROM asked_prompts WHERE form = ?", [form]).fetchall()
        )


def rendered(questions: Iterable[tuple[Any, ...]], prompter: Prompter) -> Iterator[tuple[str, str, str]]:
    """Yield question, plain prompt and hinted prompt, as hashes."""
    for question, text, gold, choices in questions:
        asked = StoredQuestion(text, gold, orjson.loads(choices))
        yield question, prompter.ask(asked).hash, prompter.ask(asked, hint=True).hash


TRAINING_QUESTIONS = """
    SELECT question FROM run_questions WHERE run = $run
    EXCEPT SELECT question FROM held_out_questions WHERE run = $run"""

UNRENDERED_QUESTIONS = f"""
SELECT q.hash, q.question, q.gold, q.choices FROM questions q
WHERE q.hash IN ({TRAINING_QUESTIONS}) AND q.hash NOT IN (SELECT question FROM asked_prompts WHERE form = $form)"""
PROMPTS_OF_FORM = "SELECT question, plain, hinted FROM asked_prompts WHERE form = $form"
