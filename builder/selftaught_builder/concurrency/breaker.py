"""A circuit breaker (Nygard, Release It!, 2007): an endpoint that nothing comes back from is left alone for a while.

Several failures in a row open it. Then nothing is sent but one request after each pause, and the pauses double. The
first answer of whatever kind closes it again.
"""

from __future__ import annotations

from selftaught_builder.common.backoff import backoff

BREAK_AFTER = 8
"""Failures in a row, with no answer between, that open it."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds."""
TRANSPORT = frozenset({"unreachable", "connection", "timeout"})
"""Errors that are no answer."""
AILMENTS = TRANSPORT | {"server", "rate_limit", "malformed", "auth", "certificate", "redirect"}
"""Errors that are no answer to be had from this endpoint, where another may give one."""


class Breaker:
    """The breaker of one endpoint.

    Args:
        probes: probes in a row without an answer after which the endpoint counts as dead.

    Attributes:
        open: whether requests are held back.
        probing: whether the one request that is let through is under way.
        dead: whether to give up.
    """

    def __init__(self, probes: int) -> None:
        self._probes = probes
        self._failures = self._pauses = 0
        self.open = self.probing = self.dead = False

    def answered(self) -> bool:
        """Take note of an answer; return whether that closed the breaker."""
        closed, self.open, self.dead = self.open, False, False
        self._failures = self._pauses = 0
        return closed

    def failed(self, *, probe: bool) -> float | None:
        """Take note of a failure; return the seconds to pause, None where there is no reason to.

        Args:
            probe: whether it befell the one request that was let through.
        """
        self._failures += 1
        if not self.open and self._failures >= BREAK_AFTER:
            self.open = True
        elif not (self.open and probe):
            return None
        self.dead = self._pauses >= self._probes
        self._pauses += 1
        return backoff(self._pauses - 1, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
