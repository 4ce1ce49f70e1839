"""Commands that build, stage by stage: init, sample, verify, rationalize, export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.cli.stopping import asked_data, stop_data, stopped_by_user, until_stopped
from selftaught_builder.common.errors import BudgetStop, Stopped

if TYPE_CHECKING:
    from selftaught_builder.export.version import NothingKeptError
    from selftaught_builder.room.room import Room
    from selftaught_builder.stages.pipeline import Asked
    from selftaught_builder.verification import Verified


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (init, sample, verify, rationalize, export):
        app.command()(command)


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new room's name.")],
    like: Annotated[
        str, typer.Option(metavar="ROOM", help="Start from this shipped room: commonsenseqa, gsm8k, sums or svamp.")
    ] = "svamp",
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where rooms stand.")] = Path("datasets"),
) -> None:
    """Make a new room. It holds a commented recipe, and what the recipe names, to edit."""
    from selftaught_builder.cli.display import console
    from selftaught_builder.room.shipped import copy_room

    made = copy_room(like, name, folder)
    console.print(f"made {made}: edit its recipe.yaml, then `selftaught run {made}`", soft_wrap=True, markup=False)


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
    from selftaught_builder.cli.display import Display
    from selftaught_builder.stages import pipeline
    from selftaught_builder.stages.changes import changed_recipe

    opened = open_given(room, questions, store, run)
    if dry_run:
        from selftaught_builder.cli.rounds import show_forecast
        from selftaught_builder.loop.forecast import forecast_sample

        show_forecast(forecast_sample(opened), json=json)
        return
    display = Display()
    pipeline.check(opened)
    if opened.store_path.exists() and (changed := changed_recipe(opened.store(), opened)):
        display.note(changed.line)
    with _timed(opened, "sample") as detail:
        asked, stop = until_stopped(lambda: pipeline.sample(opened, display))
        detail |= _counted(asked)
    _show_asked(asked, stop, json=json)


def verify(room: RoomPath, store: StorePath = None, run: Run = None, json: Json = False) -> None:
    """Add the verdicts that the store lacks. A model is asked only where the recipe has `judge` or `regenerate`."""
    from selftaught_builder.cli.display import Display
    from selftaught_builder.stages.verify import verify_room

    opened = open_given(room, None, store, run)
    stop: Stopped | None
    with _timed(opened, "verify") as detail:
        try:
            asked, verified = verify_room(opened, Display())
            stop = stopped_by_user(asked)
        except BudgetStop as error:
            asked, verified, stop = error.asked, error.verified, error
        detail |= _counted(asked) if asked.planned else {}
    _show_verified(verified, stop, json=json)
    if asked.planned and not json:
        _show_counts(asked)
    if stop:
        raise stop


def rationalize(
    room: RoomPath, questions: Questions = None, store: StorePath = None, run: Run = None, json: Json = False
) -> None:
    """Ask again with the answer as a hint. Only questions without a kept sample are asked."""
    from selftaught_builder.cli.display import Display
    from selftaught_builder.stages import pipeline

    opened = open_given(room, questions, store, run)
    with _timed(opened, "rationalize") as detail:
        asked, stop = until_stopped(lambda: pipeline.rationalize(opened, Display()))
        detail |= _counted(asked)
    _show_asked(asked, stop, json=json)


def export(room: RoomPath, store: StorePath = None, run: Run = None, json: Json = False) -> None:
    """Write a dataset version. It holds what the policy keeps; the same store and recipe give the same version."""
    _export(open_given(room, None, store, run), json=json)


@contextmanager
def _timed(room: Room, stage: str) -> Iterator[dict[str, Any]]:
    """Record the sitting of a stage that comes to its end or is stopped; yields its detail, to be filled."""
    import time

    from selftaught_builder.loop.sittings import record_sitting

    started, detail = time.monotonic(), dict[str, Any]()
    yield detail
    detail.setdefault("seconds", {})["total"] = time.monotonic() - started
    record_sitting(room.store(), room.run, 1, stage, detail)


def _counted(asked: Asked | None) -> dict[str, Any]:
    return {**asked.counts, "seconds": {"generation": asked.seconds}} if asked else {}


def open_given(room: Path, questions: str | None, store: Path | None, run: str | None) -> Room:
    """Open the room that the arguments name."""
    from selftaught_builder.room.room import open_room

    return open_room(room, questions=questions, store=store, run=run)


def _export(room: Room, *, json: bool) -> None:
    from selftaught_builder.cli.display import show_json
    from selftaught_builder.cli.rounds import show_version, version_data
    from selftaught_builder.export.version import NothingKeptError
    from selftaught_builder.stages import pipeline

    try:
        version = pipeline.export(room)
    except NothingKeptError as error:
        show_nothing_kept(error, json=json)
        raise
    if json:
        show_json(version_data(version))
    else:
        show_version(version)


def show_nothing_kept(error: NothingKeptError, *, json: bool) -> None:
    """Show where an export that keeps nothing lost it all."""
    from selftaught_builder.cli.display import errors, show_funnel

    if not json:
        show_funnel(error.funnel, to=errors)


def _show_asked(asked: Asked, stop: Stopped | None, *, json: bool) -> None:
    """Show what a stage asked, and raise what has stopped it."""
    from selftaught_builder.cli.display import console, show_json

    if json:
        show_json({**asked_data(asked), **stop_data(stop)})
    elif not asked.planned:
        console.print("nothing to ask: no sampled question lacks a kept rationale")
    else:
        _show_counts(asked)
    if stop:
        raise stop


def _show_counts(asked: Asked) -> None:
    from selftaught_builder.cli.display import console

    tally = asked.tally
    console.print(
        f"{tally.completions:,} completions ({asked.reused:,} of {asked.planned:,} were there already), "
        f"{tally.failed:,} failed, {tally.truncated:,} truncated, {tally.tokens_out:,} tokens"
        + (f", ${tally.cost:.4f}" if tally.cost is not None else "")
    )


def _show_verified(verified: Verified, stop: Stopped | None, *, json: bool) -> None:
    from selftaught_builder.cli.display import console, show_json

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
