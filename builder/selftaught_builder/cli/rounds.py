"""What `run` and `export` show at their end: a version, or how the loop went; and what a dry run foresees."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from selftaught_builder.cli.display import console, plain, show_funnel, show_json, show_pairs

if TYPE_CHECKING:
    from selftaught_builder.export.version import Version
    from selftaught_builder.loop.forecast import Forecast
    from selftaught_builder.loop.loop import Loop, Ran


def show_ran(ran: Ran, loop: Loop, *, json: bool) -> None:
    """Show how a run went: without training the version made, else the loop's report."""
    done = [str(step) for step in ran.done]
    if loop.room.recipe.train is None:
        if ran.version:
            show_version(ran.version, json=json)
        elif json:
            show_json({"done": done})
        return
    from selftaught_builder.cli.report_display import show_report
    from selftaught_builder.report.collect import collect

    report = collect(loop.store, loop.room.run)
    if json:
        checkpoint = str(ran.checkpoint.folder) if ran.checkpoint else None
        show_json({"done": done, "stopped": ran.stopped, "checkpoint": checkpoint, **asdict(report)})
        return
    show_report(report)
    if ran.stopped:
        console.print("\n[bold]stopped early[/]:", plain(ran.stopped))
    if ran.checkpoint:
        console.print(str(ran.checkpoint.folder), soft_wrap=True, markup=False)


def show_forecast(forecast: Forecast, *, json: bool) -> None:
    """Show what a run would do."""
    if json:
        show_json(asdict(forecast))
        return
    rows = []
    for step in forecast.steps:
        tokens = f"about {step.tokens_out:,} tokens out" if step.tokens_out else ""
        cost = f", ${step.cost:.2f}" if step.cost is not None else ""
        what = f"at most {step.requests:,} requests" if step.requests else f"{step.rows:,} rows" if step.rows else ""
        rows.append((step.step, what, tokens + cost))
    show_pairs(rows, title="Would do")
    costs = [step.cost for step in forecast.steps if step.requests]
    known = [cost for cost in costs if cost is not None]
    said = (
        f"${sum(known):.2f}"
        if known and len(known) == len(costs)
        else "unknown: `endpoint.prices` and a first sample say it"
    )
    if not forecast.steps:
        said = "none"
    console.print(f"\n{forecast.passed_over} steps are done and passed over; cost: {said}")
    if forecast.stopped:
        console.print("stopped early:", plain(forecast.stopped))
    if forecast.steps and not forecast.measured:
        console.print("[dim]tokens are `max_tokens`, the most there can be: nothing was sampled yet[/]")


def show_version(version: Version, *, json: bool) -> None:
    """Show a dataset version: its funnel, one rationale, its name and folder."""
    if json:
        data: dict[str, Any] = {"version": version.name, "folder": str(version.folder), "splits": dict(version.splits)}
        show_json({**data, "fresh": version.fresh, "funnel": asdict(version.funnel)})
        return
    show_funnel(version.funnel)
    shown = version.example
    console.print(f"\n[bold]One kept rationale[/] [dim]({shown['kind']})[/]")
    console.print("Q:", plain(shown["messages"][-2]["content"], lines=True))
    console.print("A:", plain(shown["rationale"], lines=True))
    there = "" if version.fresh else " (unchanged: this content was exported before)"
    console.print(f"\n[bold]{version.name}[/]{there}")
    console.print(str(version.folder), soft_wrap=True, markup=False)
