"""Commands that go round: run, train, evaluate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.building import open_given, show_nothing_kept
from selftaught_builder.cli.stopping import asked_data, stop_data, stopped_by_user
from selftaught_builder.common.errors import BudgetStop, Stopped


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (run, train, evaluate):
        app.command()(command)


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
    from selftaught_builder.cli.display import Display
    from selftaught_builder.cli.rounds import show_forecast, show_ran, show_stopped
    from selftaught_builder.export.version import NothingKeptError
    from selftaught_builder.loop.forecast import forecast
    from selftaught_builder.loop.loop import Loop

    loop = Loop(open_given(room, questions, store, run), rounds=rounds, watcher=Display())
    if dry_run:
        show_forecast(forecast(loop, begin, until), json=json)
        return
    try:
        ran = loop.run(begin, until)
    except Stopped as stop:
        show_stopped(stop, loop, json=json)
        raise
    except NothingKeptError as error:
        show_nothing_kept(error, json=json)
        raise
    show_ran(ran, loop, json=json)


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
    from selftaught_builder.cli.display import Display
    from selftaught_builder.cli.rounds import show_ran
    from selftaught_builder.loop.loop import Loop
    from selftaught_builder.stages.train import rendered

    opened = open_given(room, None, store, run)
    if dry_run:
        sys.stdout.write(rendered(opened))
        return
    loop = Loop(opened, watcher=Display())
    show_ran(loop.train(), loop, json=json)


def evaluate(
    room: RoomPath,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="FOLDER",
            help="A checkpoint, or what else the endpoint serves; the recipe's where absent.",
        ),
    ] = None,
    questions: Questions = None,
    store: StorePath = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """Ask a model the held-out questions, greedily. Running it again asks nothing twice."""
    from dataclasses import asdict, replace

    from selftaught_builder.cli.display import Display, show_json
    from selftaught_builder.cli.report_display import show_table
    from selftaught_builder.common.errors import InputError
    from selftaught_builder.common.names import file_name
    from selftaught_builder.export.intact import check_version
    from selftaught_builder.report.tables import accuracy_table
    from selftaught_builder.selection.newest import newest_version
    from selftaught_builder.serving.pool import Pool
    from selftaught_builder.stages.evaluate import evaluate as ask_held_out
    from selftaught_builder.stages.pipeline import Turn

    opened = open_given(room, questions, store, run)
    if model:
        # A run of its own: what a model outside the rounds gets right is none of the rounds' business.
        opened = replace(opened, run=f"{opened.run}@{file_name(model)}")
    if not (opened.divided.validate or opened.divided.evaluate):
        mend = "Say `validate: {share: 0.1}`, or `evaluate: {split: test}`; a small source needs a greater share."
        raise InputError("no question is held out", place="questions", mend=mend)
    newest = newest_version(opened.store(), opened).name if opened.store_path.exists() else ""
    if newest and (opened.folder / newest).is_dir():
        check_version(opened.store(), opened.folder / newest)
    with Pool(opened.recipe.endpoint, opened.folder) as pool:
        pool.load(Path(model).resolve() if model and Path(model).exists() else model)
        try:
            asked, found = ask_held_out(opened, Display(), Turn(0, client=pool.open))
            stop: Stopped | None = stopped_by_user(asked)
        except BudgetStop as error:
            asked, found, stop = error.asked, [], error
    if stop:
        if json:
            show_json({**asked_data(asked), **stop_data(stop)})
        raise stop
    if json:
        show_json([asdict(one) for one in found])
    else:
        show_table(accuracy_table(found, model))
