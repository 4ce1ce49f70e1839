"""Audits: the questions to ask of a filter, each a plain SQL file in `audits/`.

They are written over two views made for the occasion: `audited` (the run's sampled and rationalized attempts, with the
recipe's verifiers at their pinned versions) and `kept` (what the policy keeps of them).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

import duckdb
import polars as pl

from selftaught_builder.errors import InputError
from selftaught_builder.policy import check_policy, policy_of
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import Store, run_sql
from selftaught_builder.store.schema import wide_select
from selftaught_builder.verification import versions_of


@dataclass(frozen=True)
class Audit:
    """One canned query.

    Attributes:
        name: its file's name without number: `false_equation`.
        title: the first comment line.
        about: the second comment line: how to read it.
        sql: the whole file.
    """

    name: str
    title: str
    about: str
    sql: str


def audits() -> list[Audit]:
    """Return the shipped audits, in their order."""
    folder = files("selftaught_builder") / "audits"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [_read(name, (folder / name).read_text(encoding="utf-8")) for name in names]


def find_audit(name: str) -> Audit:
    """Return the audit of that name; raises InputError where there is none."""
    known = {audit.name: audit for audit in audits()}
    if name not in known:
        raise InputError(f"no audit `{name}`", place="audit", mend=f"There are: {', '.join(known)}.")
    return known[name]


def run_audit(store: Store, recipe: Recipe, run: str, audit: Audit) -> pl.DataFrame:
    """Run one audit over a run, read-only."""
    with reading_room(store, recipe, run) as connection:
        return run_sql(connection, audit.sql)


@contextmanager
def reading_room(store: Store, recipe: Recipe, run: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection that has the views `audited` and `kept`."""
    versions = versions_of(recipe)
    quoted = run.replace("'", "''")
    mine = f"question IN (SELECT question FROM run_questions WHERE run = '{quoted}')"
    with store.read() as connection:
        check_policy(connection, recipe.keep, versions)
        connection.execute(
            f"CREATE TEMP VIEW audited AS SELECT * FROM ({wide_select(sorted(versions), versions)}) w "
            f"WHERE kind IN ('sampled', 'rationalized') AND {mine}"
        )
        connection.execute(f"CREATE TEMP VIEW kept AS SELECT * FROM ({policy_of(recipe, versions)}) k WHERE {mine}")
        yield connection


def _read(name: str, sql: str) -> Audit:
    first, second = (line.removeprefix("--").strip() for line in sql.splitlines()[:2])
    return Audit(name.removesuffix(".sql").split("_", 1)[1], first, second, sql)
