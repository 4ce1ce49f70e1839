"""Whether to try again after a reply, and how long to wait: a pure function of the reply and of the number of the try."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from selftaught_builder.common.backoff import backoff
from selftaught_builder.endpoints.base import ERRORS, Reply

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds; the waits between are spread at random, so that workers do not come back together."""
LONGEST_RETRY_AFTER = 300.0
"""Seconds; a server that asks for more time is tried earlier all the same."""
_SPREAD = 0.25
_SHORTEST_WAIT = 0.1


@dataclass(frozen=True)
class RetryDecision:
    """What to do after a reply.

    Attributes:
        again: whether to try again, if anybody is left to be asked.
        wait: seconds before that.
        hold_back: seconds for which this endpoint is asked nothing at all; None if it did not ask for time.
        refused: the same endpoint would refuse it again.
        at_once_elsewhere: another endpoint that answers is asked without a wait.
    """

    again: bool
    wait: float = 0.0
    hold_back: float | None = None
    refused: bool = False
    at_once_elsewhere: bool = False


def decide(
    reply: Reply, number: int, retries: int, spread: Callable[[float, float], float] = random.uniform
) -> RetryDecision:
    """Decide what to do after a reply.

    A server's `Retry-After` (RFC 9110, section 10.2.3) is meant for all requests to it; this one may be back sooner, since
    another endpoint may take it. A request that one endpoint has failed goes to another without a wait, but only once: after
    that nobody is to be hammered.

    Args:
        reply: what came of the last try.
        number: that try's number, from 1.
        retries: how many more tries than one there may be.
        spread: draws a number between two.
    """
    if reply.error is None or number > retries:
        return RetryDecision(again=False)
    wait = spread(_SHORTEST_WAIT, backoff(number, FIRST_WAIT, LONGEST_WAIT))
    hold_back = None
    if reply.retry_after is not None:
        asked_for = min(reply.retry_after, LONGEST_RETRY_AFTER)
        hold_back, wait = asked_for, min(asked_for + spread(0.0, _SPREAD), wait)
    return RetryDecision(True, wait, hold_back, refused=not ERRORS[reply.error], at_once_elsewhere=number == 1)
