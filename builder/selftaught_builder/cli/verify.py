"""The command `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.asked import show_counts
from selftaught_builder.cli.show.stop import end_if_stopped, stop_data
from selftaught_builder.common.errors import Stopped

if TYPE_CHECKING:
    from selftaught_builder.verification import Verified


def verify(room: RoomPath, store: StorePath = None, run: Run = None, json: Json = False) -> None:
    """Add the verdicts that the store lacks. A model is asked only where the recipe has `judge` or `regenerate`."""
    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.loop.sittings import work
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.stages.context import RoundContext
    from selftaught_builder.stages.verify import STAGE

    context = RoundContext(Workspace(open_given(room, None, store, run)), Display())
    result, _ = work(STAGE, context)
    _show_verified(result.verified, result.stop, json=json)
    if result.asked and result.asked.planned and not json:
        show_counts(result.asked)
    end_if_stopped(result.stop, result.asked)


def _show_verified(verified: Verified, stop: Stopped | None, *, json: bool) -> None:
    from selftaught_builder.cli.show.terminal import console, show_json

    if json:
        counted = {name: dict(counts) for name, counts in verified.outcomes.items()}
        show_json({**counted, **stop_data(stop)} if stop else counted)
        return
    width = max(map(len, verified.outcomes)) + 2
    for name, counts in verified.outcomes.items():
        shown = ", ".join(
            f"{counts[outcome]} {outcome}" for outcome in ("pass", "fail", "unscorable") if counts[outcome]
        )
        console.print(f"{name:<{width}}{shown or 'nothing new'}")
