"""Rooms and stores with scripted attempts: filled through the journal, as sampling does, without any endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from selftaught_builder.common.keys import attempt_id, attempt_key, seed_of
from selftaught_builder.endpoints.base import Identity
from selftaught_builder.export.version import Version
from selftaught_builder.prompts.row import prompt_row
from selftaught_builder.questions import Question
from selftaught_builder.recipe.parameters import parameters_of, stored_form
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.sampling.provenance import record_questions, record_round
from selftaught_builder.scope.asked_prompts import record_prompts
from selftaught_builder.scope.scope import Scope, scope_of
from selftaught_builder.verification import Verified, chosen_verifiers, verify
from support.attempts import attempt_row
from support.rooms import write_room
from support.stages import export

WHO = Identity("http://127.0.0.1:1/v1", "scripted", "sha256:" + "0" * 16, {"seed": True})

SUMS = (
    {"question": "Ann has 2 pens and buys 3 more. How many has she?", "answer": "5"},
    {"question": "Bob had 9 eggs and ate 2. How many are left?", "answer": "7"},
    {"question": "Four boxes hold 6 cups each. How many cups are there?", "answer": "24"},
    {"question": "Cleo walks 8 miles on each of 5 days. How many miles is that?", "answer": "40"},
)

EXAMPLES = [
    {"question": "A hen lays 3 eggs, another 4. How many?", "rationale": "3 + 4 = 7.", "answer": "7"},
    {"question": "Of 12 rolls 5 are sold. How many are left?", "rationale": "12 - 5 = 7.", "answer": "7"},
]


def scripted_room(folder: Path, rows: Sequence[Mapping[str, Any]] = SUMS, **recipe: Any) -> Path:
    """Write a room: a recipe with these keys, its questions and two few-shot rationales. Returns its folder."""
    # A policy of its own: most scripted rationales are too bare for the default one.
    filtered = {"verify": ["answer", "equations", "hint_leak"], "keep": "equations <> 'fail' AND hint_leak <> 'fail'"}
    # The recipe asks for as many samples as any test scripts.
    asked = {"sample": {"k": 100}, "rationalize": {"k": 100}}
    keys = {"name": "sums", "questions": {"source": "questions.jsonl", "licence": "mit"}, **filtered, **asked, **recipe}
    return write_room(folder, rows, keys, EXAMPLES)


def right(question: Question) -> str:
    """Return a completion that says the right answer and no more than that."""
    return f"We think it through. The answer is {question.gold}."


def reasoned(question: Question) -> str:
    """Return a completion that reasons its way to the right answer, so that no hint shows in it."""
    return f"First count what was there before, then add or take away what has changed. The answer is {question.gold}."


class Scripted:
    """A room whose store is filled with scripted attempts.

    Args:
        folder: where the room is made.
        rows: the question source's rows.
        recipe: keys of the recipe, over the defaults.
    """

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, Any]] = SUMS, **recipe: Any) -> None:
        self.room: Room = open_room(scripted_room(folder, rows, **recipe))
        self.loaded = self.room.questions
        self.store = self.room.store(create=True)
        self.notes: dict[str, Any] = {}  # what a test wants to find again
        self._count = 0
        with self.store.writer():
            record_questions(self.store, self.room.run, self.room.recipe.name, self.room.divided)
            record_prompts(self.store, self.room.run, self.room.prompter)
            record_round(self.store, self.room.run, 1, self.room.recipe, [WHO])

    @property
    def questions(self) -> list[Question]:
        """The room's questions."""
        return self.loaded.questions

    def attempt(self, question: int, completion: str | None = None, *, kind: str = "sampled", **columns: Any) -> str:
        """Journal one attempt at a question, the right one where no completion is given. Returns the attempt's id.

        Args:
            question: the question's place in the source.
            completion: what the model said.
            kind: the attempt's kind; a rationalized one is asked with the hint.
            columns: further columns of the attempt, in place of the usual ones.
        """
        asked = self.questions[question]
        prompt = self.room.prompter.ask(asked, hint=kind == "rationalized")
        parameters = parameters_of(self.room.recipe, kind=kind)
        index = columns.get("sample_index", self._count)
        self._count += 1
        key = attempt_key(kind, asked.hash, prompt.hash, parameters, index, WHO.weights)
        usual = {
            "run": self.room.run,
            "question": asked.hash,
            "kind": kind,
            "sample_index": index,
            "prompt": prompt.hash,
            "completion": right(asked) if completion is None else completion,
            "endpoint": WHO.endpoint,
            "model": WHO.model,
            "model_replied": WHO.model,
            "tokens_in": 10,
            "tokens_out": 5,
            "weights": WHO.weights,
            "parameters": stored_form(parameters),
            "seed": seed_of(key),
            "seed_honoured": True,
            "created_at": datetime.now(UTC).isoformat(),
        }
        row = attempt_row(key, **{**usual, "id": attempt_id(key, 1), **columns})
        self.store.journal.append(prompt_row(prompt))
        self.store.journal.append(row)
        return row["id"]

    def verify(self) -> Verified:
        """Move the journal into the tables and add the verdicts."""
        with self.store.writer():
            self.store.commit_journal()
            return verify(self.store, chosen_verifiers(self.room.recipe), self.scope)

    @property
    def scope(self) -> Scope:
        """What the recipe draws on."""
        return scope_of(self.store, self.room)

    def export(self, **recipe: Any) -> Version:
        """Verify, and export under the recipe with these keys replaced on disk."""
        self.verify()
        return export(self.amended(**recipe))

    def amended(self, **recipe: Any) -> Room:
        """Replace keys of the recipe on disk; return the room as it is opened then."""
        file = self.room.folder / "recipe.yaml"
        keys = {**yaml.safe_load(file.read_text(encoding="utf-8")), **recipe}
        file.write_text(yaml.safe_dump(keys, sort_keys=False), encoding="utf-8")
        return open_room(self.room.folder)
