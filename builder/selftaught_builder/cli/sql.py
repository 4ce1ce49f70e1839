"""The command `sql`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught_builder.cli.arguments import Json, Run, StorePath

if TYPE_CHECKING:
    import polars as pl


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
    from selftaught_builder.selection.reading import VIEWS
    from selftaught_builder.selection.workspace import Workspace

    workspace = Workspace(open_room(room, store=store, run=run))
    # The views take their time to make; most queries over tables do without.
    wanted = schema or any(view in query.lower() for view in VIEWS)
    if wanted:
        with workspace.reading(workspace.scope()) as view:
            found = view.sql(query)
    else:
        found = workspace.store.sql(query)
    _print_frame(found, json=json, width=2000 if schema else 70)


def _print_frame(frame: pl.DataFrame, *, json: bool, width: int) -> None:
    from selftaught_builder.cli.show.terminal import show_frame, show_json

    if json:
        show_json(frame.to_dicts())
    else:
        show_frame(frame, width=width)
