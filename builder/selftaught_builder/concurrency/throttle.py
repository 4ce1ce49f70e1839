"""Says when the next request may be sent to an endpoint.

All requests stand in one queue. The first of them goes as soon as it is not one too many at once, the minute's limits leave
room for it, and the endpoint is neither dead nor has asked for time: a `Retry-After` holds for the whole endpoint.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from selftaught_builder.concurrency.breaker import TRANSPORT, Breaker
from selftaught_builder.concurrency.climb import START, Climb
from selftaught_builder.concurrency.pace import Pace
from selftaught_builder.endpoints.base import Endpoint, Reply
from selftaught_builder.recipe import EndpointSettings, Sample

CAP = 4
"""Times an endpoint's slots that the limit may grow to."""
OVERLOADED = (503, 529)


@dataclass(slots=True)
class Ticket:
    """One request's leave to be sent.

    Attributes:
        tokens: what it may cost at most.
        number: its place in the order of sending, from 1.
        probe: whether it is the one that tries a dead endpoint.
    """

    tokens: int
    number: int = 0
    probe: bool = False


class Throttle:
    """The queue before one endpoint. It belongs to one event loop.

    Args:
        limit: requests at once; where `most` is given, to begin with.
        most: what the limit may grow to; None keeps it fixed.
        requests_per_minute, tokens_per_minute: limits by the minute.
        probes: requests that try a dead endpoint before it is given up.
        note: told when the endpoint is dead, and when it answers again.
    """

    def __init__(
        self,
        limit: int,
        most: int | None = None,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        probes: int = 6,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.most = limit if most is None else most
        self.counts_tokens = tokens_per_minute is not None
        self.in_flight = 0
        self._climb = None if most is None else Climb(limit, most)
        self._requests, self._tokens = Pace(requests_per_minute), Pace(tokens_per_minute)
        self._breaker, self._note = Breaker(probes), note
        self._quiet_until, self._sent, self._closed = 0.0, 0, False
        self._queue: deque[tuple[Ticket, asyncio.Future[bool]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """Requests at once, as it stands."""
        return int(self._climb.limit) if self._climb else self.most

    @property
    def dead(self) -> bool:
        """Whether the endpoint was tried often enough."""
        return self._breaker.dead

    async def admit(self, tokens: int = 0) -> Ticket | None:
        """Wait for leave to send a request; None where nothing is to be sent any more.

        Args:
            tokens: what it may cost at most; counted where tokens are limited by the minute.
        """
        if self._closed:
            return None
        ticket, granted = Ticket(tokens), asyncio.get_running_loop().create_future()
        self._queue.append((ticket, granted))
        self._grant()
        return ticket if await granted else None

    def returned(self, ticket: Ticket, reply: Reply | None) -> None:
        """Take note of what came of a request; None where it was not sent, or dropped."""
        busy = self.in_flight >= self.limit
        self.in_flight -= 1
        self._breaker.probing = self._breaker.probing and not ticket.probe
        self._tokens.give_back(ticket.tokens - _tokens(ticket, reply))
        if reply is None:
            self._requests.give_back(1)
        else:
            self._adapt(ticket, reply, busy=busy)
            self._watch(ticket, reply)
        self._grant()

    def hold_back(self, seconds: float) -> None:
        """Send nothing for so long."""
        self._quiet_until = max(self._quiet_until, _now() + seconds)

    def close(self) -> None:
        """Send nothing any more; whoever waits gets no leave."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        while self._queue:
            _, granted = self._queue.popleft()
            if not granted.done():
                granted.set_result(False)

    def _adapt(self, ticket: Ticket, reply: Reply, *, busy: bool) -> None:
        if self._climb is None:
            return
        if reply.error is None:
            latency = reply.latency / max(1, reply.tokens_out or 1)
            self._climb.succeeded(ticket.number, self._sent, latency, busy=busy)
        elif is_overload(reply):
            self._climb.overloaded(ticket.number, self._sent)

    def _watch(self, ticket: Ticket, reply: Reply) -> None:
        if reply.error not in TRANSPORT:
            if self._breaker.answered():
                self._quiet_until = 0.0
                self._tell("the endpoint answers again")
            return
        was_open = self._breaker.open
        pause = self._breaker.failed(probe=ticket.probe)
        if pause is not None:
            self.hold_back(pause)
        if self._breaker.open and not was_open:
            self._tell(f"the endpoint does not answer ({reply.error}): pausing, and trying one request now and then")

    def _grant(self) -> None:
        """Let requests go from the head of the queue, as far as they may."""
        while self._queue and not self._closed:
            if self._queue[0][1].done():  # nobody waits for it any more
                self._queue.popleft()
                continue
            now = _now()
            wait = self._wait(now)
            if wait > 0:
                self._look_again_in(wait)
                return
            ticket, granted = self._queue.popleft()
            self.in_flight += 1
            self._sent += 1
            ticket.number, ticket.probe = self._sent, self._breaker.open
            self._breaker.probing = self._breaker.probing or ticket.probe
            self._requests.spend(1, now)
            self._tokens.spend(ticket.tokens, now)
            granted.set_result(True)

    def _wait(self, now: float) -> float:
        """Seconds until the next may go; infinite where something has to come back first."""
        if self._breaker.probing or self.in_flight >= self.limit:
            return math.inf
        return max(self._quiet_until - now, self._requests.wait(now), self._tokens.wait(now))

    def _look_again_in(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if seconds < math.inf:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._grant)

    def _tell(self, text: str) -> None:
        if self._note:
            self._note(text)


def throttle_of(
    endpoint: Endpoint,
    settings: EndpointSettings,
    wanted: int | Literal["auto"],
    *,
    limits: Sample | None = None,
    note: Callable[[str], None] | None = None,
) -> Throttle:
    """Return the queue before an endpoint.

    Args:
        endpoint: knows its slots.
        settings: its section of the recipe.
        wanted: what the recipe says of the concurrency. `auto` takes the slots of a server of ours, and adapts to any other.
        limits: holds the limits by the minute, where there are any.
        note: told of a dead endpoint.
    """
    adapts = wanted == "auto" and settings.kind != "local"
    slots = endpoint.slots if wanted == "auto" else wanted
    return Throttle(
        min(START, CAP * slots) if adapts else slots,
        CAP * slots if adapts else None,
        requests_per_minute=limits.requests_per_minute if limits else None,
        tokens_per_minute=limits.tokens_per_minute if limits else None,
        probes=settings.retries + 1,
        note=note,
    )


def is_overload(reply: Reply) -> bool:
    """Whether an error says that the endpoint is asked too much."""
    if reply.error == "server":
        return reply.provider.get("status", 503) in OVERLOADED
    return reply.error == "rate_limit" or reply.error in TRANSPORT


def _tokens(ticket: Ticket, reply: Reply | None) -> int:
    """What a request has cost of the minute's tokens: its most, where the server did not say."""
    if reply is None:
        return 0
    if reply.tokens_in is None or reply.tokens_out is None:
        return 0 if reply.error else ticket.tokens
    return reply.tokens_in + reply.tokens_out


def _now() -> float:
    return asyncio.get_running_loop().time()
