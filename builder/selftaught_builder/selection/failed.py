"""The questions that have to be asked again: those without a kept sample."""

from __future__ import annotations

from collections.abc import Sequence

from selftaught_builder.questions import Question
from selftaught_builder.recipe import Recipe
from selftaught_builder.sampling.plan import Asking
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.policy import filter_of
from selftaught_builder.selection.reading import reading
from selftaught_builder.store import Store, run_sql


def failed_questions(store: Store, recipe: Recipe, questions: Sequence[Question], scope: Scope) -> list[Asking]:
    """Return the questions without a kept sampled attempt in the scope, each with its first failed attempt as the parent.

    The caller has verified the store. A question without any completion is none: there is nothing to rationalize yet.
    """
    with reading(store, scope, filter_of(recipe)) as connection:
        parents = dict(run_sql(connection, _FAILED).iter_rows())
    return [Asking(question, parents[question.hash]) for question in questions if question.hash in parents]


_FAILED = """
SELECT question, arg_min(id, (-round, sample_index, key, try)) FROM audited
WHERE kind = 'sampled' AND error IS NULL AND question NOT IN (SELECT question FROM kept WHERE kind = 'sampled')
GROUP BY question
"""
