"""The end of a sampling: nothing more is asked for, and what is in flight is waited for."""

from __future__ import annotations

import asyncio

from selftaught_builder.common.errors import SelftaughtError
from selftaught_builder.concurrency import Dispatch
from selftaught_builder.spending.budget import Budget


class Stop:
    """Tells all workers of a sampler that it is over.

    Args:
        dispatch: lets nothing more go.
        budget: keeps nobody waiting for room; None if there is no budget.

    Attributes:
        failure: why it is over, if that is an error.
    """

    def __init__(self, dispatch: Dispatch, budget: Budget | None) -> None:
        self._dispatch, self._budget = dispatch, budget
        self._stopping = asyncio.Event()
        self.failure: SelftaughtError | None = None

    @property
    def requested(self) -> bool:
        """Whether it is over."""
        return self._stopping.is_set()

    def request(self, failure: SelftaughtError | None = None) -> None:
        """Ask for nothing more; of several failures the first counts, and none after a stop without one."""
        if not self.requested:
            self.failure = failure
        self._stopping.set()
        self._dispatch.close()
        if self._budget:
            self._budget.close()

    async def within(self, seconds: float) -> bool:
        """Wait for so long, or until it is over; return whether it is."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
