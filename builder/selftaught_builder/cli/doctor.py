"""Commands that examine: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught_builder.cli.arguments import Json

if TYPE_CHECKING:
    from selftaught_builder.doctor import Finding

_STYLES = {"ok": "green", "warn": "bold yellow", "fail": "bold red"}


def doctor(
    room: Annotated[
        Path | None,
        typer.Argument(metavar="ROOM", help="A room to examine, too; without it only what every room shares."),
    ] = None,
    endpoint: Annotated[
        bool, typer.Option("--endpoint/--no-endpoint", help="Ask the room's endpoint for a few tokens, or leave it be.")
    ] = True,
    json: Json = False,
) -> None:
    """Examine what a run needs. Environment, keys, store, disk, trainer and endpoint, each with the mend; writes nothing.

    Ends with 1 where something would end a run.
    """
    from dataclasses import asdict

    from selftaught_builder.cli.show.terminal import show_json
    from selftaught_builder.doctor import examine

    findings = []
    for finding in examine(room, endpoint=endpoint):
        if not json:
            _show(finding, findings[-1].part if findings else "")
        findings.append(finding)
    counts = {level: sum(one.level == level for one in findings) for level in _STYLES}
    if json:
        show_json({"findings": [asdict(one) for one in findings], "counts": counts})
    else:
        _show_counts(counts)
    if counts["fail"]:
        raise typer.Exit(1)


def _show(finding: Finding, before: str) -> None:
    from rich.table import Table

    from selftaught_builder.cli.show.terminal import console, plain

    line = Table.grid(padding=(0, 1))
    line.add_column(width=4)
    line.add_column(width=9)
    line.add_column(overflow="fold")
    part = plain(finding.part if finding.part != before else "")
    line.add_row(f"[{_STYLES[finding.level]}]{finding.level}[/]", part, plain(finding.text))
    if finding.mend:
        mend = plain(finding.mend)
        mend.stylize("dim")
        line.add_row("", "", mend)
    console.print(line)


def _show_counts(counts: dict[str, int]) -> None:
    from selftaught_builder.cli.show.terminal import console

    parts = [f"[{_STYLES[level]}]{count}[/] {level}" for level, count in counts.items()]
    console.print(f"\n{', '.join(parts)}")
