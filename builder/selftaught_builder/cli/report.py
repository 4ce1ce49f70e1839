"""Commands that tell what a loop brought: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath


def report(
    room: RoomPath,
    store: StorePath = None,
    run: Run = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write it as one self-contained page.")
    ] = None,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Also draw the figure.")] = None,
    json: Json = False,
) -> None:
    """Tell what the rounds brought. Held-out accuracy with intervals, what was kept, leaks, tokens and time by stage."""
    from dataclasses import asdict

    from selftaught_builder.cli.show.report import show_report
    from selftaught_builder.cli.show.terminal import errors, plain, show_json
    from selftaught_builder.report import collect
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.selection.workspace import Workspace

    workspace = Workspace(open_room(room, store=store, run=run))
    require_run(workspace.store, workspace.room.run)
    made = collect(workspace.store, workspace.scope(), workspace.filter)
    if png:
        from selftaught_builder.report.plot import write_png

        write_png(made, png)
    if html:
        from selftaught_builder.report.page import write_html

        write_html(made, html)
    if json:
        show_json({**asdict(made), "seconds": made.seconds})
    else:
        show_report(made)
    for file in filter(None, (png, html)):
        errors.print("written:", plain(file), soft_wrap=True)
