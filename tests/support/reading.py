"""What a recipe draws on, read as `status` and an export read it, from a store, a recipe and a scope."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from selftaught_builder.audit.accounts import Accounts, count_accounts
from selftaught_builder.recipe import Recipe
from selftaught_builder.room import Room
from selftaught_builder.scope.scope import Scope, newest_scope
from selftaught_builder.selection.failed import failed_questions
from selftaught_builder.selection.fates import fates_of
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.funnel import Funnel, count_funnel
from selftaught_builder.selection.reading import reading
from selftaught_builder.selection.selected import select_rows
from selftaught_builder.store import Store


def rows_of(store: Store, recipe: Recipe, scope: Scope) -> pl.DataFrame:
    """Return the rows that would be exported."""
    with reading(store, scope, compile_filter(recipe)) as view:
        return select_rows(view)


def fates_in(store: Store, recipe: Recipe, scope: Scope) -> pl.DataFrame:
    """Return each attempt's fate."""
    with reading(store, scope, compile_filter(recipe)) as view:
        return fates_of(view)


def failed_in(store: Store, recipe: Recipe, scope: Scope) -> Mapping[str, str]:
    """Return the questions without a kept sample, each with its first failed attempt."""
    with reading(store, scope, compile_filter(recipe)) as view:
        return failed_questions(view)


def accounts_of(store: Store, room: Room) -> Accounts:
    """Return what a run paid for."""
    return count_accounts(store, room, fates_in(store, room.recipe, newest_scope(store, room)))


def funnel_of(store: Store, recipe: Recipe, scope: Scope) -> Funnel:
    """Return the funnel."""
    with reading(store, scope, compile_filter(recipe)) as view:
        return count_funnel(view)
