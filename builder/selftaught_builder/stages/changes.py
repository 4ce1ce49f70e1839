"""What a changed recipe means for what is paid for: which attempts no longer count, and what they had cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.prompts.form import Form
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.parameters import parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import scope_of
from selftaught_builder.scope.table import attach_scope
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.spending.costs import dollars
from selftaught_builder.store import Store


@dataclass(frozen=True)
class Changed:
    """How a recipe differs from that of the last run.

    Attributes:
        what: the differences that decide which attempts count, and how they are judged.
        attempts: attempts that counted and no longer do, failed tries among them.
        cost: what they had cost in US dollars, as far as it is known.
        line: all of it in one line.
    """

    what: tuple[str, ...]
    attempts: int
    cost: float | None
    line: str


def changed_recipe(workspace: Workspace) -> Changed | None:
    """Compare a room's recipe with the one that its run last asked under; None if they ask and judge alike.

    Raises:
        RecipeError: the recipe is wrong in itself.
    """
    room = workspace.room
    found = _last(workspace.store, room) if workspace.has_store else None
    if found is None:
        return None
    store, (last, prompter) = workspace.store, found
    what = tuple(_differences(workspace, last, prompter))
    if not what:
        return None
    attempts, cost = _no_longer_counted(store, room, last, prompter)
    lost = "all attempts still count"
    if attempts:
        paid = "" if cost is None else f" (they had cost {dollars(cost)})"
        lost = f"{attempts:,} attempts no longer count{paid}; they stay in the store"
    line = f"the recipe has changed since the last run: {', '.join(what)}; {lost}"
    return Changed(what, attempts, cost, line)


_LAST = """
SELECT r.recipe, f.form FROM rounds r LEFT JOIN prompt_forms f ON f.hash = r.prompt_form
WHERE r.run = ? AND r.round > 0 ORDER BY r.started_at DESC LIMIT 1
"""


def _last(store: Store, room: Room) -> tuple[Recipe, Prompter] | None:
    """The recipe that the run last asked under, and its prompts; None if there is none, or it is of another release."""
    with store.read() as connection:
        row = connection.execute(_LAST, [room.run]).fetchone()
    if row is None:
        return None
    try:
        last = Recipe.model_validate_json(row[0])
        if row[1] is None:
            return last, Prompter.of(last.prompt, room.folder)
        return last, Prompter(Form.of_data(json.loads(row[1])), "the last run's template")
    except (ValidationError, RecipeError, KeyError, TypeError):
        return None


def _differences(workspace: Workspace, last: Recipe, prompter: Prompter) -> Iterator[str]:
    room, now = workspace.room, workspace.room.recipe
    if prompter.form.hash != room.prompter.form.hash:
        yield "prompt"
    for name, of in (("model", lambda one: one.endpoint.model), ("draw_on", lambda one: one.export.draw_on)):
        if of(last) != of(now):
            yield f"{name} {of(last)} → {of(now)}"
    sampled = list(_changes(last, now, "sampled"))
    yield from sampled
    if last.rationalize.k and now.rationalize.k:
        yield from (f"rationalize: {one}" for one in _changes(last, now, "rationalized") if one not in sampled)
    for name, before, after in (
        ("sample.k", last.sample.k, now.sample.k),
        ("rationalize.k", last.rationalize.k, now.rationalize.k),
    ):
        if before != after:
            yield f"{name} {before} → {after}"
    verifiers = list(_verifiers(workspace, last, now))
    if verifiers:
        yield f"verifiers ({', '.join(verifiers)})"


def _changes(last: Recipe, now: Recipe, kind: str) -> Iterator[str]:
    before, after = parameters_of(last, kind=kind), parameters_of(now, kind=kind)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)[:40]


def _verifiers(workspace: Workspace, last: Recipe, now: Recipe) -> Iterator[str]:
    yield from (f"+{name}" for name in now.verify if name not in last.verify)
    yield from (f"-{name}" for name in last.verify if name not in now.verify)
    shown: Mapping[str, str] = dict(workspace.store.sql("SELECT name, version FROM verifiers").iter_rows())
    for name, version in workspace.filter.versions.items():
        if name in last.verify and shown.get(name, version) != version:
            yield f"{name} changed"


_LOST = """
SELECT count(*), sum(a.cost) FROM attempts a
WHERE a.id IN (SELECT attempt FROM before) AND a.id NOT IN (SELECT attempt FROM scoped)
"""


def _no_longer_counted(store: Store, room: Room, last: Recipe, prompter: Prompter) -> tuple[int, float | None]:
    before = scope_of(store, replace(room, recipe=last), prompter)
    with store.read() as connection:
        attach_scope(connection, before, table="before")
        attach_scope(connection, scope_of(store, room))
        ((attempts, cost),) = connection.execute(_LOST).fetchall()
    return attempts, cost
