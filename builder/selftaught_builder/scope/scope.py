"""Scope: which of a store's attempts a recipe draws on. This is the one definition of it.

A store is one pool that runs and recipes share. By default a recipe draws only on the attempts that it asks for itself: of its
questions, the kind, the rendered prompt, the parameters, the sample's index and the weights must be those of an attempt that
the recipe would ask for. That is what an attempt's key covers, so two recipes share exactly the attempts whose keys are equal.
`export: {draw_on: run}` draws on every attempt of the run, `store` on every attempt at its questions.

A rationalized attempt counts only if the recipe rationalizes, and only if no sample of its question is kept: `reading.py` adds
this second condition, since it depends on the policy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.recipe import DrawOn, EndpointSettings
from selftaught_builder.recipe.parameters import parameters_of, stored_form
from selftaught_builder.room.room import Room
from selftaught_builder.store import Store

KINDS = ("sampled", "rationalized")
"""The kinds of attempts that a dataset can hold."""


NEWEST_ROUND = 2**31 - 1


@dataclass(frozen=True)
class AskedKind:
    """How a recipe asks for one kind of attempt: its parameters as stored, and the samples of each question."""

    kind: str
    parameters: str
    k: int


@dataclass(frozen=True)
class Answerer:
    """The model that answers in a round: where its weights are unknown, its name, the run and the round stand for them."""

    round: int
    model: str
    weights: str


@dataclass(frozen=True)
class Asked:
    """What a recipe asks for.

    Attributes:
        kinds: the kinds of attempts.
        answerers: the model of each round that has begun.
        prompter: renders the prompts.
    """

    kinds: Sequence[AskedKind]
    answerers: Sequence[Answerer]
    prompter: Prompter


@dataclass(frozen=True)
class Scope:
    """The attempts on a run's questions that a recipe draws on; held-out questions are never among them.

    Attributes:
        run: the run.
        draw_on: `recipe`, `run` or `store`, see the module.
        asked: what the recipe asks for, under `draw_on: recipe`.
        first, last: the rounds that are drawn on, under `recipe` and `run`.
        accumulate: whether a round draws on the rounds before it, too.
        whole_conversations: under `run` and `store`: leave out an attempt if nothing tells its prompt without the hint.
    """

    run: str
    draw_on: DrawOn = "store"
    asked: Asked | None = None
    first: int = 1
    last: int = NEWEST_ROUND
    accumulate: bool = False
    whole_conversations: bool = False

    def of_all_rounds(self) -> Scope:
        """Return the same over every round that has begun."""
        return replace(self, first=1, last=NEWEST_ROUND)

    def of_round(self, number: int) -> Scope:
        """Return the part that the dataset version of a round draws on."""
        return replace(self, last=number) if self.accumulate else self.only(number)

    def only(self, number: int) -> Scope:
        """Return the attempts of one round alone."""
        return replace(self, first=number, last=number)

    def why_outside(self, attempt: Mapping[str, Any]) -> str:
        """Say what tells an attempt outside the scope from those inside.

        Args:
            attempt: `run`, `kind`, `parameters`, `sample_index`, `weights` and `model`, as stored.
        """
        if self.asked is None:
            return f"made by run {attempt['run']}, and `export.draw_on` is `{self.draw_on}`"
        asked = {one.kind: one for one in self.asked.kinds}.get(attempt["kind"])
        if asked is None:
            return "the recipe does not rationalize"
        if attempt["weights"] not in {one.weights for one in self.asked.answerers}:
            return f"the recipe asks other weights than {attempt['weights']} ({attempt['model']})"
        if attempt["parameters"] != asked.parameters:
            return f"sampled with {attempt['parameters']}; the recipe says {asked.parameters}"
        if attempt["sample_index"] >= asked.k:
            return f"sample {attempt['sample_index'] + 1} of its question, and the recipe asks for {asked.k}"
        return (
            "asked under another prompt than the recipe's, or in another run or round of a model with unknown weights"
        )


def scope_of(store: Store, room: Room, prompter: Prompter | None = None) -> Scope:
    """Return the attempts that a room's recipe draws on, over all rounds that its run has begun.

    Args:
        store: the store.
        room: its recipe and run.
        prompter: renders the recipe's prompts; the room's own if None.
    """
    recipe, rounds = room.recipe, _rounds(store, room.run)
    # Without training there is one round; but a run may have had more before its recipe lost its `train`.
    one_round = recipe.train is None and recipe.export.draw_on == "recipe"
    last = 1 if one_round else max((row["round"] for row in rounds), default=1)
    accumulate = recipe.train is None or recipe.rounds.data == "accumulate"
    scope = Scope(room.run, recipe.export.draw_on, None, 1, last, accumulate)
    if scope.draw_on != "recipe":
        return replace(scope, whole_conversations=True)
    kinds = [
        AskedKind(kind, stored_form(parameters_of(recipe, kind=kind)), k)
        for kind, k in zip(KINDS, (recipe.sample.k, recipe.rationalize.k), strict=True)
        if k
    ]
    answerers = [one for one in answerers_of(rounds, recipe.endpoint) if one.round <= scope.last]
    return replace(scope, asked=Asked(kinds, answerers, prompter or room.prompter))


def answerers_of(rounds: Sequence[Mapping[str, Any]], settings: EndpointSettings) -> list[Answerer]:
    """Return who answers in each round: of the models that began it under this endpoint, the last.

    A round that was begun under another model's name is none of this recipe's. Under the same name at another address it
    counts, unless this very address has answered, too.

    Args:
        rounds: rows of the table `rounds`, those that began last first.
        settings: the recipe's endpoint.
    """
    found: dict[int, Answerer] = {}
    for same_address in (True, False):
        for row in rounds:
            if row["round"] not in found and _is_of(row, settings, same_address=same_address):
                found[row["round"]] = Answerer(row["round"], row["model"], row["weights"])
    return [found[number] for number in sorted(found)]


def _rounds(store: Store, run: str) -> list[dict[str, Any]]:
    query = (
        "SELECT round, recipe, model, weights FROM rounds WHERE run = ? AND round > 0 ORDER BY started_at DESC, model"
    )
    return store.sql(query, [run]).to_dicts()


def _is_of(row: Mapping[str, Any], settings: EndpointSettings, *, same_address: bool) -> bool:
    recorded = json.loads(row["recipe"])
    endpoint = recorded.get("endpoint") if isinstance(recorded, dict) else None
    endpoint = endpoint if isinstance(endpoint, dict) else {"model": row["model"]}
    if endpoint.get("model") != settings.model:
        return False
    there = (endpoint.get("kind"), endpoint.get("base_url"))
    return not same_address or there == (settings.kind, settings.base_url)


def newest_scope(store: Store, room: Room) -> Scope:
    """Return what a dataset version that is exported now draws on: the newest round's part of `scope_of`."""
    scope = scope_of(store, room)
    return scope.of_round(scope.last)
