"""Sampling: put prompts to whoever serves the model, and journal every reply the moment it arrives.

Workers pull tasks out of one lazy plan, so no more than the most requests at once are ever in memory, and a slow store or
endpoint holds the plan back by itself. Before each try a worker waits for leave to send it, and for room in the budget.
A thread commits the journal to the tables about once a second; the requests never wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from selftaught_builder.common.errors import SelftaughtError
from selftaught_builder.concurrency import Dispatch
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.sampling.committer import Committer
from selftaught_builder.sampling.failures import FailureWatch
from selftaught_builder.sampling.recorder import Recorder
from selftaught_builder.sampling.runner import TaskRunner
from selftaught_builder.sampling.stop import Stop
from selftaught_builder.sampling.task import SamplingContext, Tally, Task
from selftaught_builder.spending.budget import Budget
from selftaught_builder.store import Store

Listener = Callable[[Task, Reply], None]


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
        self.store, self.dispatch, self.listener, self.tally = store, dispatch, listener, tally or Tally()
        self.interrupted = False
        self._workers: list[asyncio.Task[None]] = []
        self._stop = Stop(dispatch, budget)
        self._failures = FailureWatch(dispatch, self._stop, note)
        recorder = Recorder(store.journal, context, remembered=4 * dispatch.most)
        self._runner = TaskRunner(dispatch, context, self.tally, budget, recorder, self._failures, self._stop)

    def interrupt(self) -> None:
        """Ask for nothing more; requests in flight are waited for and kept."""
        self.interrupted = True
        self._stop.request()

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
        failure: SelftaughtError | None = None
        committer = Committer(self.store)
        committer.start()
        try:
            async with asyncio.TaskGroup() as group:
                self._workers = [group.create_task(self._work(tasks)) for _ in range(self.dispatch.most)]
        except* SelftaughtError as errors:
            failure = _first(errors)
        finally:
            await asyncio.to_thread(committer.finish)
        if failure := self._stop.failure or failure:
            raise failure
        return self.tally

    async def _work(self, tasks: Iterator[Task]) -> None:
        for task in tasks:
            if self._stop.requested:
                return
            reply = await self._runner.get(task)
            if reply is None:
                continue
            self.tally.failed += reply.error is not None
            self._failures.ended(task, reply)
            if self.listener:
                self.listener(task, reply)


def _first(group: BaseExceptionGroup) -> SelftaughtError:
    """Return the first error in a group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SelftaughtError)  # noqa: S101 (the except* clause matched it)
    return error
