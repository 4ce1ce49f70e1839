"""The command `rationalize`."""

from __future__ import annotations

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.asked import show_asked


def rationalize(
    room: RoomPath, questions: Questions = None, store: StorePath = None, run: Run = None, json: Json = False
) -> None:
    """Ask again with the answer as a hint. Only questions without a kept sample are asked."""
    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.loop.sittings import work
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.stages.context import RoundContext
    from selftaught_builder.stages.rationalize import STAGE

    context = RoundContext(Workspace(open_given(room, questions, store, run)), Display())
    result, _ = work(STAGE, context)
    show_asked(result, json=json)
