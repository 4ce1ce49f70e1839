"""Commands that read: recipe, questions, status, sql, audit."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught_builder.cli.arguments import Json, Questions, RoomPath, Run, StorePath
from selftaught_builder.common.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from selftaught_builder.store import Store


recipes = typer.Typer(
    help="Show a recipe, or the schema of recipes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(recipes, name="recipe")
    for command in (questions, status, sql, audit):
        app.command()(command)


@recipes.command()
def show(room: RoomPath) -> None:
    """Print a recipe with every default filled in."""
    import yaml

    from selftaught_builder.cli.display import console, plain
    from selftaught_builder.recipe import load_recipe

    text = yaml.safe_dump(load_recipe(room).model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    console.print(plain(text, lines=True), soft_wrap=True, end="")


@recipes.command()
def schema() -> None:
    """Print the JSON Schema of recipes."""
    import json

    from selftaught_builder.recipe import Recipe

    sys.stdout.write(json.dumps(Recipe.model_json_schema(), indent=2) + "\n")


def questions(room: RoomPath, questions: Questions = None, json: Json = False) -> None:
    """Check the question source. Reports what becomes a question and what is kept out, by row."""
    from selftaught_builder.cli.display import console, plain, show_json, show_pairs
    from selftaught_builder.questions.held_out import HELD_OUT
    from selftaught_builder.room.room import open_room

    divided = open_room(room, questions=questions).divided
    loaded = divided.training
    held_out = {"validate": len(divided.validate), "evaluate": len(divided.evaluate)}
    kinds: dict[str, int] = {}
    for question in loaded.questions:
        kinds[question.kind] = kinds.get(question.kind, 0) + 1
    if json:
        rejected = [
            {"row": problem.row, "reason": problem.reason, "detail": problem.detail} for problem in loaded.rejected
        ]
        data = {"rows": loaded.rows, "questions": len(loaded.questions), "kinds": kinds}
        show_json({**data, "held_out": held_out, "beyond_limit": loaded.beyond_limit, "rejected": rejected})
        return
    rows = [("source rows", loaded.rows), ("questions", len(loaded.questions))]
    rows += [(f"  {kind}", count) for kind, count in sorted(kinds.items())]
    rows += [(f"held out: {name}", count) for name, count in held_out.items() if count]
    problems = [problem for problem in loaded.rejected if problem.reason != HELD_OUT]
    show_pairs([*rows, ("beyond the limit", loaded.beyond_limit), ("rejected", len(problems))])
    for problem in problems[:20]:
        console.print(f"  row {problem.row}: {problem.reason}:", plain(problem.detail, limit=120))
    if len(problems) > 20:
        console.print(f"  … {len(problems) - 20} more; --json lists all")
    if loaded.questions:
        first = loaded.questions[0]
        console.print(
            "\nfirst:",
            plain(first.id, limit=60),
            f"({first.kind})",
            plain(first.text, limit=200),
            "→",
            plain(first.gold, limit=60),
        )


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
    from selftaught_builder.cli.budget_display import budget_data, budget_of, show_budget
    from selftaught_builder.cli.display import console, plain, show_funnel, show_json
    from selftaught_builder.cli.status_display import (
        show_accounts,
        show_endpoints,
        show_spending,
        show_versions,
    )
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.scope.scope import newest_scope
    from selftaught_builder.selection.fates import fates_of
    from selftaught_builder.selection.funnel import count_funnel
    from selftaught_builder.selection.newest import newest_version
    from selftaught_builder.selection.selected import select_rows
    from selftaught_builder.spending.costs import cost_line, cost_of
    from selftaught_builder.verification import broken_verifiers

    opened = open_room(room, store=store, run=run)
    kept = opened.store()
    if lineage:
        _print_lineage(kept, lineage, json=json)
        return
    scope = newest_scope(kept, opened)
    rows = select_rows(kept, opened.recipe, scope)
    require_run(kept, opened.run)
    fates = fates_of(kept, opened.recipe, scope, rows)
    funnel = count_funnel(kept, opened.recipe, scope, rows, fates)
    newest, cost = newest_version(kept, opened), cost_of(kept, scope)
    exported = bool(newest.name) and newest.attempts == frozenset(rows["attempt"])
    spending = kept.sql("SELECT * EXCLUDE (run) FROM spending WHERE run = ?", [opened.run])
    versions = kept.sql(
        "SELECT version, row_count AS rows, policy, date_trunc('second', created_at)::VARCHAR AS made FROM dataset_versions "
        "WHERE recipe_name = ? ORDER BY number",
        [opened.recipe.name],
    )
    accounts, endpoints = count_accounts(kept, opened, fates), count_endpoints(kept, opened.run).to_dicts()
    budget, broken = budget_of(opened), broken_verifiers(kept, opened.recipe, scope)
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


def sql(
    room: Annotated[Path, typer.Argument(metavar="ROOM", help="A room, or a store's file.")],
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="One SQL query; read from standard input where absent.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="List tables, views and their columns.")] = False,
    store: StorePath = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """Ask the store in SQL, read-only. Over a room there are also the views `audited` and `kept`."""
    import polars  # noqa: F401 (takes SIGINT for itself as it is imported, and a long query of DuckDB then misses it)

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a reader has nothing to lose by ending at once
    from selftaught_builder.store import run_sql

    if schema:
        query = (
            "SELECT table_name AS \"table\", string_agg(column_name, ', ' ORDER BY column_index) AS columns "
            "FROM duckdb_columns() WHERE NOT internal GROUP BY table_name ORDER BY table_name"
        )
    if query is None:
        if sys.stdin.isatty():
            sys.stderr.write("SQL, then Ctrl-D:\n")
        query = sys.stdin.read()
    if room.suffix == ".duckdb":
        from selftaught_builder.store import open_store

        _print_frame(open_store(room).sql(query), json=json, width=2000 if schema else 70)
        return
    from selftaught_builder.room.room import open_room
    from selftaught_builder.scope.scope import scope_of
    from selftaught_builder.selection.policy import filter_of
    from selftaught_builder.selection.reading import VIEWS, reading

    opened = open_room(room, store=store, run=run)
    kept = opened.store()
    # The views take their time to make; most queries over tables do without.
    wanted = schema or any(view in query.lower() for view in VIEWS)
    with reading(kept, scope_of(kept, opened), filter_of(opened.recipe)) if wanted else kept.read() as connection:
        _print_frame(run_sql(connection, query), json=json, width=2000 if schema else 70)


def audit(
    room: RoomPath,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One audit's name, `policy` or `why`; all audits where absent.")
    ] = None,
    policies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="With `policy`: the two to compare, each a name, `recipe` or SQL. With `why`: a question or an attempt.",
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, help="With `policy`: how many to show of each side.")
    ] = 3,
    store: StorePath = None,
    run: Run = None,
    show_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    json: Json = False,
) -> None:
    """Look for leaks in the filter. Right answers with wrong reasoning, hints that show, luck.

    `audit ROOM policy A B` compares two policies: what one keeps that the other drops, and why. A and B are names of
    policies (answer-only, default, strict, rft), `recipe` for the room's own, or SQL predicates.

    `audit ROOM why WHAT` says what became of each attempt at a question, and which clause kept it out of the newest version.
    WHAT is the question's id, its hash or its row in the source, or the id of an attempt, or the beginning of hash or id.
    """
    if name == "why":
        _why(room, policies or [], store, run, json=json)
        return
    if name == "policy":
        _compare(room, policies or [], examples, store, run, show_sql=show_sql, json=json)
        return
    from selftaught_builder.audit.audits import audits, find_audit, lacking_verifiers, run_audits
    from selftaught_builder.cli.display import console, plain, show_frame, show_json
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.scope.scope import scope_of

    if policies:
        raise InputError(f"`{name}` takes nothing more", place="audit", mend="Only `policy` and `why` take more.")
    chosen = [find_audit(name)] if name else audits()
    if show_sql:
        sys.stdout.write("\n".join(one.sql for one in chosen))
        return
    opened = open_room(room, store=store, run=run)
    kept = opened.store()
    scope = scope_of(kept, opened)
    # One that is asked for by name is refused; of all of them the others run.
    lacking = {} if name else {one.name: lacking_verifiers(one, opened.recipe) for one in chosen}
    results = run_audits(kept, opened.recipe, scope, [one for one in chosen if not lacking.get(one.name)])
    require_run(kept, opened.run)
    if json:
        skipped = {name: {"needs": needs} for name, needs in lacking.items() if needs}
        show_json({**{name: frame.to_dicts() for name, frame in results.items()}, **skipped})
        return
    for one in chosen:
        if needs := lacking.get(one.name):
            said = f"not run: needs {', '.join(f'`{need}`' for need in needs)}, which the recipe does not run"
            console.print(f"\n[bold]{one.name}[/]: ", plain(one.title), sep="")
            console.print(plain(said), style="yellow")
            continue
        frame = results[one.name]
        console.print(f"\n[bold]{one.name}[/]: ", plain(one.title), f" [cyan]{frame.height} rows[/]", sep="")
        console.print(plain(one.about), style="dim")
        if frame.height:
            show_frame(frame, limit=40 if name else 5)


def _why(room: Path, names: list[str], store: Path | None, run: str | None, *, json: bool) -> None:
    from selftaught_builder.audit.why import why
    from selftaught_builder.cli.display import show_json
    from selftaught_builder.cli.why_display import show_why, why_data
    from selftaught_builder.room.room import open_room

    if len(names) != 1:
        mend = "Name one question, by its id, hash or row number, or one attempt by its id."
        raise InputError(f"{len(names)} names where one is needed", place="audit why", mend=mend)
    opened = open_room(room, store=store, run=run)
    found = why(opened.store(), opened, names[0])
    if json:
        show_json(why_data(found))
    else:
        show_why(found)


def _compare(
    room: Path, names: list[str], examples: int, store: Path | None, run: str | None, *, show_sql: bool, json: bool
) -> None:
    from selftaught_builder.audit.comparison import compare_policies, known_policies
    from selftaught_builder.cli.comparison_display import comparison_data, show_comparison
    from selftaught_builder.cli.display import show_json
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.scope.scope import scope_of

    if len(names) != 2:
        raise InputError(
            f"{len(names)} policies where two are needed", place="audit policy", mend=f"There are: {known_policies()}."
        )
    opened = open_room(room, store=store, run=run)
    if show_sql:
        from selftaught_builder.audit.comparison import policies_of

        sys.stdout.write("\n\n".join(policy.sql for policy in policies_of(opened.recipe, names)) + "\n")
        return
    kept = opened.store()
    require_run(kept, opened.run)
    scope = scope_of(kept, opened)
    compared = compare_policies(kept, opened.recipe, scope, (names[0], names[1]), examples=examples)
    if json:
        show_json(comparison_data(compared))
    else:
        show_comparison(compared)


def _print_lineage(store: Store, of: str, *, json: bool) -> None:
    from dataclasses import asdict

    from selftaught_builder.audit.lineage import lineage
    from selftaught_builder.cli.display import show_json
    from selftaught_builder.cli.report_display import show_lineage

    steps = lineage(store, of)
    if json:
        show_json([asdict(step) for step in steps])
    else:
        show_lineage(steps)


def _print_frame(frame: pl.DataFrame, *, json: bool, width: int) -> None:
    from selftaught_builder.cli.display import show_frame, show_json

    if json:
        show_json(frame.to_dicts())
    else:
        show_frame(frame, width=width)
