"""Whether a task is tried again, and after how long: after a 429 or a 503, say.

The request for /models, before anything is sampled, has waits of its own (`endpoints/openai.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from selftaught_builder.common.backoff import backoff
from selftaught_builder.endpoints.base import ERRORS, Reply

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds at most before the second try, and before any."""
LEAST_WAIT = 0.1
LONGEST_RETRY_AFTER = 300.0
"""Seconds for which a server is left alone at most because it asked for that."""
SPREAD = 0.25
"""Seconds over which those come back whom a server asked to wait."""


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """What follows from a reply.

    Attributes:
        again: whether to try again.
        wait: seconds to wait before that.
        hold_back: seconds for which the endpoint is sent nothing at all, None where it asked for no time.
    """

    again: bool
    wait: float = 0.0
    hold_back: float | None = None


def refuses(reply: Reply) -> bool:
    """Whether the endpoint would answer the same again, so that only others are worth asking."""
    return reply.error is not None and not ERRORS[reply.error]


def decide(
    reply: Reply, number: int, retries: int, *, left: bool, elsewhere: bool, chances: tuple[float, float]
) -> RetryDecision:
    """Return what follows from a reply.

    Args:
        reply: what came of the try.
        number: the try's number, from 1.
        retries: further tries that a task has after its first.
        left: whether anybody is left who has not refused the task; this reply's refusal counts.
        elsewhere: whether another endpoint would answer it now.
        chances: two random numbers from 0 to 1, which spread the waits of those who wait together.
    """
    if reply.error is None or number > retries:
        return RetryDecision(again=False)
    wait = backoff(number - 1, first=FIRST_WAIT, longest=LONGEST_WAIT, jitter=1, least=LEAST_WAIT, chance=chances[0])
    hold_back = None
    if reply.retry_after is not None:
        asked = min(reply.retry_after, LONGEST_RETRY_AFTER) + SPREAD * chances[1]
        hold_back = min(asked, reply.retry_after)  # what a server asks for is meant for all
        wait = min(wait, asked)  # and another may be back sooner
    if not left:
        return RetryDecision(again=False, hold_back=hold_back)
    if number == 1 and elsewhere:  # after that nobody is to be hammered
        wait = 0.0
    return RetryDecision(again=True, wait=wait, hold_back=hold_back)
