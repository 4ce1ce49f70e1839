"""How many requests at once an endpoint takes, found by trying: additive increase, multiplicative decrease.

The rule of TCP (Chiu and Jain 1989): the limit doubles each round trip until the first sign of overload, from then on it grows
by one each round trip, and every overload halves it. Rising latency is a sign too, as in TCP Vegas (Brakmo and Peterson
1995), but a weak one, since a server that batches answers more requests at once more slowly and yet faster altogether: it
holds the limit, and reduces it only where it rises far.
"""

from __future__ import annotations

START = 16
"""Requests at once to begin with."""
HALVE, REDUCE = 0.5, 0.8
SLOW, FAR_SLOWER = 3.0, 6.0
"""Times the least latency at which the limit no longer grows, and at which it is reduced."""
WEIGHT = 1 / 16
"""Of one reply in the mean latency."""
FORGET = 1.002
"""The least latency grows by this with each reply, so that a server that has become slower is not held to what it was."""


class Climb:
    """A limit that adapts.

    Args:
        start: the limit to begin with.
        most: what it never exceeds.

    Attributes:
        limit: requests at once; its whole part counts.
    """

    def __init__(self, start: int, most: int) -> None:
        self.most = most
        self.limit = float(min(start, most))
        self._floor, self._doubling = self.limit, True
        self._last_cut = 0
        self._mean = self._least = 0.0

    def succeeded(self, sent: int, newest: int, seconds: float, *, busy: bool) -> None:
        """Take note of a completion.

        Args:
            sent: its request's number, counted from 1.
            newest: the number of the newest request.
            seconds: latency, of one token where their number is known.
            busy: whether the limit was reached; where it was not, it says nothing.
        """
        self._mean = self._mean + WEIGHT * (seconds - self._mean) if self._mean else seconds
        self._least = min(self._least * FORGET, self._mean) if self._least else self._mean
        if self._mean > FAR_SLOWER * self._least and self.limit > self._floor:
            self._cut(sent, newest, REDUCE, self._floor)
        elif busy and self._mean <= SLOW * self._least:
            self.limit = min(self.most, self.limit + (1.0 if self._doubling else 1.0 / self.limit))

    def overloaded(self, sent: int, newest: int) -> None:
        """Take note of a sign of overload."""
        self._cut(sent, newest, HALVE, 1.0)

    def _cut(self, sent: int, newest: int, factor: float, least: float) -> None:
        """Reduce the limit, once for all requests that were under way together."""
        if sent <= self._last_cut:
            return
        self._doubling, self._last_cut = False, newest
        self.limit = max(least, self.limit * factor)
