"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RoomPath = Annotated[Path, typer.Argument(metavar="ROOM", help="A room's folder (datasets/NAME), or its recipe file.")]
Questions = Annotated[
    str | None,
    typer.Option("--questions", metavar="SOURCE", help="Read the questions from here instead of the recipe's source."),
]
StorePath = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="Keep the attempts here instead of in the recipe's store."),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="NAME", help="The run's name (the recipe's where absent); the same name continues it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
