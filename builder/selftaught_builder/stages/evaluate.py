"""Asking the held-out questions: greedily, and some times more for pass@k, under one and the same prompt every round."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from selftaught_builder.common.keys import weights_identity
from selftaught_builder.endpoints import Identity
from selftaught_builder.evaluation.summary import Evaluation, Examinee, record, recorded, summarise
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.parameters import evaluation_tokens, parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.plan import Asking, Known, Plan
from selftaught_builder.stages.asking import Part, ask
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge, expect_requests
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Answerer, Stage
from selftaught_builder.store import Store
from selftaught_builder.verification import verify

BASE = 0


def evaluate(context: RoundContext) -> StageResult:
    """Ask the round's model all held-out questions, verify, and record what came of it.

    Round 0 is the base model, which later rounds are compared with. Raises what `sample` raises.
    """
    room = context.room
    parts = [
        Part("evaluated", lambda askings=askings: askings, k, parameters, title)
        for title, (askings, k, parameters) in zip(
            ("greedy", f"{room.recipe.evaluate.k} samples"), _asked(room), strict=True
        )
    ]
    result = ask(context, parts)
    facts = {"asked": conditions(room)}
    identity = result.asked.identity if result.asked else None
    found = [] if result.stop or identity is None else _summarise(context, identity)
    notes = [f"{one.held_out}: {one.accuracy:.1%} [{one.low:.1%}, {one.high:.1%}] of {one.questions}" for one in found]
    if not found and not result.stop:
        notes = ["no question of the source fell to the held-out sets"]
    return replace(result, facts=facts, evaluations=found, notes=notes)


def _summarise(context: RoundContext, identity: Identity) -> list[Evaluation]:
    room, store, filter = context.room, context.workspace.store, context.filter
    now = _examinee(room, identity.model, identity.weights, context.round)
    with store.writer():
        verify(store, filter.verifiers, context.workspace.scope())
        base = _base(room, store) if context.round != BASE else None
        found = summarise(store, room.run, context.round, now, base, filter.versions)
        record(store, found)
    return found


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


def expects(room: Room, number: int, known: StoreKnowledge) -> Expected:
    """Return what the stage would ask for; what another round has asked of the same weights is not looked up."""
    recipe, divided = room.recipe, room.divided
    requests = len(divided.validate) + len(divided.evaluate) * (1 + recipe.evaluate.k)
    mean = known.mean("evaluated") or known.mean("sampled")
    return expect_requests(recipe.endpoint, requests, evaluation_tokens(recipe), mean)


def _belongs(recipe: Recipe) -> bool:
    held_out = recipe.questions.validation is not None or recipe.questions.evaluate is not None
    return recipe.train is not None and held_out


STAGE = Stage(
    "evaluate",
    evaluate,
    asks="evaluated",
    belongs=_belongs,
    answerer=lambda room: Answerer.OWN_ROUND,
    expects=expects,
    on_base_model=True,
    conditions=conditions,
)
