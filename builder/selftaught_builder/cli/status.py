"""The command `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath

if TYPE_CHECKING:
    from selftaught_builder.store import Store


def status(
    room: RoomPath,
    lineage: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Walk back to the base model from an attempt's id or key, a version, or VERSION:ROW (from 0).",
        ),
    ] = None,
    store: StorePath = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """Show the funnel, tokens and cost. From source rows to exported rationales, and what was paid, kept, wasted and is left.

    With --lineage: where a row came from: its attempt, prompt, model, weights, the training that made them, and so on.
    """
    from dataclasses import asdict

    from selftaught_builder.audit.accounts import count_accounts, count_endpoints
    from selftaught_builder.cli.show.budget import budget_data, budget_of, show_budget
    from selftaught_builder.cli.show.funnel import show_funnel
    from selftaught_builder.cli.show.status import (
        show_accounts,
        show_endpoints,
        show_spending,
        show_versions,
    )
    from selftaught_builder.cli.show.terminal import console, plain, show_json
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.selection.fates import fates_of
    from selftaught_builder.selection.funnel import count_funnel
    from selftaught_builder.selection.newest import newest_version
    from selftaught_builder.selection.selected import select_rows
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.spending.costs import cost_line, cost_of
    from selftaught_builder.verification import broken_verifiers

    opened = open_room(room, store=store, run=run)
    workspace = Workspace(opened)
    kept = workspace.store
    if lineage:
        _print_lineage(kept, lineage, json=json)
        return
    scope = workspace.newest_scope()
    with workspace.reading(scope) as view:
        rows = select_rows(view)
        require_run(kept, opened.run)
        fates = fates_of(view, rows)
        funnel = count_funnel(view, rows, fates)
    newest, cost = newest_version(kept, opened), cost_of(kept, scope)
    exported = bool(newest.name) and newest.attempts == frozenset(rows["attempt"])
    spending = kept.sql("SELECT * EXCLUDE (run) FROM spending WHERE run = ?", [opened.run])
    versions = kept.sql(
        "SELECT version, row_count AS rows, policy, date_trunc('second', created_at)::VARCHAR AS made FROM dataset_versions "
        "WHERE recipe_name = ? ORDER BY number",
        [opened.recipe.name],
    )
    accounts, endpoints = count_accounts(kept, opened, fates), count_endpoints(kept, opened.run).to_dicts()
    budget, broken = budget_of(opened), broken_verifiers(kept, workspace.filter.versions, scope)
    if json:
        counts = {**asdict(funnel), "beyond_limit": funnel.not_asked, "would_export": not exported}
        data = {"funnel": counts, "spending": spending.to_dicts(), "accounts": asdict(accounts), "endpoints": endpoints}
        checked = {"budget": budget_data(budget), "broken_verifiers": [asdict(one) for one in broken]}
        total = {**asdict(cost), "per_kept_row": cost.per_row(funnel.exported)}
        drawn = {"draw_on": scope.draw_on, "rounds": [scope.first, scope.last]}
        show_json({**data, **checked, "cost": total, "scope": drawn, "versions": versions.to_dicts()})
        return
    show_funnel(funnel, exported=exported)
    for one in broken:
        console.print(plain(one.line), style="yellow")
    console.print()
    show_accounts(accounts)
    console.print(cost_line(cost, cost.per_row(funnel.exported)))
    if budget is not None:
        console.print()
        show_budget(budget)
    if spending.height:
        console.print()
        show_spending(spending.to_dicts())
    if len(endpoints) > 1:
        console.print()
        show_endpoints(endpoints)
    if versions.height:
        console.print()
        show_versions(versions.to_dicts())


def _print_lineage(store: Store, of: str, *, json: bool) -> None:
    from dataclasses import asdict

    from selftaught_builder.audit.lineage import lineage
    from selftaught_builder.cli.show.report import show_lineage
    from selftaught_builder.cli.show.terminal import show_json

    steps = lineage(store, of)
    if json:
        show_json([asdict(step) for step in steps])
    else:
        show_lineage(steps)
