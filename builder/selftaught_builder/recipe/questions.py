"""`questions` and `prompt`: what is asked, and how it is put."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from selftaught_builder.recipe.section import Column, Count, Section


class ValidateSet(Section):
    """The held-out questions that steer: early stopping and the choice of the best checkpoint look only here."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training source's questions, chosen by the question's hash, that is held out."""
    limit: Count | None = None
    """Evaluate at most this many of them; the rest stays unused."""


class EvaluateSet(Section):
    """The held-out questions that are only reported. What is absent is as for the training questions."""

    source: str | None = None
    """Another source, as under `questions.source`."""
    split: str | None = None
    """Another split of the source."""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Instead of a source or split of their own: this share of the training source's questions, chosen by their hash."""
    limit: Count | None = None
    """Evaluate at most this many, after shuffling."""
    shuffle: int | None = None
    """Seed to shuffle with before the limit."""

    @model_validator(mode="after")
    def _is_apart(self) -> EvaluateSet:
        if (self.share is None) == (self.source is None and self.split is None):
            raise ValueError("give `share`, or a `source` or `split` of its own")
        return self


class Questions(Section):
    """Where the questions come from and how a row becomes a question."""

    source: str | None = None
    """A file (.jsonl, .csv, .parquet), a folder that Hugging Face `datasets` reads, `hf://OWNER/NAME[/CONFIG][@REVISION]`,
    or `gym://TASK?seed=1&size=500` (reasoning-gym). Relative paths start at the recipe's folder."""
    query: str | None = None
    """An SQL query run by DuckDB instead of a source; with `source: FILE.duckdb` it runs over that database."""
    question: Column = "question"
    """The field that holds the question, or a template over the row's fields: "{{ Body }} {{ Question }}"."""
    answer: Column = "answer"
    """The field that holds the known answer, with filters: `answer|after:####` takes what follows the last `####`."""
    choices: Column | None = None
    """The field that holds the choices: {"A": "bank", ...}, ["bank", ...] or {"label": [...], "text": [...]}."""
    id: Column | None = None
    """The field that names a question; without it the row number does."""
    kind: Literal["auto", "number", "letter", "yesno", "date", "math", "text", "code"] = "auto"
    """How answers compare. `auto`: letter where there are choices, else number, yesno, date, math (formulas) or text by the
    answer itself. Answers that are programs, `code`, pass the row's own tests (docs/verifiers.md)."""
    split: str | None = None
    """The split to read of a Hugging Face dataset."""
    longest: Count | None = None
    """Leave out questions of more characters than this."""
    limit: Count | None = None
    """Use at most this many questions, after shuffling."""
    shuffle: int | None = None
    """Seed to shuffle with before the limit; without it the source's order stands."""
    licence: str | None = None
    """The source's licence, for the dataset card (an SPDX id in lower case, as the hub writes it)."""
    validation: Annotated[ValidateSet | None, Field(alias="validate")] = None
    evaluate: EvaluateSet | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> Questions:
        if not (self.source or self.query):
            raise ValueError("give `source` or `query`")
        held = sum(part.share or 0.0 for part in (self.validation, self.evaluate) if part)
        if held >= 1:
            raise ValueError(f"validate.share and evaluate.share hold out {held:.0%}: nothing is left to train on")
        return self


class Prompt(Section):
    """How a question is put to the model."""

    template: str = "star-cot"
    """A shipped template's name, or a path to a Jinja file of your own."""
    examples: str | None = "examples.yaml"
    """The few-shot rationales, a file in the room; null for none."""
    shots: Annotated[int, Field(ge=0)] | None = None
    """Use only the first so many examples."""
    style: Literal["chat", "completion"] = "chat"
    """`chat` sends messages; `completion` sends one plain prompt, for base models."""
    system: str | None = None
    """A system message, replacing the template's own."""
