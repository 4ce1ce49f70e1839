"""How a command ends that a budget or the user has stopped: it shows what it did all the same, and how to go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import Stopped

if TYPE_CHECKING:
    from selftaught_builder.loop.steps import Step
    from selftaught_builder.stages.result import Asked


def asked_data(asked: Asked) -> dict[str, Any]:
    """Return what a stage asked in this sitting, as a script reads it."""
    tries = {"requests": asked.tally.requests, "retries": asked.tally.retries}
    return {**asked.counts, **tries, "interrupted": asked.interrupted}


def stop_data(stop: Stopped | None) -> dict[str, Any]:
    """Return what stopped a command, under `stopped`; nothing if it is through."""
    return {"stopped": stop.facts if stop else None}


def end_if_stopped(stop: Stopped | None, asked: Asked | None = None, step: Step | None = None) -> None:
    """End the command if something has stopped it: say so, and exit with the stop's code."""
    if stop:
        show_stop(stop, asked, step)
        sys.exit(stop.exit_code)


def show_stop(stop: Stopped, asked: Asked | None = None, step: Step | None = None) -> None:
    """Say on standard error what stopped the work, how far it is, and how to go on."""
    from selftaught_builder.cli.show.terminal import errors, plain

    # A terminal breaks lines between words; whoever else reads it gets them whole.
    whole = not errors.is_terminal
    errors.print("[bold yellow]stopped:[/] ", plain(stop.message), sep="", soft_wrap=whole)
    if asked and asked.planned:
        errors.print(plain(_how_far(asked, step)), soft_wrap=whole)
    errors.print(plain(stop.go_on), soft_wrap=whole)


def _how_far(asked: Asked, step: Step | None) -> str:
    """How much of the stage there is."""
    there, now = asked.reused + asked.tally.completions, asked.tally.completions
    place = f"{step}: " if step else ""
    return f"{place}{there:,} of {asked.planned:,} completions are there, {now:,} of them from this sitting."
