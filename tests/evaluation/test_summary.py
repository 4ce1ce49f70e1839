"""The summary of an evaluation: every held-out question counts, and only the attempts of the plan do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selftaught_builder.evaluation.statistics import mcnemar_exact, wilson
from selftaught_builder.evaluation.summary import Evaluation, best, record, recorded, summarise
from support.loops import BASE, FALSE, SILENT, TRUE, VERSIONS, WRONG, Loop

LATER = "sha256:" + "1" * 16


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop(tmp_path, validate=2, evaluate=6)


def by_set(found: list[Evaluation]) -> dict[str, Evaluation]:
    return {one.held_out: one for one in found}


def test_every_held_out_question_is_in_the_denominator(loop: Loop) -> None:
    loop.attempt("evaluate-0", TRUE)
    loop.attempt("evaluate-1", FALSE, tokens_out=30)
    loop.attempt("evaluate-2", WRONG)
    loop.attempt("evaluate-3", SILENT, finish_reason="length")
    loop.attempt("evaluate-4", "", error="server", finish_reason="", tokens_out=None)  # evaluate-5 was never asked
    loop.verify()
    validate, evaluate = summarise(loop.store, "sums", 0, loop.examinee(), None, VERSIONS)
    assert (validate.held_out, validate.questions, validate.correct, validate.accuracy) == ("validate", 2, 0, 0.0)
    assert validate.rationale_tokens is None
    assert (evaluate.questions, evaluate.correct, evaluate.answered, evaluate.truncated) == (6, 2, 3, 1)
    assert evaluate.false_equation == 1
    assert evaluate.accuracy == 2 / 6
    assert (evaluate.low, evaluate.high) == wilson(2, 6)
    assert evaluate.rationale_tokens == (10 + 30 + 10 + 10) / 4
    assert (evaluate.only_base, evaluate.only_now, evaluate.p_value) == (None, None, None)
    assert (evaluate.k, evaluate.pass_at_k, evaluate.majority_at_k) == (0, {}, None)


def test_a_later_try_that_succeeds_counts(loop: Loop) -> None:
    loop.attempt("evaluate-0", "", error="timeout", finish_reason="")
    loop.attempt("evaluate-0", TRUE, try_=2)
    loop.verify()
    assert by_set(summarise(loop.store, "sums", 0, loop.examinee(), None, VERSIONS))["evaluate"].correct == 1


def test_only_attempts_of_the_plan_count(loop: Loop) -> None:
    loop.attempt("evaluate-0", TRUE, temperature=1)  # no greedy one
    loop.attempt("evaluate-1", TRUE, kind="sampled")
    loop.attempt("evaluate-2", TRUE, weights=LATER)
    loop.attempt("evaluate-3", TRUE, run="another", round=7)  # the same key: the same weights, prompt and parameters
    loop.attempt("training-0", TRUE)
    loop.verify()
    assert by_set(summarise(loop.store, "sums", 0, loop.examinee(), None, VERSIONS))["evaluate"].correct == 1


def test_the_pairs_are_the_questions(loop: Loop) -> None:
    said = [(TRUE, WRONG), (WRONG, TRUE), (SILENT, TRUE), (TRUE, TRUE)]
    for place, (before, after) in enumerate(said):
        loop.attempt(f"evaluate-{place}", before)
        loop.attempt(f"evaluate-{place}", after, weights=LATER, round=2)
    loop.attempt("evaluate-4", TRUE, weights=LATER)  # the base has no attempt: wrong
    loop.verify()
    found = by_set(summarise(loop.store, "sums", 1, loop.examinee(LATER), loop.examinee(), VERSIONS))
    now = found["evaluate"]
    assert (now.only_base, now.only_now, now.p_value) == (1, 3, mcnemar_exact(1, 3))
    assert (now.correct, now.round, now.weights) == (4, 1, LATER)
    assert found["validate"].p_value is None  # of these nobody asked the base any: there is nothing to compare


def test_samples_are_counted_beside_the_greedy_attempts(loop: Loop) -> None:
    five, thousand = "The answer is 5.", "The answer is 1,000."
    asked = {
        0: [five, thousand, "The answer is 1000."],  # the thousands outvote the five
        1: ["The answer is 6.", five, "The answer is 5.0."],
        2: [SILENT, SILENT, five],
        3: [SILENT, SILENT, SILENT],
    }
    for place, texts in asked.items():
        for index, text in enumerate(texts):
            loop.attempt(f"evaluate-{place}", text, index=index, temperature=1)
    loop.attempt("evaluate-4", five, index=0, temperature=1)
    loop.attempt("evaluate-4", "", index=1, temperature=1, error="server", finish_reason="")
    loop.verify()
    validate, evaluate = summarise(loop.store, "sums", 0, loop.examinee(k=3), None, VERSIONS)
    assert (validate.k, validate.pass_at_k) == (0, {})
    assert evaluate.k == 3
    assert evaluate.pass_at_k == pytest.approx({"1": (1 + 2 + 1 + 1) / 18, "2": (2 + 3 + 2 + 2) / 18, "3": 4 / 6})
    assert evaluate.majority_at_k == 3 / 6
    assert evaluate.correct == 0


def test_false_equations_are_counted_only_where_somebody_looked(loop: Loop) -> None:
    loop.attempt("evaluate-0", FALSE)
    loop.verify(["answer"])
    found = by_set(summarise(loop.store, "sums", 0, loop.examinee(), None, {"answer": VERSIONS["answer"]}))
    assert (found["evaluate"].correct, found["evaluate"].false_equation) == (1, None)


def test_a_run_without_held_out_questions_has_no_evaluation(tmp_path: Path) -> None:
    loop = Loop(tmp_path, validate=0, evaluate=0)
    assert summarise(loop.store, "sums", 0, loop.examinee(), None, VERSIONS) == []
    record(loop.store, [])
    assert recorded(loop.store, "sums") == []


def test_what_was_recorded_is_read_back_and_replaced(loop: Loop) -> None:
    loop.evaluated(0, BASE, 2, k=2)
    loop.evaluated(1, LATER, 5, k=2)
    once = recorded(loop.store, "sums")
    assert [(one.held_out, one.round) for one in once] == [
        ("validate", 0),
        ("validate", 1),
        ("evaluate", 0),
        ("evaluate", 1),
    ]
    assert once[3] == summarise(loop.store, "sums", 1, loop.examinee(LATER, 2), loop.examinee(), VERSIONS)[1]
    record(loop.store, once)
    assert recorded(loop.store, "sums") == once
    record(loop.store, [replace(once[3], weights="sha256:" + "2" * 16, correct=6)])
    assert [one.correct for one in recorded(loop.store, "sums")][3] == 6  # trained again: the last one counts
    assert recorded(loop.store, "another") == []


def test_the_best_is_chosen_on_validate_and_the_earliest_of_equals(loop: Loop) -> None:
    loop.evaluated(0, BASE, 1)
    [validate, evaluate] = recorded(loop.store, "sums")
    assert best([evaluate]) is None
    rounds = [replace(validate, round=number, accuracy=share) for number, share in enumerate((0.3, 0.5, 0.5, 0.4))]
    assert best([replace(evaluate, accuracy=1.0), *reversed(rounds)]) == rounds[1]
