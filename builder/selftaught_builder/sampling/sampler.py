"""Sampling: put prompts to whoever serves the model, and journal every reply the moment it arrives.

Workers pull tasks out of one lazy plan, so no more than the most requests at once are ever in memory, and a slow store or
endpoint holds the plan back by itself. Before each try a worker waits for leave to send it, and for room in the budget.
A thread commits the journal to the tables about once a second; the requests never wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from selftaught_builder.common.errors import BudgetStop, SelftaughtError
from selftaught_builder.common.keys import seed_of
from selftaught_builder.concurrency import Dispatch, Lane
from selftaught_builder.endpoints.base import ERRORS, Reply, Request
from selftaught_builder.prompts.sizes import PromptSizes, most_generated
from selftaught_builder.sampling.committer import Committer
from selftaught_builder.sampling.recorder import Recorder
from selftaught_builder.sampling.retry import decide
from selftaught_builder.sampling.task import Listener, SamplingContext, Tally, Task
from selftaught_builder.spending.budget import Budget, Hold
from selftaught_builder.store import Store

# Attempts that fail for good one after another, with no success between, before the endpoint counts as gone. Of a question
# whose request is refused (it is too long, say) all samples are, so that they count as one.
GONE_AFTER = 20
# Questions refused as if the key were wrong, one after another, before it counts as wrong: some gateways answer 403 to a
# prompt that they do not like. So many that another then answers, and an endpoint is of no use.
REFUSED_AFTER = 3


class Sampler:
    """Works through a plan of tasks.

    Args:
        store: where attempts go; the caller holds its writer lock.
        dispatch: says when a request may be sent, and where to.
        context: what the attempts have in common.
        listener: called with each task and its last reply.
        tally: counts to go on with; fresh ones where None.
        budget: what may be spent; None is no limit.
        note: told of an endpoint that is not asked any more.
    """

    def __init__(
        self,
        store: Store,
        dispatch: Dispatch,
        context: SamplingContext,
        listener: Listener | None = None,
        tally: Tally | None = None,
        budget: Budget | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.store, self.dispatch, self.context = store, dispatch, context
        self.listener, self.tally, self.budget, self.note = listener, tally or Tally(), budget, note
        self.interrupted = False
        self._stopping = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._failed_in_a_row: set[str] = set()
        self._failure: SelftaughtError | None = None
        self._recorder = Recorder(store.journal, context, prompts=4 * dispatch.most)
        self._sizes, self._most_generated = PromptSizes(), most_generated(context.parameters)

    def interrupt(self) -> None:
        """Ask for nothing more; requests in flight are waited for and kept."""
        self.interrupted = True
        self._stop()

    def abandon(self) -> None:
        """Do not even wait for the requests in flight."""
        for worker in self._workers:
            worker.cancel()

    async def run(self, plan: Iterable[Task]) -> Tally:
        """Get every task of the plan that the endpoints give.

        Raises:
            BudgetStop: a budget leaves no room for the next request.
            SelftaughtError: nobody answers any more, or the journal cannot be written; everything so far is kept.
        """
        tasks = iter(plan)
        committer = Committer(self.store)
        committer.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._workers = [group.create_task(self._work(tasks)) for _ in range(self.dispatch.most)]
        except* SelftaughtError as errors:
            self._failure = self._failure or _first(errors)
        finally:
            await asyncio.to_thread(committer.finish)
        if self._failure:
            raise self._failure
        return self.tally

    async def _work(self, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if self._stopping.is_set():
                return
            reply = await self._attempt(task)
            if reply is None:
                continue
            self._notice_failures(task, reply)
            if self.listener:
                self.listener(task, reply)

    async def _attempt(self, task: Task) -> Reply | None:
        """Try a task until it succeeds or trying again cannot help; every try is journalled.

        Returns the last reply, None where nothing was sent.
        """
        request = Request(task.prompt.messages, task.prompt.style, self.context.parameters, seed_of(task.key))
        last: tuple[Lane, Reply] | None = None
        refused: dict[Lane, Reply] = {}
        for number in range(1, self.context.retries + 2):
            tried = await self._try(task, request, number, last[0] if last else None, frozenset(refused))
            if tried is None:
                self.tally.withheld += last is None and not self._stopping.is_set()
                await asyncio.sleep(0)  # a plan may hold many of these in a row
                break
            lane, reply = last = tried
            if reply.error is None:
                for other, refusal in refused.items():
                    other.refused.add(task.question.hash)
                    self._notice_refusals(other, refusal)
            decision = decide(reply, number, self.context.retries)
            if decision.refused:
                refused[lane] = reply
            if decision.hold_back is not None:
                self.dispatch.hold_back(lane, decision.hold_back)
            others = frozenset(refused)
            if not decision.again or not self.dispatch.others(others):
                break
            at_once = decision.at_once_elsewhere and self.dispatch.another_answers(lane, others)
            if await self._stopped_within(0.0 if at_once else decision.wait):
                break
        return last[1] if last else None

    async def _try(
        self, task: Task, request: Request, number: int, avoid: Lane | None, refused: frozenset[Lane]
    ) -> tuple[Lane, Reply] | None:
        """Send a request when and where it may be sent, and journal what comes of it; None where it may not any more."""
        tokens_in = self._sizes.of(task.prompt) if self.dispatch.counts_tokens else 0
        ticket = await self.dispatch.admit(tokens_in + self._most_generated, avoid, refused)
        if ticket is None:
            return None
        lane, reply = ticket.lane, None
        try:
            hold = await self._hold(task, lane)
            if hold is None and self.budget:
                return None
            self._recorder.prompt(task.prompt)
            self.tally.in_flight += 1
            try:
                reply = await lane.endpoint.complete(request)
                self._sizes.learn(task.prompt, reply.tokens_in)
            finally:
                self.tally.in_flight -= 1
                if self.budget and hold:
                    self.budget.settle(hold, reply)
            self._recorder.attempt(task, lane, reply, task.tries + number)
        finally:
            self.dispatch.returned(ticket, reply)
        self.tally.count(reply, again=number > 1)
        lane.count(task.question.hash, reply)
        self._notice_refusals(lane, reply)
        if self.dispatch.dead:
            self._give_up(self._gone(lane, reply))
        return lane, reply

    async def _hold(self, task: Task, lane: Lane) -> Hold | None:
        """Find room in the budget; None where there is no budget, or no room in it."""
        if self.budget is None:
            return None
        try:
            size = partial(self._sizes.of, task.prompt)
            return await self.budget.hold(task.question.hash, size, self._most_generated, lane.prices)
        except BudgetStop as stop:
            self._give_up(stop)
            return None

    def _give_up(self, error: SelftaughtError) -> None:
        """Ask for nothing more, and raise this once what is in flight has arrived."""
        if not self._stopping.is_set():
            self._failure = error
        self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        self.dispatch.close()
        if self.budget:
            self.budget.close()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _notice_refusals(self, lane: Lane, reply: Reply) -> None:
        """An endpoint that refuses the key, or what others answer, is not asked any more."""
        if len(lane.refused) < REFUSED_AFTER or lane.retired:
            return
        self.dispatch.retire(lane)
        if not self.dispatch.dead and self.note:
            what = "the key or its account" if reply.error == "auth" else "what others answer"
            said = f"({reply.error}: {(reply.error_text or '')[:100]})"
            self.note(f"{lane.identity.endpoint} refuses {what}; going on without it {said}")

    def _notice_failures(self, task: Task, reply: Reply) -> None:
        """Where nothing succeeds any more the endpoint is as good as gone."""
        if reply.error is None:
            self._failed_in_a_row.clear()
            return
        self.tally.failed += 1
        self._failed_in_a_row.add(task.key if ERRORS[reply.error] else task.question.hash)
        if len(self._failed_in_a_row) >= GONE_AFTER:
            self._give_up(self._gone(self.dispatch.lanes[0], reply))

    def _gone(self, lane: Lane, reply: Reply) -> SelftaughtError:
        others = len(self.dispatch.lanes) - 1
        place = lane.identity.endpoint + (f" and its {others} replicas" if others > 1 else " and its replica" * others)
        return SelftaughtError(
            f"{place}: the endpoint gives no completions any more ({reply.error}): "
            f"{(reply.error_text or '')[:300]}\n"
            "  Everything that arrived is kept. Mend the endpoint, then run the same command again."
        )


def _first(group: BaseExceptionGroup) -> SelftaughtError:
    """Return the first error in a group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SelftaughtError)  # noqa: S101 (the except* clause matched it)
    return error
