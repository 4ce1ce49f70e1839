"""The command `run`."""

from __future__ import annotations

from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.nothing_kept import show_nothing_kept


def run(
    room: RoomPath,
    questions: Questions = None,
    store: StorePath = None,
    run: Run = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", metavar="N", min=1, help="Rounds; the recipe's number where absent.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="[ROUND/]STAGE", help="Do this and all that follows again, such as 2/train."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="[ROUND/]STAGE", help="Stop after this, such as 1/export.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done and about what it would cost; ask nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Do it all, round by round. Running it again continues.

    A round is: sample, verify, rationalize, verify, export; and where the recipe trains, train and evaluate.
    """
    from selftaught_builder.cli.show.forecast import show_forecast
    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.cli.show.run import show_ran
    from selftaught_builder.export.version import NothingKeptError
    from selftaught_builder.loop.forecast import forecast
    from selftaught_builder.loop.loop import Loop

    loop = Loop(open_given(room, questions, store, run), rounds=rounds, watcher=Display())
    if dry_run:
        show_forecast(forecast(loop, begin, until), json=json)
        return
    try:
        ran = loop.run(begin, until)
    except NothingKeptError as error:
        show_nothing_kept(error, json=json)
        raise
    show_ran(ran, loop, json=json)
