"""The command `sample`."""

from __future__ import annotations

from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.asked import show_asked


def sample(
    room: RoomPath,
    questions: Questions = None,
    store: StorePath = None,
    run: Run = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be asked and about what it would cost; ask nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Sample k rationales for each question. Those that are there already are not asked for again."""
    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.loop.sittings import work
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.stages.changes import changed_recipe
    from selftaught_builder.stages.context import RoundContext
    from selftaught_builder.stages.sample import STAGE

    workspace = Workspace(open_given(room, questions, store, run))
    if dry_run:
        from selftaught_builder.cli.show.forecast import show_forecast
        from selftaught_builder.loop.forecast import forecast_sample

        show_forecast(forecast_sample(workspace), json=json)
        return
    display = Display()
    _ = workspace.filter  # a wrong recipe is told before what has changed in it
    if changed := changed_recipe(workspace):
        display.note(changed.line)
    result, _ = work(STAGE, RoundContext(workspace, display))
    show_asked(result, json=json)
