"""The funnel: from source rows to exported rows, every loss counted."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from selftaught_builder.export.selection import select_rows
from selftaught_builder.policies import as_policy
from selftaught_builder.policy import check_policy, policy_of
from selftaught_builder.recipe import Recipe
from selftaught_builder.scope import Scope
from selftaught_builder.store import Store
from selftaught_builder.store.schema import wide_select
from selftaught_builder.verification import versions_of


@dataclass(frozen=True)
class KindCounts:
    """The counts of one kind of attempt: `sampled` or `rationalized`."""

    kind: str
    completions: int
    correct: int
    kept: int


@dataclass(frozen=True)
class Funnel:
    """Counts over a run's questions; `evaluated` attempts are not among them.

    Attributes:
        source_rows: rows read from the question source.
        rejected: rows that are no usable question, by reason.
        questions: questions asked.
        attempts: tries, failed ones included.
        errors: tries that brought no completion.
        truncated: completions cut off at max_tokens.
        completions: completions that arrived.
        correct: completions with a passing answer verdict.
        kept: completions that the policy and the hard rules keep.
        exported: rows of the dataset, after duplicates and the limit per question.
        questions_correct, questions_kept, questions_exported: questions with at least one such attempt.
        rationalized_exported: exported rows that were rationalized.
        by_kind: completions, correct and kept ones of each kind.
        policy: the policy's SQL on one line, with its name as a comment where it has one.
    """

    source_rows: int
    rejected: dict[str, int]
    questions: int
    attempts: int
    errors: int
    truncated: int
    completions: int
    correct: int
    kept: int
    exported: int
    questions_correct: int
    questions_kept: int
    questions_exported: int
    rationalized_exported: int
    by_kind: tuple[KindCounts, ...]
    policy: str = ""

    @property
    def not_asked(self) -> int:
        """Source rows that are neither questions nor rejected: beyond the recipe's limit."""
        return self.source_rows - self.questions - sum(self.rejected.values())


_COUNTS = """
SELECT w.kind, count(*) AS attempts,
       count(*) FILTER (w.error IS NOT NULL) AS errors,
       count(*) FILTER (w.error IS NULL) AS completions,
       count(*) FILTER (w.truncated) AS truncated,
       count(*) FILTER (w.answer = 'pass') AS correct,
       count(*) FILTER (k.id IS NOT NULL) AS kept
FROM ({scoped}) w
LEFT JOIN (SELECT id FROM ({kept})) k ON k.id = w.id
WHERE w.kind IN ('sampled', 'rationalized')
GROUP BY w.kind ORDER BY w.kind DESC
"""

_QUESTIONS = """
SELECT count(DISTINCT w.question) FILTER (w.answer = 'pass'),
       count(DISTINCT w.question) FILTER (k.id IS NOT NULL)
FROM ({scoped}) w
LEFT JOIN (SELECT id FROM ({kept})) k ON k.id = w.id
WHERE w.kind IN ('sampled', 'rationalized')
"""


def count_funnel(store: Store, recipe: Recipe, scope: Scope, exported: pl.DataFrame | None = None) -> Funnel:
    """Count the funnel of a run, or of some of its rounds.

    Args:
        store: the store, verified.
        recipe: its policy says what is kept.
        scope: the run, and which of its rounds.
        exported: the rows to export, where they are known; else they are selected.
    """
    versions = versions_of(recipe)
    with store.read() as connection:
        check_policy(connection, recipe.keep, versions)
    scoped, parameters = scope.select(f"({wide_select(sorted(versions), versions)})")
    parts = {"scoped": scoped, "kept": policy_of(recipe, versions)}
    rows = select_rows(store, recipe, scope) if exported is None else exported
    with store.read() as connection:
        kinds = connection.execute(_COUNTS.format(**parts), parameters).fetchall()
        correct, kept = connection.execute(_QUESTIONS.format(**parts), parameters).fetchone() or (0, 0)
        asked = connection.execute("SELECT count(*) FROM run_questions WHERE run = ?", [scope.run]).fetchone() or (0,)
        rejected = dict(
            connection.execute(
                "SELECT reason, count(*) FROM rejected_questions WHERE run = ? GROUP BY reason ORDER BY reason",
                [scope.run],
            ).fetchall()
        )
        source = connection.execute("SELECT source_rows FROM runs WHERE id = ?", [scope.run]).fetchone()
    total = [sum(row[column] for row in kinds) for column in range(1, 7)]
    return Funnel(
        source_rows=source[0] if source else asked[0] + sum(rejected.values()),
        rejected=rejected,
        questions=asked[0],
        attempts=total[0],
        errors=total[1],
        completions=total[2],
        truncated=total[3],
        correct=total[4],
        kept=total[5],
        exported=rows.height,
        questions_correct=correct,
        questions_kept=kept,
        questions_exported=rows["question"].n_unique() if rows.height else 0,
        rationalized_exported=rows.filter(pl.col("kind") == "rationalized").height if rows.height else 0,
        by_kind=tuple(KindCounts(row[0], row[3], row[5], row[6]) for row in kinds),
        policy=as_policy(recipe.keep).line,
    )
