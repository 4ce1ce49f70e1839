"""The command `train`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given


def train(
    room: RoomPath,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the Axolotl YAML, checked against Axolotl's own schema; train nothing."),
    ] = False,
    store: StorePath = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """Train on the newest round's dataset version. The same version, base and recipe are not trained twice."""
    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.cli.show.run import show_ran
    from selftaught_builder.loop.loop import Loop
    from selftaught_builder.training.check import rendered

    opened = open_given(room, None, store, run)
    if dry_run:
        sys.stdout.write(rendered(opened))
        return
    loop = Loop(opened, watcher=Display())
    show_ran(loop.train(), loop, json=json)
