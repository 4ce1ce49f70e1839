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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import orjson
import polars as pl
from pydantic import ValidationError

from selftaught_builder.errors import RecipeError
from selftaught_builder.keys import UNKNOWN_WEIGHTS
from selftaught_builder.parameters import parameters_of, stored_form
from selftaught_builder.prompts import Prompter
from selftaught_builder.recipe import DrawOn, EndpointSettings
from selftaught_builder.recipe import Prompt as PromptSettings
from selftaught_builder.room import Room
from selftaught_builder.store import Store, insert_frame

KINDS = ("sampled", "rationalized")
"""The kinds of attempts that a dataset can hold."""
NEWEST_ROUND = 2**31 - 1


@dataclass(frozen=True)
class StoredQuestion:
    """A question as a template sees it."""

    text: str
    gold: str
    choices: Mapping[str, str]


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


@contextmanager
def scoped(store: Store, scope: Scope | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the store for reading, with the temporary table `scoped` of `attach_scope`; without a scope it holds everything."""
    with store.read() as connection:
        if scope is None:
            connection.execute(f"CREATE TEMP TABLE scoped AS {_EVERYTHING}")
        else:
            attach_scope(connection, scope)
        yield connection


def attach_scope(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Add the temporary table `scoped (attempt, round, model)`: a scope's attempts, tries without a completion among them.

    `round` is the round that draws on the attempt, and `model` the name that its model has there: known weights are one model
    under whatever name and in whatever run they were asked before.
    """
    if scope.draw_on == "recipe" and scope.asked is not None:
        _attach_prompts(connection, scope.run, scope.asked.prompter)
        query, values = _ASKED, _asked_values(scope, scope.asked)
    elif scope.draw_on == "run":
        query, values = f"{_ANY} AND a.run = $run AND a.round BETWEEN $first AND $last", _rounds_values(scope)
    else:
        query, values = _ANY, {"run": scope.run}
    if scope.whole_conversations:
        query = f"{query} AND ({_CONVERSATION_KNOWN})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE scoped AS {query}", values)


def record_prompts(store: Store, run: str, prompter: Prompter) -> None:
    """Store how a run's questions are put: what a recipe asks for can then be told from the store alone.

    The caller holds the writer lock, and has recorded the questions.
    """
    form = prompter.form
    with store.read() as connection:
        rows = list(_rendered(connection.execute(_LACKING, {"run": run, "form": form.hash}).fetchall(), prompter))
        known = connection.execute("SELECT count(*) FROM prompt_forms WHERE hash = ?", [form.hash]).fetchone() == (1,)
    if known and not rows:
        return
    frame = pl.DataFrame(rows, schema=["question", "plain", "hinted"], orient="row")
    text = orjson.dumps(form.data).decode()
    with store.write() as connection:
        insert_frame(connection, "prompt_forms", pl.DataFrame({"hash": [form.hash], "form": [text]}))
        insert_frame(connection, "asked_prompts", frame.with_columns(pl.lit(form.hash).alias("form")))


def recover_prompts(store: Store, room: Room) -> None:
    """Record the forms of the prompts that earlier recipes of this room used, as far as their templates are still there.

    A store from before forms were recorded does not tell how its rationalized attempts were put without the hint. Rendered
    anew, a form is known by its prompts' hashes.
    """
    recorded = store.sql("SELECT DISTINCT recipe ->> 'prompt' AS prompt FROM rounds")["prompt"].drop_nulls()
    for text in recorded:
        try:
            prompter = Prompter.of(PromptSettings.model_validate_json(text), room.folder)
            record_prompts(store, room.run, prompter)
        except (ValidationError, RecipeError):  # of another release, or its files are gone
            continue


def _attach_prompts(connection: duckdb.DuckDBPyConnection, run: str, prompter: Prompter) -> None:
    """Add the temporary table `prompts_here`; what the store does not tell of it is rendered."""
    at = {"run": run, "form": prompter.form.hash}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE prompts_here AS {_PROMPTS}", {"form": at["form"]})
    rendered = list(_rendered(connection.execute(_LACKING, at).fetchall(), prompter))
    if rendered:
        columns = [list(column) for column in zip(*rendered, strict=True)]
        connection.execute(
            "INSERT INTO prompts_here SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", columns
        )


def _rendered(questions: Iterable[tuple[Any, ...]], prompter: Prompter) -> Iterator[tuple[str, str, str]]:
    """Yield question, plain prompt and hinted prompt, as hashes."""
    for question, text, gold, choices in questions:
        asked = StoredQuestion(text, gold, orjson.loads(choices))
        yield question, prompter.ask(asked).hash, prompter.ask(asked, hint=True).hash


def _rounds_values(scope: Scope) -> dict[str, Any]:
    return {"run": scope.run, "first": scope.first, "last": scope.last}


def _asked_values(scope: Scope, asked: Asked) -> dict[str, Any]:
    return {
        **_rounds_values(scope),
        "unknown": UNKNOWN_WEIGHTS,
        "kinds": [one.kind for one in asked.kinds],
        "parameters": [one.parameters for one in asked.kinds],
        "ks": [one.k for one in asked.kinds],
        "rounds": [one.round for one in asked.answerers],
        "models": [one.model for one in asked.answerers],
        "weights": [one.weights for one in asked.answerers],
    }


_OF_RUN = """
    SELECT question FROM run_questions WHERE run = $run
    EXCEPT SELECT question FROM held_out_questions WHERE run = $run"""

_EVERYTHING = f"SELECT a.id AS attempt, a.round, a.model FROM attempts a WHERE a.kind IN {KINDS}"
_ANY = f"{_EVERYTHING} AND a.question IN ({_OF_RUN})"

# The weights are known, or the run, the round and the model stand for them.
_ASKED = f"""
WITH kinds AS (
    SELECT unnest($kinds::VARCHAR[]) AS kind, unnest($parameters::VARCHAR[]) AS parameters, unnest($ks::BIGINT[]) AS k
), answerers AS (
    SELECT unnest($rounds::INTEGER[]) AS round, unnest($models::VARCHAR[]) AS model, unnest($weights::VARCHAR[]) AS weights
)
SELECT a.id AS attempt, min(w.round) AS round, arg_min(w.model, w.round) AS model
FROM attempts a
JOIN kinds k ON k.kind = a.kind AND k.parameters = a.parameters::VARCHAR AND a.sample_index < k.k
JOIN prompts_here p ON p.question = a.question AND a.prompt = if(a.kind = 'rationalized', p.hinted, p.plain)
JOIN answerers w ON w.weights = a.weights AND w.round BETWEEN $first AND $last
    AND (w.weights <> $unknown OR (w.model = a.model AND a.run = $run AND a.round = w.round))
WHERE a.question IN ({_OF_RUN})
GROUP BY a.id"""

_PROMPTS = "SELECT question, plain, hinted FROM asked_prompts WHERE form = $form"

_LACKING = f"""
SELECT q.hash, q.question, q.gold, q.choices FROM questions q
WHERE q.hash IN ({_OF_RUN}) AND q.hash NOT IN (SELECT question FROM asked_prompts WHERE form = $form)"""

# A sample's prompt is what it was asked under; of a rationalized one somebody must know the prompt without the hint.
_CONVERSATION_KNOWN = """
    EXISTS (FROM asked_prompts p WHERE p.question = a.question AND a.prompt = if(a.kind = 'rationalized', p.hinted, p.plain))
    OR (a.kind = 'sampled' AND a.prompt IN (SELECT hash FROM prompts))"""
