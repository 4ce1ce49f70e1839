"""Scope: a round works with what its own recipe asks of its own weights, whatever else the store holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selftaught_builder.endpoints.base import Identity
from selftaught_builder.sampling.provenance import record_round
from selftaught_builder.scope.scope import scope_of
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.reading import reading
from support.stores import WHO, Scripted, reasoned

OTHER = "sha256:" + "1" * 16


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """A room that trains, so that it has several rounds."""
    return Scripted(tmp_path / "sums", keep="answer = 'pass'", sample={"k": 4}, train={"base_model": "base"})


def drawn_on(scripted: Scripted, number: int = 1, since: int = 1) -> set[str]:
    """Return the attempts that a round may draw on."""
    scripted.verify()
    room = scripted.room
    scope = replace(scope_of(scripted.store, room), first=since, last=number)
    with reading(scripted.store, scope, compile_filter(room.recipe)) as view:
        return {attempt for (attempt,) in view.connection.execute("SELECT id FROM audited").fetchall()}


def test_what_another_run_asked_in_the_same_way_counts_and_in_another_way_does_not(scripted: Scripted) -> None:
    mine = scripted.attempt(0, sample_index=0)
    same = scripted.attempt(1, sample_index=0, run="another", round=3)
    scripted.attempt(2, sample_index=0, run="another", prompt="p" * 32)
    scripted.attempt(2, sample_index=0, run="another", parameters='{"temperature":2}')
    scripted.attempt(2, sample_index=9, run="another")
    scripted.attempt(2, sample_index=0, run="another", weights=OTHER)
    assert drawn_on(scripted) == {mine, same}


def test_known_weights_are_one_model_under_whatever_name(scripted: Scripted) -> None:
    """Keys name weights and no model: what is not asked for again must not be missing either."""
    assert drawn_on(scripted) == set()
    renamed = scripted.attempt(0, sample_index=0, run="another", model="before it was renamed")
    assert drawn_on(scripted) == {renamed}


def test_unknown_weights_are_those_of_the_run_the_round_and_the_model(scripted: Scripted) -> None:
    with scripted.store.writer():
        record_round(
            scripted.store, scripted.room.run, 2, scripted.room.recipe, [Identity("x", "scripted", "unknown", {})]
        )
    wanted = scripted.attempt(0, sample_index=0, weights="unknown", round=2)
    for column in ({"run": "another"}, {"round": 1}, {"model": "another"}):
        scripted.attempt(1, sample_index=len(column), **{"weights": "unknown", "round": 2, **column})
    assert drawn_on(scripted, 2, 2) == {wanted}


def test_a_round_that_began_anew_with_other_weights_leaves_the_old_ones(scripted: Scripted) -> None:
    old = scripted.attempt(0, sample_index=0)
    new = scripted.attempt(0, sample_index=1, weights=OTHER)
    assert drawn_on(scripted) == {old}
    for weights, wanted in ((OTHER, new), (WHO.weights, old)):
        with scripted.store.writer():
            identity = Identity(WHO.endpoint, WHO.model, weights, {})
            record_round(scripted.store, scripted.room.run, 1, scripted.room.recipe, [identity])
        assert drawn_on(scripted) == {wanted}


def test_only_failures_are_rationalized_also_by_another_run_s_policy(scripted: Scripted) -> None:
    """Another run's stricter policy rationalized what is kept here; drawing on that would change what this run trains on."""
    kept = scripted.attempt(0, sample_index=0)
    scripted.attempt(0, reasoned(scripted.questions[0]), kind="rationalized", sample_index=0, run="another")
    failed = scripted.attempt(1, "The answer is 1.", sample_index=0)
    hinted = scripted.attempt(1, reasoned(scripted.questions[1]), kind="rationalized", sample_index=0, run="another")
    assert drawn_on(scripted) == {kept, failed, hinted}
