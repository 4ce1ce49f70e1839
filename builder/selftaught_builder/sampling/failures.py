"""When failures are enough: an endpoint that refuses is left out, and if nothing succeeds any more the run ends."""

from __future__ import annotations

from collections.abc import Callable

from selftaught_builder.common.errors import SelftaughtError
from selftaught_builder.concurrency import Dispatch, Lane
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.sampling.retry import refuses
from selftaught_builder.sampling.stop import Stop
from selftaught_builder.sampling.task import Task

# Attempts that fail for good one after another, with no success between, before the endpoint counts as gone. Of a question
# whose request is refused (it is too long, say) all samples are, so that they count as one.
GONE_AFTER = 20
# Questions refused as if the key were wrong, one after another, before it counts as wrong: some gateways answer 403 to a
# prompt that they do not like. So many that another then answers, and an endpoint is of no use.
REFUSED_AFTER = 3


class FailureWatch:
    """Watches what fails.

    Args:
        dispatch: the endpoints; those that refuse are retired.
        stop: asked for when nothing succeeds any more.
        note: told of an endpoint that is not asked any more.
    """

    def __init__(self, dispatch: Dispatch, stop: Stop, note: Callable[[str], None] | None = None) -> None:
        self._dispatch, self._stop, self._note = dispatch, stop, note
        self._in_a_row: set[str] = set()

    def tried(self, lane: Lane, reply: Reply) -> None:
        """Take note of what came of a try, which the lane has counted."""
        self._notice_refusals(lane, reply)
        if self._dispatch.dead:
            self._stop.request(self._gone(lane, reply))

    def answered_elsewhere(self, question: str, refusals: dict[Lane, Reply]) -> None:
        """Take note of those who refused a question, by its hash, that another has answered."""
        for lane, refusal in refusals.items():
            lane.refused.add(question)
            self._notice_refusals(lane, refusal)

    def ended(self, task: Task, reply: Reply) -> None:
        """Take note of a task's last reply: if nothing succeeds any more the endpoint is as good as gone."""
        if reply.error is None:
            self._in_a_row.clear()
            return
        self._in_a_row.add(task.question.hash if refuses(reply) else task.key)
        if len(self._in_a_row) >= GONE_AFTER:
            self._stop.request(self._gone(self._dispatch.lanes[0], reply))

    def _notice_refusals(self, lane: Lane, reply: Reply) -> None:
        """An endpoint that refuses the key, or what others answer, is not asked any more."""
        if len(lane.refused) < REFUSED_AFTER or lane.retired:
            return
        self._dispatch.retire(lane)
        if not self._dispatch.dead and self._note:
            what = "the key or its account" if reply.error == "auth" else "what others answer"
            said = f"({reply.error}: {(reply.error_text or '')[:100]})"
            self._note(f"{lane.identity.endpoint} refuses {what}; going on without it {said}")

    def _gone(self, lane: Lane, reply: Reply) -> SelftaughtError:
        others = len(self._dispatch.lanes) - 1
        place = lane.identity.endpoint + (f" and its {others} replicas" if others > 1 else " and its replica" * others)
        return SelftaughtError(
            f"{place}: the endpoint gives no completions any more ({reply.error}): "
            f"{(reply.error_text or '')[:300]}\n"
            "  Everything that arrived is kept. Mend the endpoint, then run the same command again."
        )
