"""Who is told how a stage goes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from selftaught_builder.endpoints import Reply
from selftaught_builder.sampling.task import Tally, Task


class Watcher(Protocol):
    """Who is told how a stage goes; the command line shows it."""

    def stage(self, title: str, total: int, tally: Tally | None) -> AbstractContextManager[None]:
        """A stage of `total` steps begins; it is over when the context is left."""
        ...

    def replied(self, task: Task, reply: Reply) -> None:
        """A task has got its last reply."""
        ...

    def advance(self, steps: int) -> None:
        """Some steps of the stage are done."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...


class Silent:
    """A watcher that shows nothing."""

    def stage(self, title: str, total: int, tally: Tally | None) -> AbstractContextManager[None]:
        """Show nothing."""
        return nullcontext()

    def replied(self, task: Task, reply: Reply) -> None:
        """Show nothing."""

    def advance(self, steps: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""
