"""How a comparison of two policies is shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from selftaught_builder.audit.comparison import Comparison, Side
from selftaught_builder.cli.show.terminal import console, plain, show_frame

_CLIP = 300


def comparison_data(compared: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON can hold it."""
    a, b = compared.policies

    def side(one: Side) -> dict[str, Any]:
        return {**asdict(one), "against": one.against.to_dicts(), "examples": [dict(row) for row in one.examples]}

    return {
        "a": {"name": a.name, "sql": a.sql},
        "b": {"name": b.name, "sql": b.sql},
        "kept": compared.kept.to_dicts(),
        "only_a": side(compared.only_a),
        "only_b": side(compared.only_b),
        "unverified": dict(compared.unverified),
    }


def show_comparison(compared: Comparison) -> None:
    """Print a comparison: both policies, what each keeps, and the two sides with examples."""
    legend = Table(box=None, pad_edge=False, show_header=False)
    legend.add_column(style="bold")
    legend.add_column(overflow="fold")
    for letter, policy in zip("AB", compared.policies, strict=True):
        legend.add_row(letter, plain(policy.line))
    console.print(legend)
    console.print()
    show_frame(compared.kept.rename({"a": "A", "b": "B", "only_a": "only A", "only_b": "only B"}))
    for name, count in compared.unverified.items():
        console.print(f"[yellow]{count} completions lack a verdict of {name}; `selftaught verify` adds them[/]")
    _show_side(compared.only_a, "A", "B")
    _show_side(compared.only_b, "B", "A")


def _show_side(side: Side, keeps: str, drops: str) -> None:
    if not side.rows:
        console.print(f"\n[bold]{drops} drops nothing that {keeps} keeps.[/]")
        return
    console.print(f"\n[bold]{keeps} keeps and {drops} drops {side.rows:,}.[/] What {drops} has against them:")
    if side.against.height:
        show_frame(side.against)
    if side.unexplained:
        console.print(
            f"{side.unexplained:,} fail none of the verdicts that {drops} reads; another condition drops them"
        )
    for row in side.examples:
        console.print()
        console.print(
            plain(row["attempt"], limit=40), row["kind"], "of", plain(row["question_id"], limit=40), style="cyan"
        )
        for verdict, reason in row["against"].items():
            console.print("  ", f"[bold]{verdict}[/]: ", plain(reason, limit=_CLIP), sep="")
        lines = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 2))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        lines.add_row("question", plain(row["question"], limit=_CLIP))
        lines.add_row("rationale", plain(row["rationale"], limit=_CLIP))
        lines.add_row("known answer", plain(row["gold"], limit=60))
        console.print(lines)
