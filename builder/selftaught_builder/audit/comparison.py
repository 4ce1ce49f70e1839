"""Two policies over the same attempts: what one keeps that the other drops, and which verdicts tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import Policy, as_policy, shipped_policies, verifier_of
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.policy import check_policy, kept_of
from selftaught_builder.selection.reading import reading
from selftaught_builder.store import Connection, Store, run_sql
from selftaught_verifiers import registered

OWN = "recipe"
"""Stands for the room's own policy."""


@dataclass(frozen=True)
class Side:
    """What one policy keeps and the other drops.

    Attributes:
        rows: how many attempts.
        against: for each verdict that the other policy reads and that is no pass on some of them: `fail`, `unscorable` and
            `missing` count them, `alone` those where it alone fails. Most fails first.
        unexplained: attempts of which none of these verdicts fails; a condition of another sort drops them.
        examples: some of them, of every combination of failing verdicts: attempt, kind, question_id, question, gold,
            rationale, and in `against` the reason of each verdict that fails.
    """

    rows: int
    against: pl.DataFrame
    unexplained: int
    examples: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """Two policies, A and B, over what a recipe draws on.

    Attributes:
        policies: A and B.
        kept: a row for each kind of attempt, for all, and for the questions covered: `a`, `b`, `both`, `only_a`, `only_b`.
        only_a: what A keeps and B drops.
        only_b: what B keeps and A drops.
        unverified: verifiers that the policies read, and how many completions lack their verdict.
    """

    policies: tuple[Policy, Policy]
    kept: pl.DataFrame
    only_a: Side
    only_b: Side
    unverified: Mapping[str, int]


def compare_policies(
    store: Store, recipe: Recipe, scope: Scope, policies: tuple[str, str], *, examples: int = 3
) -> Comparison:
    """Compare what two policies keep of the attempts that a recipe draws on, before duplicates and the limit per question.

    Args:
        store: the store, verified.
        recipe: its verifiers have its options; what the policies read beyond them is taken with default options.
        scope: the attempts.
        policies: each a shipped policy's name, `recipe`, or an SQL predicate.
        examples: how many to show of each side.

    Raises:
        PolicyError: one is no predicate, or reads an unknown verifier.
        InputError: the store has no verdict of a verifier that they read.
    """
    a, b = policies_of(recipe, policies)
    filter = compile_filter(_widened(recipe, (a, b)))
    versions = filter.versions
    with reading(store, scope, filter) as view:
        connection = view.connection
        for policy in (a, b):
            check_policy(connection, policy.name or policy.sql, versions)
        read = {
            name: {verifier_of(column) for column in _read(policy, versions)} for name, policy in (("a", a), ("b", b))
        }
        # What a query yields no verdict on is meant to have none, and a model is asked about a part.
        counted = [
            one.name for one in filter.verifiers if one.kind in ("row", "group") and one.name in read["a"] | read["b"]
        ]
        unverified = _unverified(connection, counted, recipe, scope.run)
        columns = sorted(_read(a, versions) | _read(b, versions) | {"answer"})
        run_sql(
            connection,
            _COMPARED.format(
                columns=", ".join(f"w.{column}" for column in columns),
                a=kept_of(a.name or a.sql, "audited"),
                b=kept_of(b.name or b.sql, "audited"),
            ),
        )
        compared = run_sql(connection, "SELECT * EXCLUDE (id, question) FROM compared")
        sides = [
            _side(connection, compared, keeps, drops, sorted(_read(policy, versions)), versions, examples)
            for keeps, drops, policy in (("a", "b", b), ("b", "a", a))
        ]
        return Comparison((a, b), run_sql(connection, _KEPT), *sides, unverified)


def policies_of(recipe: Recipe, names: Sequence[str]) -> list[Policy]:
    """Return the policies of these names: shipped ones, the recipe's, or predicates."""
    return [as_policy(recipe.keep if name == OWN else name) for name in names]


def _widened(recipe: Recipe, policies: Sequence[Policy]) -> Recipe:
    """The recipe with the verifiers of selftaught that the policies read besides its own."""
    words = {verifier_of(word) for policy in policies for word in policy.words}
    more = [one.name for one in registered() if one.name in words and one.name not in recipe.verify]
    return recipe.model_copy(update={"verify": [*recipe.verify, *more]})


def _read(policy: Policy, verifiers: Mapping[str, str]) -> set[str]:
    """The columns with outcomes that a policy reads."""
    return {word for word in policy.words if word in verifiers or word == "answer_strict"}


