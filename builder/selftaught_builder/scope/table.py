"""A scope as a temporary table of the store, for whoever counts or selects attempts in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selftaught_builder.common.keys import weights_identity
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.scope.asked_prompts import PROMPTS_OF_FORM, TRAINING_QUESTIONS, UNRENDERED_QUESTIONS, rendered
from selftaught_builder.scope.scope import KINDS, Asked, Scope
from selftaught_builder.store import Connection, Store
from selftaught_builder.store.identity import weights_identity_of


@contextmanager
def scoped(store: Store, scope: Scope | None) -> Iterator[Connection]:
    """Open the store for reading, with the temporary table `scoped` of `attach_scope`; without a scope it holds everything."""
    with store.read() as connection:
        if scope is None:
            connection.execute(f"CREATE TEMP TABLE scoped AS {_EVERYTHING}")
        else:
            attach_scope(connection, scope)
        yield connection


def attach_scope(connection: Connection, scope: Scope, table: str = "scoped") -> None:
    """Add a temporary table `scoped (attempt, round, model)`: a scope's attempts, tries without a completion among them.

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
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}", values)


def _attach_prompts(connection: Connection, run: str, prompter: Prompter) -> None:
    """Add the temporary table `prompts_here`; what the store does not tell of it is rendered."""
    at = {"run": run, "form": prompter.form.hash}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE prompts_here AS {PROMPTS_OF_FORM}", {"form": at["form"]})
    lacking = list(rendered(connection.execute(UNRENDERED_QUESTIONS, at).fetchall(), prompter))
    if lacking:
        columns = [list(column) for column in zip(*lacking, strict=True)]
        connection.execute(
            "INSERT INTO prompts_here SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", columns
        )


def _rounds_values(scope: Scope) -> dict[str, Any]:
    return {"run": scope.run, "first": scope.first, "last": scope.last}


def _asked_values(scope: Scope, asked: Asked) -> dict[str, Any]:
    return {
        **_rounds_values(scope),
        "kinds": [one.kind for one in asked.kinds],
        "parameters": [one.parameters for one in asked.kinds],
        "ks": [one.k for one in asked.kinds],
        "rounds": [one.round for one in asked.answerers],
        "models": [one.model for one in asked.answerers],
        "identities": [
            weights_identity(one.weights, run=scope.run, round_number=one.round, model=one.model)
            for one in asked.answerers
        ],
    }


_EVERYTHING = f"SELECT a.id AS attempt, a.round, a.model FROM attempts a WHERE a.kind IN {KINDS}"


_ANY = f"{_EVERYTHING} AND a.question IN ({TRAINING_QUESTIONS})"


_ASKED = f"""
WITH kinds AS (
    SELECT unnest($kinds::VARCHAR[]) AS kind, unnest($parameters::VARCHAR[]) AS parameters, unnest($ks::BIGINT[]) AS k
), answerers AS (
    SELECT unnest($rounds::INTEGER[]) AS round, unnest($models::VARCHAR[]) AS model, unnest($identities::VARCHAR[]) AS identity
)
SELECT a.id AS attempt, min(w.round) AS round, arg_min(w.model, w.round) AS model
FROM attempts a
JOIN kinds k ON k.kind = a.kind AND k.parameters = a.parameters::VARCHAR AND a.sample_index < k.k
JOIN prompts_here p ON p.question = a.question AND a.prompt = if(a.kind = 'rationalized', p.hinted, p.plain)
JOIN answerers w ON w.identity = {weights_identity_of("a")} AND w.round BETWEEN $first AND $last
WHERE a.question IN ({TRAINING_QUESTIONS})
GROUP BY a.id"""


# A sample's prompt is what it was asked under; of a rationalized one somebody must know the prompt without the hint.
_CONVERSATION_KNOWN = """
    EXISTS (FROM asked_prompts p WHERE p.question = a.question AND a.prompt = if(a.kind = 'rationalized', p.hinted, p.plain))
    OR (a.kind = 'sampled' AND a.prompt IN (SELECT hash FROM prompts))"""
