"""How long to wait before the next try: each wait is a multiple of the one before, up to a longest one."""

from __future__ import annotations


def backoff(before: int, first: float, longest: float, factor: float = 2.0) -> float:
    """Return the seconds to wait.

    Args:
        before: how many waits there were before this one.
        first: the first wait, in seconds.
        longest: no wait is longer, in seconds.
        factor: how many times the wait before each is.
    """
    return longest if before > _MOST_DOUBLINGS else min(longest, first * factor**before)


_MOST_DOUBLINGS = 100  # a power of more is no number any more