def _unverified(connection: Connection, names: Sequence[str], recipe: Recipe, run: str) -> dict[str, int]:
    if not names:
        return {}
    counts = ", ".join(f"count(*) FILTER ({name} = 'missing')" for name in names)
    query = f"SELECT count(*), {counts} FROM audited WHERE error IS NULL"
    ((completions, *missing),) = connection.execute(query).fetchall()
    lacking = [name for name, count in zip(names, missing, strict=True) if count and count == completions]
    if lacking:
        quoted = ", ".join(f"`{name}`" for name in lacking)
        more = [name for name in lacking if name not in recipe.verify]
        mend = "Run `selftaught verify`; it asks no model."
        if more:
            mend = f"Add {', '.join(more)} to `verify` in the recipe, and run `selftaught verify`; it asks no model."
        raise InputError(f"no verdicts of {quoted}", place=f"run {run}", mend=mend)
    return {name: count for name, count in zip(names, missing, strict=True) if count}


_COMPARED = """
CREATE TEMP TABLE compared AS
SELECT w.id, w.kind, w.question, {columns}, a.id IS NOT NULL AS in_a, b.id IS NOT NULL AS in_b
FROM audited w
LEFT JOIN (SELECT id FROM ({a})) a ON a.id = w.id
LEFT JOIN (SELECT id FROM ({b})) b ON b.id = w.id
WHERE in_a OR in_b
"""

_KEPT = """
WITH of_question AS (SELECT question, bool_or(in_a) AS in_a, bool_or(in_b) AS in_b FROM compared GROUP BY question),
counted AS (
    SELECT 1 AS place, kind AS kept, in_a, in_b FROM compared
    UNION ALL SELECT 2, 'rationales', in_a, in_b FROM compared
    UNION ALL SELECT 3, 'questions', in_a, in_b FROM of_question
)
SELECT kept, count(*) FILTER (in_a) AS a, count(*) FILTER (in_b) AS b, count(*) FILTER (in_a AND in_b) AS both,
       count(*) FILTER (in_a AND NOT in_b) AS only_a, count(*) FILTER (in_b AND NOT in_a) AS only_b
FROM counted GROUP BY place, kept ORDER BY place, kept DESC
"""


def _side(
    connection: Connection,
    compared: pl.DataFrame,
    keeps: str,
    drops: str,
    columns: Sequence[str],
    versions: Mapping[str, str],
    examples: int,
) -> Side:
    only = compared.filter(pl.col(f"in_{keeps}") & ~pl.col(f"in_{drops}"))
    fails = pl.sum_horizontal(*(pl.col(column) == "fail" for column in columns)) if columns else pl.lit(0)
    only = only.with_columns(fails.alias("fails"))
    counted = [
        {
            "verdict": column,
            **{outcome: (only[column] == outcome).sum() for outcome in ("fail", "unscorable", "missing")},
            "alone": ((only[column] == "fail") & (only["fails"] == 1)).sum(),
        }
        for column in columns
    ]
    schema = {"verdict": pl.String, "fail": pl.Int64, "alone": pl.Int64, "unscorable": pl.Int64, "missing": pl.Int64}
    against = pl.DataFrame(counted, schema=schema).filter(pl.sum_horizontal("fail", "unscorable", "missing") > 0)
    shown = _examples(connection, keeps, drops, columns, versions, examples)
    ordered = against.sort("fail", "alone", "verdict", descending=[True, True, False])
    return Side(only.height, ordered, only.filter(pl.col("fails") == 0).height, shown)


_EXAMPLES = """
SELECT c.id AS attempt, c.kind, q.id AS question_id, q.question, q.gold, t.completion AS rationale, c.pattern
FROM (
    SELECT *, row_number() OVER (PARTITION BY pattern ORDER BY id) AS place
    FROM (SELECT *, [{pattern}] AS pattern FROM compared WHERE in_{keeps} AND NOT in_{drops})
) c JOIN attempts t ON t.id = c.id JOIN questions q ON q.hash = c.question
ORDER BY place, c.id LIMIT ?
"""

_REASON = """
SELECT reason, detail ->> 'method' FROM verdicts WHERE attempt = ? AND verifier = ? AND version = ?
ORDER BY created_at DESC LIMIT 1
"""


def _examples(
    connection: Connection,
    keeps: str,
    drops: str,
    columns: Sequence[str],
    versions: Mapping[str, str],
    limit: int,
) -> list[dict[str, Any]]:
    """Some of what one policy keeps alone: first one of each combination of failing verdicts, then a second of each."""
    pattern = ", ".join(f"{column} = 'fail'" for column in columns) or "true"
    query = _EXAMPLES.format(pattern=pattern, keeps=keeps, drops=drops)
    rows = run_sql(connection, query, [limit]).to_dicts()
    for row in rows:
        failing = [column for column, fails in zip(columns, row.pop("pattern"), strict=False) if fails]
        row["against"] = {}
        for column in failing:
            verifier = verifier_of(column)
            found = connection.execute(_REASON, [row["attempt"], verifier, versions[verifier]]).fetchall()
            reason, method = found[0] if found else ("", None)
            row["against"][column] = f"found by {method}" if column == "answer_strict" and method else reason
    return rows


def known_policies() -> str:
    """Return what may stand for a policy, for a message."""
    return f"{', '.join(shipped_policies())}, `{OWN}` for the room's own, or an SQL predicate"
