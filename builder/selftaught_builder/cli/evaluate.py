"""The command `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.stop import asked_data, end_if_stopped, stop_data


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

    from selftaught_builder.cli.show.progress import Display
    from selftaught_builder.cli.show.report import show_table
    from selftaught_builder.cli.show.terminal import show_json
    from selftaught_builder.common.errors import InputError
    from selftaught_builder.common.names import file_name
    from selftaught_builder.export.intact import check_version
    from selftaught_builder.report.tables import accuracy_table
    from selftaught_builder.selection.newest import newest_version
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.serving.pool import Pool
    from selftaught_builder.stages.context import RoundContext
    from selftaught_builder.stages.evaluate import BASE
    from selftaught_builder.stages.evaluate import evaluate as ask_held_out
    from selftaught_builder.stages.result import Asked

    opened = open_given(room, questions, store, run)
    if model:
        # A run of its own: what a model outside the rounds gets right is none of the rounds' business.
        opened = replace(opened, run=f"{opened.run}@{file_name(model)}")
    if not (opened.divided.validate or opened.divided.evaluate):
        mend = "Say `validate: {share: 0.1}`, or `evaluate: {split: test}`; a small source needs a greater share."
        raise InputError("no question is held out", place="questions", mend=mend)
    workspace = Workspace(opened)
    newest = newest_version(workspace.store, opened).name if workspace.has_store else ""
    if newest and (opened.folder / newest).is_dir():
        check_version(workspace.store, opened.folder / newest)
    with Pool(opened.recipe.endpoint, opened.folder) as pool:
        pool.load(Path(model).resolve() if model and Path(model).exists() else model)
        result = ask_held_out(RoundContext(workspace, Display(), BASE, client=pool.open))
    if not result.stop and json:
        show_json([asdict(one) for one in result.evaluations])
    elif not result.stop:
        show_table(accuracy_table(result.evaluations, model))
    elif json:
        show_json({**asked_data(result.asked or Asked()), **stop_data(result.stop)})
    end_if_stopped(result.stop, result.asked)
