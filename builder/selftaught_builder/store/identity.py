"""Which weights wrote an attempt, in SQL: the rule of `keys.weights_identity`."""

from __future__ import annotations

from selftaught_builder.common.keys import UNKNOWN_WEIGHTS


def weights_identity_of(attempt: str) -> str:
    """Return SQL for what stands for the weights of a row of `attempts`; equal to `keys.weights_identity` of its columns.

    Args:
        attempt: the row's alias in the query.
    """
    named = f"concat('{UNKNOWN_WEIGHTS}/', {attempt}.run, '/', {attempt}.round, '/', {attempt}.model)"
    return f"if({attempt}.weights = '{UNKNOWN_WEIGHTS}', {named}, {attempt}.weights)"
