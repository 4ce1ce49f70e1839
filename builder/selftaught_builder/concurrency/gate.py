"""Says when one endpoint may be sent the next request.

It may as soon as that is not one too many at once, the minute's limits leave room for it, and the endpoint is neither dead nor
has asked for time: a `Retry-After` holds for the whole endpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from selftaught_builder.concurrency.breaker import TRANSPORT, Breaker
from selftaught_builder.concurrency.climb import START, Climb
from selftaught_builder.concurrency.pace import Pace
from selftaught_builder.endpoints.base import Reply

CAP = 4
"""Times an endpoint's slots that the limit may grow to."""
OVERLOADED = (503, 529)
HANGS_AFTER, LEAST_PATIENCE = 10, 30.0
"""Times the longest answer so far, and at least so many seconds, before an endpoint that gives nothing back hangs."""


@dataclass(slots=True)
class Sent:
    """One request under way.

    Attributes:
        tokens: what it may cost at most.
        number: its place in the order of sending, from 1.
        probe: whether it is the one that tries an endpoint that does not answer.
    """

    tokens: int
    number: int
    probe: bool


class Gate:
    """The gate before one endpoint.

    Args:
        limit: requests at once; where `most` is given, to begin with.
        most: what the limit may grow to; None keeps it fixed.
        requests_per_minute, tokens_per_minute: limits by the minute.
        probes: requests that try an endpoint that does not answer before it counts as dead.
        ailments: error classes of which several in a row mean that it is to be left alone for a while.
        patience: seconds after which one that is asked for all it takes, and gives nothing back, counts as not answering;
            where it has answered, ten times its longest answer are enough.
        name: what it is called in notes.
        note: told when it does not answer, and when it answers again.
    """

    def __init__(
        self,
        limit: int,
        most: int | None = None,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        probes: int = 6,
        ailments: frozenset[str] = TRANSPORT,
        patience: float = math.inf,
        name: str = "the endpoint",
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.most = limit if most is None else most
        self.counts_tokens = tokens_per_minute is not None
        self.in_flight = 0
        self._climb = None if most is None else Climb(limit, most)
        self._requests, self._tokens = Pace(requests_per_minute), Pace(tokens_per_minute)
        self._breaker, self._ailments = Breaker(probes), ailments
        self._name, self._note = name, note
        self._quiet_until, self._sent = 0.0, 0
        self._patience, self._longest, self._heard = patience, math.inf, 0.0

    @property
    def limit(self) -> int:
        """Requests at once, as it stands."""
        return int(self._climb.limit) if self._climb else self.most

    @property
    def dead(self) -> bool:
        """Whether the endpoint was tried often enough."""
        return self._breaker.dead

    @property
    def ailing(self) -> bool:
        """Whether it is left alone, but for one request now and then."""
        return self._breaker.open

    def answers(self, now: float) -> bool:
        """Whether it answered the last time it was asked, and neither asks for time nor keeps everything waiting."""
        return not self._breaker.open and self._quiet_until <= now and self.hangs_in(now) > 0

    def hangs_in(self, now: float) -> float:
        """Return the seconds until it counts as hanging if nothing comes back; infinite where it could be asked for more."""
        if self.in_flight < self.limit:
            return math.inf
        patience = min(self._patience, max(HANGS_AFTER * self._longest, LEAST_PATIENCE))
        return max(0.0, self._heard + patience - now)

    def paced(self, now: float) -> bool:
        """Whether the minute's limits leave no room just now."""
        return max(self._requests.wait(now), self._tokens.wait(now)) > 0

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may go; infinite where something has to come back first."""
        if self._breaker.probing or self.in_flight >= self.limit:
            return math.inf
        return max(self._quiet_until - now, self._requests.wait(now), self._tokens.wait(now), 0.0)

    def send(self, tokens: int, now: float) -> Sent:
        """Let a request go; `wait` is over.

        Args:
            tokens: what it may cost at most; counted where tokens are limited by the minute.
            now: the event loop's time, in seconds.
        """
        if not self.in_flight:
            self._heard = now
        self.in_flight += 1
        self._sent += 1
        sent = Sent(tokens, self._sent, self._breaker.open)
        self._breaker.probing = self._breaker.probing or sent.probe
        self._requests.spend(1, now)
        self._tokens.spend(tokens, now)
        return sent

    def returned(self, sent: Sent, reply: Reply | None, now: float) -> None:
        """Take note of what came of a request; None where it was not sent, or dropped."""
        busy = self.in_flight >= self.limit
        self.in_flight -= 1
        self._heard = now
        self._breaker.probing = self._breaker.probing and not sent.probe
        self._tokens.give_back(sent.tokens - _tokens(sent, reply))
        if reply is None:
            self._requests.give_back(1)
        else:
            self._adapt(sent, reply, busy=busy)
            self._watch(sent, reply, now)

    def hold_back(self, seconds: float, now: float) -> None:
        """Send nothing for so long."""
        self._quiet_until = max(self._quiet_until, now + seconds)

    def _adapt(self, sent: Sent, reply: Reply, *, busy: bool) -> None:
        if self._climb is None:
            return
        if reply.error is None:
            latency = reply.latency / max(1, reply.tokens_out or 1)
            self._climb.succeeded(sent.number, self._sent, latency, busy=busy)
        elif is_overload(reply):
            self._climb.overloaded(sent.number, self._sent)

    def _watch(self, sent: Sent, reply: Reply, now: float) -> None:
        if reply.error is None:
            self._longest = max(reply.latency, 0.0 if self._longest == math.inf else self._longest)
        if reply.error not in self._ailments:
            if self._breaker.answered():
                self._quiet_until = 0.0
                self._tell("answers again")
            return
        if is_overload(reply) and reply.error not in TRANSPORT and self.in_flight and not sent.probe:
            return  # it was asked for too much at once; where nothing else was under way it has room for nothing
        was_open = self._breaker.open
        pause = self._breaker.failed(probe=sent.probe)
        if pause is not None:
            self.hold_back(pause, now)
        if self._breaker.open and not was_open:
            does = "does not answer" if reply.error in TRANSPORT else "gives nothing but errors"
            self._tell(f"{does} ({reply.error}): pausing, and trying one request now and then")

    def _tell(self, text: str) -> None:
        if self._note:
            self._note(f"{self._name} {text}")


def limits_of(slots: int, wanted: int | Literal["auto"], *, adapts: bool) -> tuple[int, int | None]:
    """Return how many requests at once an endpoint is asked to begin with, and at most; None keeps to the first.

    Args:
        slots: what the endpoint takes by its own account.
        wanted: what the recipe says of the concurrency.
        adapts: whether `auto` is found out by trying; a server of ours says what it takes.
    """
    if wanted != "auto":
        return wanted, None
    return (min(START, CAP * slots), CAP * slots) if adapts else (slots, None)


def is_overload(reply: Reply) -> bool:
    """Whether an error says that the endpoint is asked too much."""
    if reply.error == "server":
        return reply.provider.get("status", 503) in OVERLOADED
    return reply.error == "rate_limit" or reply.error in TRANSPORT


def _tokens(sent: Sent, reply: Reply | None) -> int:
    """What a request has cost of the minute's tokens: its most, where the server did not say."""
    if reply is None:
        return 0
    if reply.tokens_in is None or reply.tokens_out is None:
        return 0 if reply.error else sent.tokens
    return reply.tokens_in + reply.tokens_out
