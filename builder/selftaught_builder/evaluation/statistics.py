"""The statistics of an evaluation: pure functions over counts and answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

Answer = TypeVar("Answer", bound=Hashable)

Z_95 = 1.959964
"""The normal quantile of a two-sided 95 % interval."""


def wilson(successes: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927, JASA 22, p. 209), as (low, high).

    It stays within 0 and 1 and is not empty at 0 or n successes, where the usual normal interval fails. Of no trials
    nothing is known: (0, 1).

    Args:
        successes: how many succeeded.
        n: of how many.
        z: the normal quantile, `Z_95` for a 95 % interval.

    Raises:
        ValueError: not 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    share, square = successes / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # Rounding must neither leave [0, 1] nor exclude the share itself, which the exact interval always holds.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def mcnemar_exact(b: int, c: int) -> float:
    """Return the two-sided p-value of McNemar's exact test: would a fair coin split b + c as unevenly as this?

    The test is the binomial one on the pairs that disagree (McNemar 1947; exact form in Fay 2010, The R Journal 2/1): twice
    the smaller tail, at most 1. Without a pair that disagrees it is 1.

    Args:
        b: pairs where only the first was right.
        c: pairs where only the second was right.

    Raises:
        ValueError: a count is negative.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts {b} and {c}")
    n, few = b + c, min(b, c)
    # In integers nothing overflows and nothing is rounded before the last step: term i is C(n, i).
    tail = term = 1
    for i in range(1, few + 1):
        term = term * (n - i + 1) // i
        tail += term
    return 1.0 if 2 * tail >= 1 << n else 2 * tail / (1 << n)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the unbiased estimate of pass@k (Chen et al. 2021, arXiv 2107.03374, eq. 1): 1 - C(n-c, k) / C(n, k).

    It is the probability that k samples drawn from the n without replacement hold a right one.

    Args:
        n: samples of the question.
        c: right ones among them.
        k: samples that one may try.

    Raises:
        ValueError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"n={n}, c={c}, k={k}")
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def majority(answers: Sequence[Answer | None]) -> Answer | None:
    """Return the answer that most give (self-consistency: Wang et al. 2022, arXiv 2203.11171); None where nobody answers.

    Of answers with equally many votes the one seen first wins. None is an abstention and wins nothing. Answers vote
    together where they are equal, so they come in a form that equal values share: the verdict's `answer`, in which the
    verifier `answer` writes "1,000" and "1000" alike.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    return max(
        votes, key=votes.__getitem__, default=None
    )  # a Counter keeps the order of first sight, and max the first
