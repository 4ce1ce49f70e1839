"""A dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from selftaught_builder.cli.show.funnel import show_funnel
from selftaught_builder.cli.show.terminal import console, plain, show_json

if TYPE_CHECKING:
    from selftaught_builder.export.version import Version


def version_data(version: Version) -> dict[str, Any]:
    """Return a dataset version as a script reads it."""
    data = {"version": version.name, "folder": str(version.folder), "splits": dict(version.splits)}
    return {**data, "fresh": version.fresh, "notes": list(version.notes), "funnel": asdict(version.funnel)}


def show_version(version: Version, *, json: bool = False, stop: Mapping[str, Any] | None = None) -> None:
    """Show a dataset version: its funnel, one rationale, its name and folder; to a script with what stopped the run."""
    if json:
        show_json({**version_data(version), **(stop or {})})
        return
    show_funnel(version.funnel)
    shown = version.example
    console.print(f"\n[bold]One kept rationale[/] [dim]({shown['kind']})[/]")
    console.print("Q:", plain(shown["messages"][-2]["content"], lines=True))
    console.print("A:", plain(shown["rationale"], lines=True))
    there = "" if version.fresh else " (unchanged: this content was exported before)"
    console.print(f"\n[bold]{version.name}[/]{there}")
    for note in version.notes:
        console.print(plain(note), style="yellow", soft_wrap=True)
    console.print(str(version.folder), soft_wrap=True, markup=False)
