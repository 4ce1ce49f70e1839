"""So many a minute: requests, or tokens."""

from __future__ import annotations


class Pace:
    """A limit by the minute, kept by spreading what there is evenly (a leaky bucket).

    Args:
        per_minute: how much a minute may hold; None is no limit.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until something may be spent."""
        return max(0.0, self._free_at - now)

    def spend(self, amount: float, now: float) -> None:
        """Spend some."""
        self._free_at = max(self._free_at, now) + amount * self._seconds_each

    def give_back(self, amount: float) -> None:
        """Give back what was not needed after all; a negative amount is spent besides."""
        self._free_at -= amount * self._seconds_each
