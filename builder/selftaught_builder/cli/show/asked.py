"""What a stage asked for, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selftaught_builder.cli.show.stop import asked_data, end_if_stopped, stop_data

if TYPE_CHECKING:
    from selftaught_builder.stages.result import Asked, StageResult


def show_asked(result: StageResult, *, json: bool) -> None:
    """Show what a stage asked, and end the command if something has stopped it."""
    from selftaught_builder.cli.show.terminal import console, show_json
    from selftaught_builder.stages.result import Asked

    asked = result.asked or Asked()
    if json:
        show_json({**asked_data(asked), **stop_data(result.stop)})
    elif not asked.planned:
        console.print("nothing to ask: no sampled question lacks a kept rationale")
    else:
        show_counts(asked)
    end_if_stopped(result.stop, result.asked)


def show_counts(asked: Asked) -> None:
    """Show what was asked for and what came of it."""
    from selftaught_builder.cli.show.terminal import console

    tally = asked.tally
    console.print(
        f"{tally.completions:,} completions ({asked.reused:,} of {asked.planned:,} were there already), "
        f"{tally.failed:,} failed, {tally.truncated:,} truncated, {tally.tokens_out:,} tokens"
        + (f", ${tally.cost:.4f}" if tally.cost is not None else "")
    )
