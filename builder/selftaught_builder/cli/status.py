"""The command `status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath

if TYPE_CHECKING:
    from selftaught_builder.audit.accounts import Accounts
    from selftaught_builder.scope.scope import Scope
    from selftaught_builder.selection.funnel import Funnel
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.spending.costs import Cost
    from selftaught_builder.spending.spent import Spent
    from selftaught_builder.store import Store
    from selftaught_builder.verification import Broken


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
    from selftaught_builder.cli.show.terminal import show_json
    from selftaught_builder.room.room import open_room
    from selftaught_builder.selection.workspace import Workspace

    workspace = Workspace(open_room(room, store=store, run=run))
    if lineage:
        _print_lineage(workspace.store, lineage, json=json)
        return
    found = _collect(workspace)
    if json:
        show_json(_data(found))
    else:
        _show(found)


@dataclass(frozen=True)
class _Status:
    """What there is to say of a run."""

    scope: Scope
    funnel: Funnel
    exported: bool
    cost: Cost
    accounts: Accounts
    broken: Sequence[Broken]
    budget: Spent | str | None
    spending: Sequence[Mapping[str, Any]]
    endpoints: Sequence[Mapping[str, Any]]
    versions: Sequence[Mapping[str, Any]]


_SPENDING = "SELECT * EXCLUDE (run) FROM spending WHERE run = ?"
_VERSIONS = """
SELECT version, row_count AS rows, policy, date_trunc('second', created_at)::VARCHAR AS made FROM dataset_versions
WHERE recipe_name = ? ORDER BY number"""


def _collect(workspace: Workspace) -> _Status:
    from selftaught_builder.audit.accounts import count_accounts, count_endpoints
    from selftaught_builder.cli.show.budget import budget_of
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.selection.fates import fates_of
    from selftaught_builder.selection.funnel import count_funnel
    from selftaught_builder.selection.newest import newest_version
    from selftaught_builder.selection.selected import select_rows
    from selftaught_builder.spending.costs import cost_of
    from selftaught_builder.verification import broken_verifiers

    room, store, scope = workspace.room, workspace.store, workspace.newest_scope()
    with workspace.reading(scope) as view:
        rows = select_rows(view)
        require_run(store, room.run)
        fates = fates_of(view, rows)
        funnel = count_funnel(view, rows, fates)
    newest = newest_version(store, room)
    return _Status(
        scope=scope,
        funnel=funnel,
        exported=bool(newest.name) and newest.attempts == frozenset(rows["attempt"]),
        cost=cost_of(store, scope),
        accounts=count_accounts(store, room, fates),
        broken=broken_verifiers(store, workspace.filter.versions, scope),
        budget=budget_of(room),
        spending=store.sql(_SPENDING, [room.run]).to_dicts(),
        endpoints=count_endpoints(store, room.run).to_dicts(),
        versions=store.sql(_VERSIONS, [room.recipe.name]).to_dicts(),
    )


def _data(found: _Status) -> dict[str, Any]:
    from selftaught_builder.cli.show.budget import budget_data

    funnel, scope = found.funnel, found.scope
    return {
        "funnel": {**asdict(funnel), "beyond_limit": funnel.not_asked, "would_export": not found.exported},
        "spending": found.spending,
        "accounts": asdict(found.accounts),
        "endpoints": found.endpoints,
        "budget": budget_data(found.budget),
        "broken_verifiers": [asdict(one) for one in found.broken],
        "cost": {**asdict(found.cost), "per_kept_row": found.cost.per_row(funnel.exported)},
        "scope": {"draw_on": scope.draw_on, "rounds": [scope.first, scope.last]},
        "versions": found.versions,
    }


def _show(found: _Status) -> None:
    from selftaught_builder.cli.show.budget import show_budget
    from selftaught_builder.cli.show.funnel import show_funnel
    from selftaught_builder.cli.show.status import show_accounts, show_endpoints, show_spending, show_versions
    from selftaught_builder.cli.show.terminal import console, plain
    from selftaught_builder.spending.costs import cost_line

    show_funnel(found.funnel, exported=found.exported)
    for one in found.broken:
        console.print(plain(one.line), style="yellow")
    console.print()
    show_accounts(found.accounts)
    console.print(cost_line(found.cost, found.cost.per_row(found.funnel.exported)))
    if found.budget is not None:
        console.print()
        show_budget(found.budget)
    if found.spending:
        console.print()
        show_spending(found.spending)
    if len(found.endpoints) > 1:
        console.print()
        show_endpoints(found.endpoints)
    if found.versions:
        console.print()
        show_versions(found.versions)


def _print_lineage(store: Store, of: str, *, json: bool) -> None:
    from selftaught_builder.audit.lineage import lineage
    from selftaught_builder.cli.show.report import show_lineage
    from selftaught_builder.cli.show.terminal import show_json

    steps = lineage(store, of)
    if json:
        show_json([asdict(step) for step in steps])
    else:
        show_lineage(steps)
