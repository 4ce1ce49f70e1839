"""How a command ends that a budget or the user has stopped: it shows what it did all the same, and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import BudgetStop, Stopped, UserStop

if TYPE_CHECKING:
    from selftaught_builder.stages.pipeline import Asked


def until_stopped(stage: Callable[[], Asked]) -> tuple[Asked, Stopped | None]:
    """Run a stage that asks; return what it asked, and what has stopped it."""
    try:
        asked = stage()
    except BudgetStop as stop:
        return stop.asked, stop
    return asked, stopped_by_user(asked)


def stopped_by_user(asked: Asked) -> UserStop | None:
    """Return the stop of a stage that the user has interrupted."""
    return UserStop(asked) if asked.interrupted else None


def asked_data(asked: Asked) -> dict[str, Any]:
    """Return what a stage asked in this sitting, as a script reads it."""
    tries = {"requests": asked.tally.requests, "retries": asked.tally.retries}
    return {**asked.counts, **tries, "interrupted": asked.interrupted}


def stop_data(stop: Stopped | None) -> dict[str, Any]:
    """Return what stopped a command, under `stopped`; nothing where it is through."""
    return {"stopped": stop.facts if stop else None}


def show_stop(stop: Stopped) -> None:
    """Say on standard error what stopped the work, how far it is, and how to go on."""
    from selftaught_builder.cli.display import errors, plain

    # A terminal breaks lines between words; whoever else reads it gets them whole.
    whole = not errors.is_terminal
    errors.print("[bold yellow]stopped:[/] ", plain(stop.message), sep="", soft_wrap=whole)
    if far := _how_far(stop):
        errors.print(plain(far), soft_wrap=whole)
    errors.print(plain(stop.go_on), soft_wrap=whole)


def _how_far(stop: Stopped) -> str:
    """How much of the stage there is; "" where it had not begun to ask."""
    if stop.asked is None or not stop.asked.planned:
        return ""
    there, now = stop.asked.reused + stop.asked.tally.completions, stop.asked.tally.completions
    place = f"{stop.step}: " if stop.step else ""
    return f"{place}{there:,} of {stop.asked.planned:,} completions are there, {now:,} of them from this sitting."
