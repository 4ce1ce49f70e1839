"""Held-out questions: no question is both trained on and evaluated, whatever the sources say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions import divide_questions
from selftaught_builder.questions.values import normalise
from selftaught_builder.recipe import Questions
from support.reading import rows_of
from support.stores import Scripted


def write(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"question": text, "answer": "7"}) + "\n" for text in texts))


def divided(folder: Path, **settings: Any):
    return divide_questions(Questions.model_validate({"source": "train.jsonl", **settings}), folder)


@given(
    count=st.integers(1, 60),
    validate=st.floats(0.05, 0.45),
    evaluate=st.floats(0.05, 0.45),
    limit=st.one_of(st.none(), st.integers(1, 10)),
)
def test_shares_of_one_source_never_overlap_and_the_accounts_add_up(tmp_path_factory, count, validate, evaluate, limit):
    folder = tmp_path_factory.mktemp("source")
    write(folder / "train.jsonl", [f"What is {n} + 1?" for n in range(count)])
    try:
        parts = divided(
            folder, validate={"share": validate, "limit": limit}, evaluate={"share": evaluate, "limit": limit}
        )
    except QuestionError:
        assume(False)  # every question is held out; a test below says what that gives
    hashes = [
        {question.hash for question in part} for part in (parts.training.questions, parts.validate, parts.evaluate)
    ]
    assert sum(map(len, hashes)) == len(set.union(*hashes))
    loaded = parts.training
    assert loaded.rows == len(loaded.questions) + len(loaded.rejected) + loaded.beyond_limit
    assert limit is None or max(len(parts.validate), len(parts.evaluate)) <= limit


def test_a_question_stays_where_it_is_as_the_source_grows(tmp_path: Path):
    write(tmp_path / "train.jsonl", [f"What is {n} + 1?" for n in range(50)])
    before = {question.hash for question in divided(tmp_path, validate={"share": 0.3}).validate}
    write(tmp_path / "train.jsonl", [f"What is {n} + 1?" for n in range(100)])
    assert before < {question.hash for question in divided(tmp_path, validate={"share": 0.3}).validate}


def test_what_an_evaluate_source_shares_with_training_is_taken_out_of_training(tmp_path: Path):
    write(tmp_path / "train.jsonl", [f"What is {n} + 1?" for n in range(20)])
    write(tmp_path / "test.jsonl", ["what  is 3 + 1?", "What is 99 + 1?"])
    parts = divided(tmp_path, validate={"share": 0.5}, evaluate={"source": "test.jsonl"})
    trained = {normalise(question.text) for question in (*parts.training.questions, *parts.validate)}
    assert "what is 3 + 1?" not in trained
    assert len(parts.evaluate) == 2
    assert parts.evaluate_source == "test.jsonl"


def test_everything_held_out_is_an_error(tmp_path: Path):
    write(tmp_path / "train.jsonl", ["What is 1 + 1?"])
    write(tmp_path / "test.jsonl", ["What is 1 + 1?"])
    with pytest.raises(
        QuestionError, match=r"every question is held out.*\n.*evaluate` reads the questions to train on"
    ):
        divided(tmp_path, evaluate={"source": "test.jsonl"})
    with pytest.raises(QuestionError, match="reads the questions to train on"):
        divided(tmp_path, evaluate={"split": "test"})  # a file has no splits


def test_an_evaluated_or_held_out_attempt_is_never_exported_whatever_the_policy_says(tmp_path: Path):
    """The hard rule: even a policy that keeps everything gets none of them."""

    rows = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(1, 13)]
    scripted = Scripted(
        tmp_path / "room", rows, keep="true", questions={"source": "questions.jsonl", "validate": {"share": 0.4}}
    )
    sampled, evaluated = scripted.attempt(0), scripted.attempt(1, kind="evaluated")
    held = scripted.room.divided.validate[0]
    scripted.loaded.questions.append(held)
    sneaked = scripted.attempt(len(scripted.questions) - 1)  # a sampled attempt at a held-out question
    scripted.verify()
    with (
        scripted.store.writer(),
        scripted.store.write() as connection,
    ):  # even where it stands among the run's questions
        connection.execute("INSERT INTO run_questions VALUES (?, ?, 99)", [scripted.room.run, held.hash])
    rows_out = rows_of(scripted.store, scripted.room.recipe, scripted.scope)
    assert rows_out["attempt"].to_list() == [sampled]
    assert {evaluated, sneaked}.isdisjoint(rows_out["attempt"])


def test_rationalized_rows_are_capped(tmp_path: Path):
    from support.stores import reasoned

    rows = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(1, 13)]
    scripted = Scripted(tmp_path / "room", rows, keep="true", export={"rationalized_share": 0.25})
    for place in range(6):
        scripted.attempt(place)
    for place in range(6, 12):
        scripted.attempt(place, reasoned(scripted.questions[place]), kind="rationalized")
    scripted.verify()
    kinds = rows_of(scripted.store, scripted.room.recipe, scripted.scope)["kind"].to_list()
    assert (kinds.count("sampled"), kinds.count("rationalized")) == (6, 2)
