"""Stores of a loop, filled by hand: what rounds, trainings and evaluations leave behind, without any model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from selftaught_builder.common.keys import attempt_key
from selftaught_builder.evaluation.summary import Examinee, record, summarise
from selftaught_builder.recipe import Recipe
from selftaught_builder.scope.scope import Answerer, Asked, AskedKind, Scope
from selftaught_builder.store import Store, insert_frame, open_store
from selftaught_builder.store.records import frame
from selftaught_builder.store.rows import AttemptRow
from selftaught_builder.verification import chosen_verifiers, verify
from selftaught_verifiers import get_verifier
from support.attempts import attempt_row

BASE = "sha256:" + "0" * 16
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
TRUE, FALSE = "2 + 3 = 5. The answer is 5.", "2 + 2 = 5, so the answer is 5."
WRONG, SILENT = "2 + 4 = 6. The answer is 6.", "No idea."
VERIFIERS = ["answer", "equations"]
VERSIONS = {name: get_verifier(name).version for name in VERIFIERS}


class _OnePrompt:
    """Puts every question in the same words."""

    form = SimpleNamespace(hash="f" * 32)

    def ask(self, question: Any, *, hint: bool = False) -> Any:
        """Return the prompt of every attempt here."""
        return SimpleNamespace(hash="p" * 32)


def _recipe(verifiers: Sequence[str]) -> Recipe:
    keys = {"verify": verifiers, "keep": "answer-only", "rationalize": {"k": 0}}
    return Recipe.model_validate({"name": "sums", "questions": {"source": "q.jsonl"}, **keys})


@dataclass
class Loop:
    """A store of one run.

    Attributes:
        folder: where the store lies.
        run: the run's name.
        validate, evaluate, training: questions of each set, all with the answer 5.
    """

    folder: Path
    run: str = "sums"
    validate: int = 4
    evaluate: int = 10
    training: int = 6
    store: Store = field(init=False)
    rounds: list[Answerer] = field(default_factory=list)
    _attempts: list[AttemptRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = open_store(self.folder / "store.duckdb", create=True)
        sets = {"validate": self.validate, "evaluate": self.evaluate, "training": self.training}
        with self.store.write() as connection:
            connection.execute("INSERT INTO runs VALUES (?, 'sums', ?, 20)", [self.run, START])
            for name, count in sets.items():
                for place in range(count):
                    values = [self.question(name, place), f"{name}-{place}", "q.jsonl", "train", place + 1]
                    connection.execute(
                        "INSERT INTO questions VALUES (?, ?, ?, ?, ?, 'Ann has 2 pens and buys 3. How many?', '5', "
                        "'number', '{}', '{}') ON CONFLICT DO NOTHING",
                        values,
                    )
                    connection.execute(
                        "INSERT INTO asked_prompts VALUES (?, ?, ?, ?)", ["f" * 32, values[0], "p" * 32, "p" * 32]
                    )
                    if name == "training":
                        connection.execute("INSERT INTO run_questions VALUES (?, ?, ?)", [self.run, values[0], place])
                    else:
                        row = [self.run, values[0], name, place]
                        connection.execute("INSERT INTO held_out_questions VALUES (?, ?, ?, ?)", row)

    @property
    def recipe(self) -> Recipe:
        """A recipe with the verifiers of `verify`."""
        return _recipe(VERIFIERS)

    @property
    def scope(self) -> Scope:
        """What a recipe draws on that asks as `attempt` does."""
        kinds = [AskedKind(kind, json.dumps({"temperature": 0}), 100) for kind in ("sampled", "rationalized")]
        return Scope(self.run, "recipe", Asked(kinds, self.rounds, cast(Any, _OnePrompt())))

    def question(self, name: str, place: int) -> str:
        """Return the hash of a question by its set and place."""
        return f"{name}-{place}"

    def attempt(
        self, question: str, completion: str, *, kind: str = "evaluated", index: int = 0, **columns: Any
    ) -> str:
        """Add an attempt; return its id. `temperature`, 0 where absent, is the only parameter."""
        parameters = {"temperature": columns.pop("temperature", 0)}
        weights = columns.get("weights", BASE)
        key = attempt_key(kind, question, "prompt", parameters, index, weights)
        number = columns.pop("try_", 1)
        usual = {
            "try": number,
            "run": self.run,
            "kind": kind,
            "question": question,
            "sample_index": index,
            "prompt": "p" * 32,
            "completion": completion,
            "endpoint": "http://127.0.0.1:1/v1",
            "model": "tiny",
            "model_replied": "tiny",
            "created_at": START.isoformat(),
            "weights": weights,
            "parameters": json.dumps(parameters),
            "tokens_in": 20,
            "tokens_out": 10,
        }
        row = attempt_row(key, **{**usual, **columns})
        self._attempts.append(row)
        return row["id"]

    def verify(self, names: Sequence[str] = VERIFIERS) -> None:
        """Move the attempts into the store and add the verdicts."""
        with self.store.write() as connection:
            insert_frame(connection, "attempts", frame("attempts", self._attempts))
        self._attempts.clear()
        with self.store.writer():
            verify(self.store, chosen_verifiers(_recipe(names)))

    def examinee(self, weights: str = BASE, k: int = 0) -> Examinee:
        """Return the keys of a model's evaluation: greedy on both sets, k samples on the evaluate set."""
        asked = [
            self.question(name, place) for name in ("validate", "evaluate") for place in range(getattr(self, name))
        ]

        def key(question: str, temperature: float, index: int) -> str:
            return attempt_key("evaluated", question, "prompt", {"temperature": temperature}, index, weights)

        sampled = [question for question in asked if question.startswith("evaluate")] if k else []
        samples = {question: [key(question, 1, index) for index in range(k)] for question in sampled}
        return Examinee("tiny", weights, {question: key(question, 0, 0) for question in asked}, samples)

    def evaluated(self, round_number: int, weights: str, right: int, k: int = 0) -> None:
        """Evaluate a model that gets the first `right` of the evaluate questions, and half of them with true equations."""
        for name in ("validate", "evaluate"):
            for place in range(getattr(self, name)):
                said = (TRUE if place % 2 else FALSE) if place < right else WRONG
                where = {"weights": weights, "round": round_number}
                self.attempt(self.question(name, place), said, **where)
                for index in range(k if name == "evaluate" else 0):
                    self.attempt(self.question(name, place), said, index=index, temperature=1, **where)
        self.verify()
        base = None if round_number == 0 else self.examinee()
        with self.store.writer():
            found = summarise(self.store, self.run, round_number, self.examinee(weights, k), base, VERSIONS)
            record(self.store, found)

    def round(self, number: int, weights: str) -> None:
        """Say which weights a round worked with."""
        self.rounds.append(Answerer(number, "tiny", weights))
        row = [self.run, number, "r" * 16, "{}", "http://127.0.0.1:1/v1", "tiny", weights, "{}", "0", START, None]
        with self.store.write() as connection:
            connection.execute(f"INSERT INTO rounds VALUES ({', '.join('?' * len(row))})", row)

    def version(self, name: str, attempts: Sequence[str], **columns: Any) -> None:
        """Add a dataset version made of these attempts."""
        number = int(name[1 : name.index("-")])
        policy = "answer = 'pass' and equations <> 'fail'"
        row = {
            "recipe_name": "sums",
            "version": name,
            "number": number,
            "content": "c" * 64,
            "run": self.run,
            "recipe_hash": "r" * 16,
            "policy": policy,
            "verifiers": "{}",
            "row_count": len(attempts),
            "created_at": START + timedelta(minutes=number),
            **columns,
        }
        with self.store.write() as connection:
            insert_frame(connection, "dataset_versions", pl.DataFrame([row]))
            row = {"recipe_name": "sums", "version": name, "split": "train", "role": "sft"}
            insert_frame(connection, "dataset_rows", pl.DataFrame([{**row, "attempt": one} for one in attempts]))

    def trained(self, number: int, version: str, weights: str | None, base: str = BASE, **columns: Any) -> None:
        """Add a training that made these weights of a version."""
        row = {
            "id": f"training-{number}-{weights}",
            "run": self.run,
            "round": number,
            "recipe_name": "sums",
            "version": version,
            "base_model": "base",
            "base_weights": base,
            "yaml": "a: 1\n",
            "yaml_hash": "y" * 64,
            "folder": f"rounds/{number}",
            "trainer": "axolotl 0.19.0",
            "steps": 40,
            "started_at": START,
            "finished_at": START,
            "seconds": 50.0,
            "losses": "[[1, 1.5], [40, 0.25]]",
            "model": "m",
            "weights": weights,
            **columns,
        }
        with self.store.write() as connection:
            insert_frame(connection, "trainings", pl.DataFrame([row]))

    def stage(self, number: int, stage: str, finished: bool = True, **detail: Any) -> None:
        """Add a stage that took ten seconds by the clock."""
        ended = START + timedelta(seconds=10) if finished else None
        with self.store.write() as connection:
            row = [self.run, number, stage, "r" * 16, START, ended, json.dumps(detail)]
            connection.execute("INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?, ?)", row)
