"""The filter: a recipe's verifiers and its policy, compiled and checked once for a command and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from selftaught_builder.probing.subjects import check_predicate
from selftaught_builder.recipe import Export, Recipe
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.selection.policy import check_policy, judged_select, kept_of
from selftaught_builder.store import Connection
from selftaught_builder.store.empty import empty_store
from selftaught_builder.store.predicates import check_repeatable
from selftaught_builder.verification import Chosen, chosen_verifiers


@dataclass(frozen=True)
class Filter:
    """What decides whether an attempt is kept, and whether it becomes a row. Make one with `compile_filter`.

    Attributes:
        keep: the policy's name, or its predicate.
        verifiers: the recipe's verifiers at their versions, with their options.
        export: how many of the kept attempts become rows.
    """

    keep: str
    verifiers: tuple[Chosen, ...]
    export: Export = field(default_factory=Export)

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Name to version of the verifiers, in the recipe's order."""
        return {one.name: one.version for one in self.verifiers}

    @cached_property
    def grouped(self) -> frozenset[str]:
        """The names of the verifiers that judge groups."""
        return frozenset(one.name for one in self.verifiers if one.kind == "group")

    @property
    def judged(self) -> str:
        """The SQL of all attempts with the columns that a policy and the hard rules read."""
        return judged_select(self.versions, self.grouped)

    @property
    def policy_line(self) -> str:
        """The policy's SQL on one line, with its name as a comment if it has one."""
        return as_policy(self.keep).line

    def kept(self, attempts: str) -> str:
        """Return the SQL of those rows that are kept of a table or view with the columns of `judged`."""
        return kept_of(self.keep, attempts)

    def check(self, connection: Connection) -> None:
        """Check policy, queries and predicates against a store's columns; nothing of them is run.

        Raises:
            PolicyError: the policy is no SQL predicate over these columns.
            RecipeError: a verifier's query or predicate is wrong.
        """
        check_policy(connection, self.keep, self.versions)
        for one in self.verifiers:
            if one.query:
                check_repeatable(connection, one.query, f"verifiers.{one.name}")
            if one.endpoint:
                check_predicate(connection, one.endpoint.place, one.endpoint.options.of, self.versions)


def compile_filter(recipe: Recipe, connection: Connection | None = None) -> Filter:
    """Return a recipe's filter, checked.

    Args:
        recipe: names the verifiers, the policy, and how many rows there may be.
        connection: a store to check it against; an empty one if None.

    Raises:
        PolicyError: the policy is no SQL predicate.
        RecipeError: an unknown verifier or option, a file that does not define it, or a query that is none.
    """
    filter = Filter(recipe.keep, tuple(chosen_verifiers(recipe)), recipe.export)
    if connection is not None:
        filter.check(connection)
        return filter
    with empty_store() as empty:
        filter.check(empty)
    return filter
