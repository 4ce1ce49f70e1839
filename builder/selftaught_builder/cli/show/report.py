"""A loop's report and a row's lineage, as a person sees them in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table as Grid
from rich.text import Text

from selftaught_builder.cli.show.terminal import console, plain

if TYPE_CHECKING:
    from selftaught_builder.audit.lineage import Step
    from selftaught_builder.report import LoopReport
    from selftaught_builder.report.tables import Table


_WIDE = 60


def show_report(report: LoopReport) -> None:
    """Print the report's tables, the SQL behind them, and which checkpoint is best."""
    from selftaught_builder.report.tables import summary_lines, tables

    for table in tables(report):
        console.print(Text(f"\n{table.title}", style="bold"))
        show_table(table)
        if table.remark:
            console.print(Text(table.remark, style="dim"))
    console.print()
    for line in summary_lines(report):
        console.print(plain(line))


def show_table(table: Table) -> None:
    """Print one table, without its last columns where they do not fit."""
    headings = [name.removeprefix("<") for name in table.columns]
    cells = [[plain(cell, limit=_WIDE) for cell in row] for row in table.rows]
    widths = [
        max(map(len, (*heading.split(), *column)))
        for heading, column in zip(headings, zip(*cells, strict=True), strict=True)
    ]
    shown = sum(sum(widths[:count]) + 2 * (count - 1) <= console.width for count in range(1, len(widths) + 1))
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    for heading, name, width in zip(headings[:shown], table.columns, widths, strict=False):
        grid.add_column(heading, justify="left" if name.startswith("<") else "right", overflow="fold", width=width)
    for row in cells:
        grid.add_row(*row[:shown])
    console.print(grid)
    if shown < len(headings):
        console.print(Text(f"… and in a wider terminal: {', '.join(headings[shown:])}", style="dim"))


def show_lineage(steps: Sequence[Step]) -> None:
    """Print a lineage as an indented tree."""
    for step in steps:
        line = Text("  " * step.depth).append(step.kind, style="bold").append(" ").append_text(plain(step.name))
        console.print(line, soft_wrap=True)
        for label, value in step.facts.items():
            fact = (
                Text("  " * step.depth + "    ").append(f"{label}: ", style="dim").append_text(plain(value, limit=200))
            )
            console.print(fact, soft_wrap=True)
