"""What `run` and `export` show at their end: a version, or how the loop went; and what a dry run foresees."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from selftaught_builder.cli.budget_display import figure, show_outlook
from selftaught_builder.cli.display import console, plain, show_funnel, show_json, show_pairs
from selftaught_builder.cli.stopping import asked_data, stop_data
from selftaught_builder.common.errors import NO_LIMIT

if TYPE_CHECKING:
    from selftaught_builder.common.errors import Stopped
    from selftaught_builder.export.version import Version
    from selftaught_builder.loop.forecast import Forecast
    from selftaught_builder.loop.loop import Loop, Ran


def show_ran(ran: Ran, loop: Loop, *, json: bool) -> None:
    """Show how a run went: without training the version made, else the loop's report."""
    done = [str(step) for step in ran.done]
    if loop.room.recipe.train is None:
        if json:
            show_json({**(version_data(ran.version) if ran.version else {"done": done}), **stop_data(None)})
        elif ran.version:
            show_version(ran.version)
        return
    from selftaught_builder.cli.report_display import show_report
    from selftaught_builder.report.collect import collect
    from selftaught_builder.scope.scope import scope_of

    report = collect(loop.store, loop.room.recipe, scope_of(loop.store, loop.room))
    if json:
        checkpoint = str(ran.checkpoint.folder) if ran.checkpoint else None
        early = {"stopped": {"by": "accuracy", **NO_LIMIT, "message": ran.stopped}} if ran.stopped else stop_data(None)
        show_json({"done": done, **early, "checkpoint": checkpoint, **asdict(report)})
        return
    show_report(report)
    if ran.stopped:
        console.print("\n[bold]stopped early[/]:", plain(ran.stopped))
    if ran.checkpoint:
        console.print(str(ran.checkpoint.folder), soft_wrap=True, markup=False)


def show_stopped(stop: Stopped, loop: Loop, *, json: bool) -> None:
    """Show, to a script, what a run did before a budget or the user stopped it; a person is told by `show_stop`."""
    if json:
        from selftaught_builder.report.collect import collect
        from selftaught_builder.scope.scope import scope_of

        asked = asked_data(stop.asked) if stop.asked else None
        done = [str(step) for step in loop.ran.done]
        data = {"done": done, "step": stop.step, "asked": asked, **stop_data(stop)}
        if loop.room.recipe.train:
            data |= asdict(collect(loop.store, loop.room.recipe, scope_of(loop.store, loop.room)))
        show_json(data)


def show_forecast(forecast: Forecast, *, json: bool) -> None:
    """Show what a run would do."""
    if json:
        show_json(asdict(forecast))
        return
    if forecast.changed:
        console.print(plain(forecast.changed.line), style="yellow", soft_wrap=True)
    rows = []
    for step in forecast.steps:
        tokens = f"about {step.tokens_out:,} tokens out" if step.tokens_out else ""
        cost = f", {figure('usd', step.cost)}" if step.requests and step.cost is not None else ""
        what = f"at most {step.requests:,} requests" if step.requests else f"{step.rows:,} rows" if step.rows else ""
        rows.append((step.step, what, tokens + cost))
    show_pairs(rows, title="Would do")
    costs = [step.cost for step in forecast.steps if step.requests]
    known = [cost for cost in costs if cost is not None]
    if not costs:
        said = "none"
    elif known and len(known) == len(costs):
        said = figure("usd", sum(known))
    elif forecast.measured:
        said = "unknown: not all that was sampled has a known price (`endpoint.prices`)"
    else:
        said = "unknown before a first sample, and without `endpoint.prices`"
    console.print(f"\n{forecast.passed_over} steps are done and passed over; cost: {said}")
    if forecast.stopped:
        console.print("stopped early:", plain(forecast.stopped))
    if forecast.steps and not forecast.measured:
        console.print("[dim]tokens are `max_tokens`, the most there can be: nothing was sampled yet[/]")
    show_outlook(forecast.budget)


def version_data(version: Version) -> dict[str, Any]:
    """Return a dataset version as a script reads it."""
    data = {"version": version.name, "folder": str(version.folder), "splits": dict(version.splits)}
    return {**data, "fresh": version.fresh, "notes": list(version.notes), "funnel": asdict(version.funnel)}


def show_version(version: Version) -> None:
    """Show a dataset version: its funnel, one rationale, its name and folder."""
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
