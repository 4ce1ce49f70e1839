"""The command `audit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath
from selftaught_builder.common.errors import InputError


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
    from selftaught_builder.cli.show.terminal import console, plain, show_frame, show_json
    from selftaught_builder.room.room import open_room
    from selftaught_builder.sampling.provenance import require_run
    from selftaught_builder.selection.workspace import Workspace

    if policies:
        raise InputError(f"`{name}` takes nothing more", place="audit", mend="Only `policy` and `why` take more.")
    chosen = [find_audit(name)] if name else audits()
    if show_sql:
        sys.stdout.write("\n".join(one.sql for one in chosen))
        return
    opened = open_room(room, store=store, run=run)
    workspace = Workspace(opened)
    # One that is asked for by name is refused; of all of them the others run.
    lacking = {} if name else {one.name: lacking_verifiers(one, opened.recipe.verify) for one in chosen}
    with workspace.reading(workspace.scope()) as view:
        results = run_audits(view, [one for one in chosen if not lacking.get(one.name)])
    require_run(workspace.store, opened.run)
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
    from selftaught_builder.cli.show.terminal import show_json
    from selftaught_builder.cli.show.why import show_why, why_data
    from selftaught_builder.room.room import open_room
    from selftaught_builder.selection.workspace import Workspace

    if len(names) != 1:
        mend = "Name one question, by its id, hash or row number, or one attempt by its id."
        raise InputError(f"{len(names)} names where one is needed", place="audit why", mend=mend)
    found = why(Workspace(open_room(room, store=store, run=run)), names[0])
    if json:
        show_json(why_data(found))
    else:
        show_why(found)


def _compare(
    room: Path, names: list[str], examples: int, store: Path | None, run: str | None, *, show_sql: bool, json: bool
) -> None:
    from selftaught_builder.audit.comparison import compare_policies, known_policies
    from selftaught_builder.cli.show.comparison import comparison_data, show_comparison
    from selftaught_builder.cli.show.terminal import show_json
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
