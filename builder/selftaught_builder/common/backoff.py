"""How long to wait before trying again: the one rule, for whoever waits for another."""

from __future__ import annotations


def backoff(
    number: int,
    *,
    first: float,
    longest: float,
    factor: float = 2.0,
    jitter: float = 0.0,
    least: float = 0.0,
    chance: float = 0.0,
) -> float:
    """Return the seconds of a wait that grows exponentially to a limit, spread so that many who wait do not come back at once.

    Args:
        number: waits before this one, 0 for the first.
        first: seconds of the first wait.
        longest: seconds that no wait exceeds.
        factor: how many times the wait before, 1 or more.
        jitter: the share of the wait that is left to chance: 0 none, 0.5 half of it, 1 all of it.
        least: seconds that chance leaves at least, as far as the wait has so many.
        chance: a random number from 0 to 1.
    """
    try:
        wait = min(longest, first * factor**number)
    except OverflowError:  # after a thousand waits
        wait = longest
    low = min(wait, max(least, wait * (1 - jitter)))
    return low + (wait - low) * chance
