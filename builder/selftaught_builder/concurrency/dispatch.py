"""One queue of requests before all endpoints that serve the model.

The first request of the queue goes to whichever endpoint may be sent one and has come least to its share. A request that an
endpoint failed to answer goes to another where one answers. An endpoint that ails is tried with one request after each pause,
and asked like the others as soon as it answers again.

Shares are kept by stride scheduling (Waldspurger and Weihl 1995): each request moves its endpoint's clock on by 1/share, and
the endpoint whose clock is furthest behind is next. Who was away resumes at the time of the others, and makes up for nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from selftaught_builder.concurrency.gate import Gate, Sent
from selftaught_builder.endpoints.base import Endpoint, Identity, Reply
from selftaught_builder.recipe import Prices


@dataclass(eq=False)
class Lane:
    """One endpoint of a run, and how it is doing.

    Attributes:
        endpoint: entered already.
        identity: who answers there.
        gate: says when it may be sent a request.
        share: its share of the requests; 0 is a spare; None goes by what each can take.
        prices: what it charges, None where nobody knows.
        asked_as: the model's name there, where it has another.
        asked, completions, failed: requests sent, and what came of them.
        refused: questions that it refused as if the key were wrong, or that another then answered, with no answer between.
        retired: it is not asked any more.
    """

    endpoint: Endpoint
    identity: Identity
    gate: Gate
    share: float | None = None
    prices: Prices | None = None
    asked_as: str | None = None
    asked: int = 0
    completions: int = 0
    failed: int = 0
    refused: set[str] = field(default_factory=set)
    retired: bool = False

    def count(self, question: str, reply: Reply) -> None:
        """Take note of a reply to a question."""
        self.asked += 1
        if reply.error is None:
            self.completions += 1
            self.refused.clear()
        else:
            self.failed += 1
            if reply.error == "auth":
                self.refused.add(question)


@dataclass(slots=True)
class Ticket:
    """One request's leave to be sent.

    Attributes:
        lane: where to.
        sent: the gate's note of it.
    """

    lane: Lane
    sent: Sent


@dataclass(slots=True)
class _Waiting:
    tokens: int
    avoid: Lane | None
    refused: frozenset[Lane]
    granted: asyncio.Future[Ticket | None]


class Dispatch:
    """The queue. It belongs to one event loop.

    Args:
        lanes: the endpoints, at least one.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = tuple(lanes)
        self.most = sum(lane.gate.most for lane in lanes)
        self.counts_tokens = any(lane.gate.counts_tokens for lane in lanes)
        self._by_share = any(lane.share for lane in lanes)
        self._strides = {lane: 1 / (lane.share or 1) for lane in lanes}
        self._clocks = dict.fromkeys(lanes, 0.0)
        self._queue: deque[_Waiting] = deque()
        self._clock, self._closed = 0.0, False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def dead(self) -> bool:
        """Whether there is nobody left to ask."""
        return all(lane.retired or lane.gate.dead for lane in self.lanes)

    async def admit(
        self, tokens: int = 0, avoid: Lane | None = None, refused: frozenset[Lane] = frozenset()
    ) -> Ticket | None:
        """Wait for leave to send a request; None where nothing is to be sent any more, or nobody is left for this one.

        Args:
            tokens: what it may cost at most; counted where tokens are limited by the minute.
            avoid: who failed to answer it, and is asked again only where no other can be.
            refused: who refused it, and would again.
        """
        if self._closed:
            return None
        waiting = _Waiting(tokens, avoid, refused, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._grant()
        return await waiting.granted

    def returned(self, ticket: Ticket, reply: Reply | None) -> None:
        """Take note of what came of a request; None where it was not sent, or dropped."""
        ticket.lane.gate.returned(ticket.sent, reply, _now())
        self._grant()

    def hold_back(self, lane: Lane, seconds: float) -> None:
        """Send one endpoint nothing for so long."""
        lane.gate.hold_back(seconds, _now())

    def others(self, refused: frozenset[Lane]) -> bool:
        """Whether anybody is left for what some have refused."""
        return any(not lane.retired and not lane.gate.dead and lane not in refused for lane in self.lanes)

    def another_answers(self, lane: Lane, refused: frozenset[Lane]) -> bool:
        """Whether what a lane failed to answer would go to another now."""
        return any(one is not lane for one in self._choice(lane, refused, _now()))

    def retire(self, lane: Lane) -> None:
        """Ask one endpoint no more."""
        lane.retired = True
        self._grant()

    def close(self) -> None:
        """Send nothing any more; whoever waits gets no leave."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        while self._queue:
            granted = self._queue.popleft().granted
            if not granted.done():
                granted.set_result(None)

    def _grant(self) -> None:
        """Let requests go, the first of the queue first, as far as they may."""
        while self._queue and not self._closed:
            if self._queue[0].granted.done():  # nobody waits for it any more
                self._queue.popleft()
                continue
            now = _now()
            if not any(self._free(lane, now) for lane in self.lanes) or not self._let_go(now):
                self._look_again(now)
                return

    def _let_go(self, now: float) -> bool:
        """Send the first request of the queue that may go anywhere; return whether there was one."""
        stuck = set()  # alike ones are
        for place, waiting in enumerate(self._queue):
            alike = (waiting.avoid, waiting.refused)
            if alike in stuck or waiting.granted.done():
                continue
            if waiting.refused and not self.others(waiting.refused):
                waiting.granted.set_result(None)
                continue
            if lane := self._lane_for(waiting, now):
                del self._queue[place]
                self._clock = max(self._clocks[lane], self._clock)
                self._clocks[lane] = self._clock + self._strides[lane]
                waiting.granted.set_result(Ticket(lane, lane.gate.send(waiting.tokens, now)))
                return True
            stuck.add(alike)
        return False

    def _lane_for(self, waiting: _Waiting, now: float) -> Lane | None:
        """Return where a request goes now; None where it waits."""
        free = [lane for lane in self.lanes if self._free(lane, now) and lane not in waiting.refused]
        for lane in free:  # one that ails gets its trial, or nobody would know that it is well again
            if lane.gate.ailing and lane.share != 0 and lane is not waiting.avoid:
                return lane
        choice = self._choice(waiting.avoid, waiting.refused, now)
        if not choice:  # nobody answers: whoever may be tried
            return free[0] if free else None
        if self._by_share:
            furthest_behind = min(choice, key=lambda lane: max(self._clocks[lane], self._clock))
            return furthest_behind if furthest_behind in free else None
        return min(
            (lane for lane in choice if lane in free),
            key=lambda lane: lane.gate.in_flight / lane.gate.limit,
            default=None,
        )

    def _choice(self, avoid: Lane | None, refused: frozenset[Lane], now: float) -> list[Lane]:
        """Return those who answer and may be asked: spares only where nobody else is left."""
        well = [lane for lane in self.lanes if not lane.retired and lane not in refused and lane.gate.answers(now)]
        well = [lane for lane in well if lane.share != 0] or well
        if avoid is None:
            return well
        # It is not to wait for the minute's limits of another.
        return [lane for lane in well if lane is not avoid and not lane.gate.paced(now)] or well

    def _free(self, lane: Lane, now: float) -> bool:
        return not lane.retired and lane.gate.wait(now) <= 0

    def _look_again(self, now: float) -> None:
        """Look again when the next endpoint may be sent something; what has to come back first calls by itself."""
        if self._timer:
            self._timer.cancel()
        self._timer = None
        asked = [lane.gate for lane in self.lanes if not lane.retired]
        waits = [gate.wait(now) for gate in asked] + [gate.hangs_in(now) for gate in asked]
        soonest = min((wait for wait in waits if 0 < wait < math.inf), default=None)
        if soonest is not None:
            self._timer = asyncio.get_running_loop().call_later(soonest, self._grant)


def _now() -> float:
    return asyncio.get_running_loop().time()
