"""Asking the held-out questions: greedily, and some times more for pass@k, under one and the same prompt every round."""

from __future__ import annotations

from selftaught_builder.evaluation.summary import Evaluation, Scope, record, recorded, summarise
from selftaught_builder.keys import weights_identity
from selftaught_builder.pipeline import Asked, Part, Silent, Turn, Watcher, ask
from selftaught_builder.plans import Asking, Known, Plan, evaluation_tokens, parameters_of
from selftaught_builder.room import Room
from selftaught_builder.store import Store
from selftaught_builder.verification import verify

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
    turn, parts = turn or Turn(BASE), _parts(room)
    asked = ask(room, parts, watcher or Silent(), turn)
    if asked.interrupted or asked.identity is None:
        return asked, []
    store = room.store()
    now = _scope(room, parts, asked.identity.model, asked.identity.weights, turn.number)
    with store.writer():
        verify(store, room.recipe.verify)
        base = _base(room, store, parts) if turn.number != BASE else None
        found = summarise(store, room.run, turn.number, now, base, room.recipe.verify)
        record(store, found)
    return asked, found


def _parts(room: Room) -> list[Part]:
    recipe, divided = room.recipe, room.divided
    everything = {question.hash: Asking(question) for question in (*divided.validate, *divided.evaluate)}
    greedily, often = list(everything.values()), [Asking(question) for question in divided.evaluate]
    sampling = {**parameters_of(recipe, kind="sampled"), "max_tokens": evaluation_tokens(recipe)}
    return [
        Part("evaluated", lambda store: greedily, 1, parameters_of(recipe, kind="evaluated")),
        Part("evaluated", lambda store: often, recipe.evaluate.k, sampling),
    ]


def _base(room: Room, store: Store, parts: list[Part]) -> Scope | None:
    """The attempts of the model that round 0 evaluated; None where it did not."""
    for one in recorded(store, room.run):
        if one.round == BASE:
            return _scope(room, parts, one.model, one.weights, BASE)
    return None


def _scope(room: Room, parts: list[Part], model: str, weights: str, number: int) -> Scope:
    """The attempts that the parts consist of when these weights answer."""
    identity = weights_identity(weights, run=room.run, round_number=number, model=model)
    greedy, samples = (
        Plan(
            part.kind,
            part.askings(room.store()),
            part.k,
            room.prompter,
            dict(part.parameters),
            identity,
            Known(frozenset(), {}),
        ).keys()
        for part in parts
    )
    return Scope(model, weights, {question: keys[0] for question, keys in greedy.items()}, samples)
