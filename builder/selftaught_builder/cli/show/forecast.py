"""What a dry run foresees."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from selftaught_builder.cli.show.budget import figure, show_outlook
from selftaught_builder.cli.show.terminal import console, plain, show_json, show_pairs

if TYPE_CHECKING:
    from selftaught_builder.loop.forecast import Forecast


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
