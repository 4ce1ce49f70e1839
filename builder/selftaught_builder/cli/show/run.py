"""How a run went."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from selftaught_builder.cli.show.report import show_report
from selftaught_builder.cli.show.stop import asked_data, end_if_stopped, stop_data
from selftaught_builder.cli.show.terminal import console, plain, show_json
from selftaught_builder.cli.show.version import show_version
from selftaught_builder.common.errors import NO_LIMIT
from selftaught_builder.report.collect import collect

if TYPE_CHECKING:
    from selftaught_builder.loop.loop import Loop, Ran


def show_ran(ran: Ran, loop: Loop, *, json: bool) -> None:
    """Show how a run went: without training the version made, else the loop's report. A stop ends the command."""
    trains = loop.room.recipe.train is not None
    if ran.stop:
        if json:
            show_json(_stopped_data(ran, loop))
        end_if_stopped(ran.stop, ran.asked, ran.step)
    elif trains:
        _show_loop(ran, loop, json=json)
    elif ran.version:
        show_version(ran.version, json=json, stop=stop_data(None))
    elif json:
        show_json({"done": _done(ran), **stop_data(None)})


def _done(ran: Ran) -> list[str]:
    return [str(step) for step in ran.done]


def _stopped_data(ran: Ran, loop: Loop) -> dict[str, Any]:
    """What a run did before a budget or the user stopped it, as a script reads it."""
    asked = asked_data(ran.asked) if ran.asked else None
    data = {"done": _done(ran), "step": str(ran.step), "asked": asked, **stop_data(ran.stop)}
    return (
        {**data, **asdict(collect(loop.workspace.store, loop.workspace.scope(), loop.workspace.filter))}
        if loop.room.recipe.train
        else data
    )


def _show_loop(ran: Ran, loop: Loop, *, json: bool) -> None:
    report = collect(loop.workspace.store, loop.workspace.scope(), loop.workspace.filter)
    if json:
        checkpoint = str(ran.checkpoint.folder) if ran.checkpoint else None
        early = {"stopped": {"by": "accuracy", **NO_LIMIT, "message": ran.stopped}} if ran.stopped else stop_data(None)
        show_json({"done": _done(ran), **early, "checkpoint": checkpoint, **asdict(report)})
        return
    show_report(report)
    if ran.stopped:
        console.print("\n[bold]stopped early[/]:", plain(ran.stopped))
    if ran.checkpoint:
        console.print(str(ran.checkpoint.folder), soft_wrap=True, markup=False)
