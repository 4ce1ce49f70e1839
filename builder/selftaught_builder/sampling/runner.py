"""Gets one sample: sends its request when and where it may be sent, again if it failed, and journals every try."""

from __future__ import annotations

import asyncio
import random
from functools import partial

from selftaught_builder.common.errors import BudgetStop
from selftaught_builder.common.keys import seed_of
from selftaught_builder.concurrency import Dispatch, Lane
from selftaught_builder.endpoints.base import Reply, Request
from selftaught_builder.prompts.sizes import PromptSizes, most_generated
from selftaught_builder.sampling.failures import FailureWatch
from selftaught_builder.sampling.recorder import Recorder
from selftaught_builder.sampling.retry import RetryDecision, decide, refuses
from selftaught_builder.sampling.stop import Stop
from selftaught_builder.sampling.task import SamplingContext, Tally, Task
from selftaught_builder.spending.budget import Budget, Hold


class TaskRunner:
    """Gets samples, any number of them at a time.

    Args:
        dispatch: says when a request may be sent, and where to.
        context: what the attempts have in common.
        tally: counts what is done.
        budget: what may be spent; None is no limit.
        recorder: journals every try.
        failures: watches what fails.
        stop: says when nothing more is to be asked for.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        context: SamplingContext,
        tally: Tally,
        budget: Budget | None,
        recorder: Recorder,
        failures: FailureWatch,
        stop: Stop,
    ) -> None:
        self._dispatch, self._context, self._tally, self._budget = dispatch, context, tally, budget
        self._recorder, self._failures, self._stop = recorder, failures, stop
        self._sizes, self._most_generated = PromptSizes(), most_generated(context.parameters)

    async def get(self, task: Task) -> Reply | None:
        """Try a task until it succeeds or trying again cannot help; return the last reply, None if nothing was sent.

        Raises:
            JournalError: a try cannot be journalled.
        """
        request = Request(task.prompt.messages, task.prompt.style, self._context.parameters, seed_of(task.key))
        last: tuple[Lane, Reply] | None = None
        refusals: dict[Lane, Reply] = {}
        for number in range(1, self._context.retries + 2):
            tried = await self._try(task, request, number, last[0] if last else None, frozenset(refusals))
            if tried is None:
                self._tally.withheld += last is None and not self._stop.requested
                await asyncio.sleep(0)  # a plan may hold many of these in a row
                break
            lane, reply = last = tried
            if reply.error is None:
                self._failures.answered_elsewhere(task.question.hash, refusals)
                break
            if refuses(reply):
                refusals[lane] = reply
            if not await self._again(lane, reply, number, frozenset(refusals)):
                break
        return last[1] if last else None

    async def _again(self, lane: Lane, reply: Reply, number: int, refused: frozenset[Lane]) -> bool:
        """Do what follows from a failure, and wait; return whether to try again."""
        decision = self._decide(lane, reply, number, refused)
        if decision.hold_back is not None:
            self._dispatch.hold_back(lane, decision.hold_back)
        return decision.again and not await self._stop.within(decision.wait)

    def _decide(self, lane: Lane, reply: Reply, number: int, refused: frozenset[Lane]) -> RetryDecision:
        quiet = refused | {lane} if reply.retry_after else refused  # it will be held back, which makes room for spares
        return decide(
            reply,
            number,
            self._context.retries,
            left=self._dispatch.others(refused),
            elsewhere=self._dispatch.another_answers(lane, quiet),
            chances=(random.random(), random.random()),  # noqa: S311 - waits, no secret
        )

    async def _try(
        self, task: Task, request: Request, number: int, avoid: Lane | None, refused: frozenset[Lane]
    ) -> tuple[Lane, Reply] | None:
        """Send a request when and where it may be sent, and journal what comes of it; None if it may not any more."""
        tokens_in = self._sizes.of(task.prompt) if self._dispatch.counts_tokens else 0
        ticket = await self._dispatch.admit(tokens_in + self._most_generated, avoid, refused)
        if ticket is None:
            return None
        lane, reply = ticket.lane, None
        try:
            hold = await self._hold(task, lane)
            if hold is None and self._budget:
                return None
            self._recorder.prompt(task.prompt)
            reply = await self._send(task, request, lane, hold)
            self._recorder.attempt(task, lane, reply, task.tries + number)
        finally:
            self._dispatch.returned(ticket, reply)
        self._tally.count(reply, number)
        lane.count(task.question.hash, reply)
        self._failures.tried(lane, reply)
        return lane, reply

    async def _send(self, task: Task, request: Request, lane: Lane, hold: Hold | None) -> Reply:
        """Return what comes of a request; its hold on the budget is settled, whatever that is."""
        reply = None
        self._tally.in_flight += 1
        try:
            reply = await lane.endpoint.complete(request)
            self._sizes.learn(task.prompt, reply.tokens_in)
            return reply
        finally:
            self._tally.in_flight -= 1
            if self._budget and hold:
                self._budget.settle(hold, reply)

    async def _hold(self, task: Task, lane: Lane) -> Hold | None:
        """Find room in the budget; None if there is no budget, or no room in it."""
        if self._budget is None:
            return None
        try:
            size = partial(self._sizes.of, task.prompt)
            return await self._budget.hold(task.question.hash, size, self._most_generated, lane.prices)
        except BudgetStop as stop:
            self._stop.request(stop)
            return None
