"""Asking the held-out questions: greedily, and some times more for pass@k, under one and the same prompt every round."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from selftaught_builder.common.keys import weights_identity
from selftaught_builder.evaluation.summary import Evaluation, Examinee, record, recorded, summarise
from selftaught_builder.recipe.parameters import evaluation_tokens, parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.plan import Asking, Known, Plan
from selftaught_builder.scope.scope import scope_of
from selftaught_builder.stages.pipeline import Asked, Part, Silent, Turn, Watcher, ask
from selftaught_builder.store import Store
from selftaught_builder.verification import verify, versions_of

BASE = 0


def evaluate(room: Room, watcher: Watcher | None = None, turn: Turn | None = None) -> tuple[Asked, list[Evaluation]]:
    """Ask the round's model all held-out questions, verify, and record what came of it.

    Args:
        room: the room; its recipe holds out questions.
        watcher: who is told.
        turn: the round and its endpoint; round 0 is the base model, which later rounds are compared with.

    Raises:
        what `pipeline.sample` raises.
    """
    turn = turn or Turn(BASE)
    parts = [
        Part("evaluated", lambda store, askings=askings: askings, k, parameters, title)
        for title, (askings, k, parameters) in zip(
            ("greedy", f"{room.recipe.evaluate.k} samples"), _asked(room), strict=True
        )
    ]
    asked = ask(room, parts, watcher or Silent(), turn)
    if asked.interrupted or asked.identity is None:
        return asked, []
    store = room.store()
    now = _examinee(room, asked.identity.model, asked.identity.weights, turn.number)
    with store.writer():
        verify(store, room.recipe, scope_of(store, room))
        base = _base(room, store) if turn.number != BASE else None
        found = summarise(store, room.run, turn.number, now, base, versions_of(room.recipe))
        record(store, found)
    return asked, found


def conditions(room: Room) -> str:
    """Return a hash over what is asked greedily: the held-out sets, prompts and parameters, whichever model answers.

    Accuracies can be compared where it is the same.
    """
    greedy, divided = _keys(room, _asked(room)[0], weights=""), room.divided
    sets = [[greedy[question.hash] for question in part] for part in (divided.validate, divided.evaluate)]
    return hashlib.sha256(json.dumps(sets).encode()).hexdigest()[:16]


_Asked = tuple[list[Asking], int, dict[str, Any]]


def _asked(room: Room) -> tuple[_Asked, _Asked]:
    """What is asked, how often, and under which parameters: everything greedily, and the evaluate set for pass@k."""
    recipe, divided = room.recipe, room.divided
    everything = {question.hash: Asking(question) for question in (*divided.validate, *divided.evaluate)}
    often = [Asking(question) for question in divided.evaluate]
    sampling = {**parameters_of(recipe, kind="sampled"), "max_tokens": evaluation_tokens(recipe)}
    return (
        (list(everything.values()), 1, parameters_of(recipe, kind="evaluated")),
        (often, recipe.evaluate.k, sampling),
    )


def _base(room: Room, store: Store) -> Examinee | None:
    """The attempts of the model that round 0 evaluated; None where it did not."""
    for one in recorded(store, room.run):
        if one.round == BASE:
            return _examinee(room, one.model, one.weights, BASE)
    return None


def _examinee(room: Room, model: str, weights: str, number: int) -> Examinee:
    """The attempts that an evaluation consists of when these weights answer."""
    identity = weights_identity(weights, run=room.run, round_number=number, model=model)
    greedy, samples = (_keys(room, asked, identity) for asked in _asked(room))
    return Examinee(model, weights, {question: keys[0] for question, keys in greedy.items()}, samples)


def _keys(room: Room, asked: _Asked, weights: str) -> dict[str, list[str]]:
    """The attempt keys by question."""
    askings, k, parameters = asked
    return Plan("evaluated", askings, k, room.prompter, parameters, weights, Known(frozenset(), {})).keys()
