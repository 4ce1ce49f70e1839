"""The questions that are asked again: those without a kept sample."""

from __future__ import annotations

from collections.abc import Mapping

from selftaught_builder.selection.reading import View


def failed_questions(view: View) -> Mapping[str, str]:
    """Return the hashes of the questions without a kept sample, each with its first failed attempt.

    The store is verified. A question without any completion is none of them: there is nothing to rationalize yet.
    """
    return dict(view.sql(_FAILED).iter_rows())


_FAILED = """
SELECT question, arg_min(id, (-round, sample_index, key, try)) FROM audited
WHERE kind = 'sampled' AND error IS NULL AND question NOT IN (SELECT question FROM kept WHERE kind = 'sampled')
GROUP BY question
"""
