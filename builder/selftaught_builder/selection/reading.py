"""Reading a run: a connection that has the views `audited` and `kept`, which hold what the recipe draws on and no more.

Everything that counts attempts for a person or selects rows for a dataset reads them here, so that version, card, `status`,
`report`, audits and `selftaught sql` cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl

from selftaught_builder.scope.groups import attach_groups
from selftaught_builder.scope.scope import Scope
from selftaught_builder.scope.table import attach_scope
from selftaught_builder.selection.filter import Filter
from selftaught_builder.store import Connection, Store, run_sql

VIEWS = ("audited", "kept")


@dataclass(frozen=True)
class View:
    """What a recipe draws on, as long as it is being read.

    Attributes:
        connection: has the views of `attach_views`.
        scope: which attempts there are.
        filter: which of them are kept.
    """

    connection: Connection
    scope: Scope
    filter: Filter

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Run one query and return a frame. Raises InputError if DuckDB refuses it."""
        return run_sql(self.connection, query, parameters)


@contextmanager
def reading(store: Store, scope: Scope, filter: Filter) -> Iterator[View]:
    """Open the store for reading, with the views of `attach_views`."""
    with store.read() as connection:
        attach_scope(connection, scope)
        attach_views(connection, scope, filter)
        yield View(connection, scope, filter)


def attach_views(connection: Connection, scope: Scope, filter: Filter) -> None:
    """Add the views over the attempts of a scope, whose table `scoped` is there.

    - `needless`: rationalized attempts that the recipe would not ask for, since a sample of their question is kept.
    - `audited`: the other attempts, as in `attempts_wide`, with the recipe's verifiers at their pinned versions. `round` is
      the round that draws on the attempt, and `model` the name that these weights have there.
    - `kept`: those of them that the policy and the hard rules keep.
    """
    if scope.draw_on == "recipe":
        _attach_groups(connection, filter, samples_only=True)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW audited AS {_audited(filter)}")
        earlier = "<=" if scope.accumulate else "="
        needless = _NEEDLESS.format(kept=filter.kept("rationalized_samples"), earlier=earlier)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW rationalized_samples AS {_RATIONALIZED_SAMPLES}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE needless AS {needless}")
        connection.execute("DELETE FROM scoped WHERE attempt IN (SELECT attempt FROM needless)")
    else:
        connection.execute("CREATE OR REPLACE TEMP TABLE needless (attempt VARCHAR)")
    _attach_groups(connection, filter, samples_only=False)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW audited AS {_audited(filter)}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW kept AS {filter.kept('audited')}")


def _attach_groups(connection: Connection, filter: Filter, *, samples_only: bool) -> None:
    if filter.grouped:
        attach_groups(connection, samples_only=samples_only)


def _audited(filter: Filter) -> str:
    return f"SELECT w.* REPLACE (s.round AS round, s.model AS model) FROM ({filter.judged}) w JOIN scoped s ON s.attempt = w.id"


# Only these decide whether a rationalized attempt is needed; so no other one is judged by the policy.
_RATIONALIZED_SAMPLES = """
SELECT * FROM audited WHERE kind = 'sampled' AND question IN (SELECT question FROM audited WHERE kind = 'rationalized')"""

_NEEDLESS = """
SELECT r.id AS attempt FROM audited r
WHERE r.kind = 'rationalized' AND EXISTS (
    FROM ({kept}) s WHERE s.question = r.question AND s.round {earlier} r.round
)"""
