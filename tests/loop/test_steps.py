"""Steps, the schedule and early stopping, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.loop.ledger import shaping_hash
from selftaught_builder.loop.steps import Step, parse_step, steps_of
from selftaught_builder.loop.stopping import reason_to_stop
from selftaught_builder.recipe import Recipe, Rounds, Steps, load_recipe
from selftaught_builder.stages.table import STAGES

HELD_OUT = {"source": "q.jsonl", "validate": {"share": 0.2}}


def recipe(**keys: Any) -> Recipe:
    return Recipe.model_validate({"name": "x", "questions": HELD_OUT, "train": {}, **keys})


def test_a_round_has_all_stages_in_their_order_and_the_base_is_evaluated_first():
    steps = steps_of(recipe(), 2)
    assert [str(step) for step in steps] == ["0/evaluate", *(f"{n}/{stage.name}" for n in (1, 2) for stage in STAGES)]
    assert steps == sorted(steps, key=lambda step: step.place)


def test_without_held_out_questions_nothing_is_evaluated_and_without_training_nothing_is_trained():
    bare = {"source": "q.jsonl"}
    assert [step.stage for step in steps_of(recipe(questions=bare), 1)] == [stage.name for stage in STAGES[:-1]]
    assert [step.stage for step in steps_of(recipe(train=None), 1)] == [stage.name for stage in STAGES[:-2]]
    assert "rationalize" not in [step.stage for step in steps_of(recipe(rationalize={"k": 0}), 1)]


def test_rounds_without_training_are_refused():
    with pytest.raises(InputError, match="no training between them"):
        steps_of(recipe(train=None), 2)


@pytest.mark.parametrize(("text", "meant"), [("train", Step(2, "train")), ("1/export", Step(1, "export"))])
def test_a_step_is_named_by_stage_or_round_and_stage(text: str, meant: Step):
    assert parse_step(text, "--from", steps_of(recipe(), 2), 2) == meant


@pytest.mark.parametrize("text", ["trian", "3/train", "0/sample", "", "1/", "/train", "1/train/2"])
def test_a_step_that_the_run_has_not_is_refused(text: str):
    with pytest.raises(InputError, match="--from"):
        parse_step(text, "--from", steps_of(recipe(), 2), 1)


def test_star_s_schedules():
    assert [Steps().of(n) for n in (1, 2, 3)] == [40, 48, 58]
    assert [Steps(start=300, growth=1, add=20).of(n) for n in (1, 2, 3)] == [300, 320, 340]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=12), st.integers(1, 5))
def test_a_loop_stops_exactly_when_the_best_lies_patience_rounds_back(percent: list[int], patience: int):
    accuracy = {number: share / 100 for number, share in enumerate(percent)}
    stopped = reason_to_stop(accuracy, Rounds(patience=patience, fall=None)) is not None
    assert stopped == (len(percent) - 1 - percent.index(max(percent)) >= patience)


def test_a_fall_stops_at_once_and_null_never_does():
    falling = {0: 0.5, 1: 0.6, 2: 0.45}
    assert "fell from 60.0% (round 1) to 45.0%" in (reason_to_stop(falling, Rounds(patience=None, fall=0.1)) or "")
    assert reason_to_stop(falling, Rounds(patience=None, fall=None)) is None
    assert reason_to_stop({}, Rounds()) is None
    assert "fell" in (reason_to_stop({0: 0.6, 1: 0.5}, Rounds(patience=None, fall=0.1)) or "")  # floats: 0.0999…


def test_more_rounds_or_patience_change_no_finished_step_and_all_else_does():
    assert shaping_hash(recipe()) == shaping_hash(recipe(rounds={"count": 5, "patience": 1}))
    assert shaping_hash(recipe()) != shaping_hash(recipe(rounds={"data": "accumulate"}))
    assert shaping_hash(recipe()) != shaping_hash(recipe(sample={"k": 7}))


def test_the_recipe_takes_rounds_as_a_number():
    assert recipe(rounds=3).rounds == Rounds(count=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("questions: {source: q.jsonl, validate: {share: 0.6}, evaluate: {share: 0.5}}", "nothing is left"),
        ("questions: {source: q.jsonl, evaluate: {limit: 5}}", "give `share`"),
        ("questions: {source: q.jsonl, validat: {share: 0.5}}", "Did you mean `validate`"),
        ("questions: {source: q.jsonl, validate: {shar: 0.5}}", "Did you mean `share`"),
        ("questions: {source: q.jsonl}\ntrain: {batch_size: 8, micro_batch_size: 3}", "no multiple"),
        ("questions: {source: q.jsonl}\ntrain: {step: {start: 1}}", "Did you mean `steps`"),
        ("questions: {source: q.jsonl}\nendpoint: {kind: external}", "external.start"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, text: str, said: str):
    file = tmp_path / "recipe.yaml"
    file.write_text(f"name: x\n{text}\n")
    with pytest.raises(RecipeError, match=said):
        load_recipe(file)
