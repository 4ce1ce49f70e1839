"""The command `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new room's name.")],
    like: Annotated[
        str, typer.Option(metavar="ROOM", help="Start from this shipped room: commonsenseqa, gsm8k, sums or svamp.")
    ] = "svamp",
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where rooms stand.")] = Path("datasets"),
) -> None:
    """Make a new room. It holds a commented recipe, and what the recipe names, to edit."""
    from selftaught_builder.cli.show.terminal import console
    from selftaught_builder.room.shipped import copy_room

    made = copy_room(like, name, folder)
    console.print(f"made {made}: edit its recipe.yaml, then `selftaught run {made}`", soft_wrap=True, markup=False)
