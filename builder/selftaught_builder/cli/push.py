"""Commands that publish: push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def push(
    version: Annotated[Path, typer.Argument(metavar="VERSION", help="A version's folder: datasets/NAME/v1-….")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The dataset repository on the hub.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be uploaded; contact nobody.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make the repository private where it is new.")] = False,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="FILE", help="The store that exported it; its room's where absent."),
    ] = None,
) -> None:
    """Publish a version on the hub. One commit and one tag; the token comes from HF_TOKEN or a login.

    The version must still be what was exported; its room's store says so.
    """
    from selftaught_builder.cli.show.terminal import console
    from selftaught_builder.common.errors import InputError
    from selftaught_builder.export.push import files_of, push_version

    if repo.count("/") != 1:
        raise InputError(f"`{repo}` names no repository", place="OWNER/NAME", mend="Give both, such as me/my-set.")
    files = files_of(version)
    _check(version, store)
    for file, size in files:
        console.print(f"  {file}  {size:,} bytes", markup=False)
    if dry_run:
        console.print(f"dry run: nothing was sent to {repo}", markup=False)
        return
    console.print(f"pushed: {push_version(version, repo, private=private)}", markup=False, soft_wrap=True)


def _check(version: Path, store: Path | None) -> None:
    """Compare a version with what the store of its room recorded; one that is in no room can only be taken as it is."""
    from selftaught_builder.cli.show.terminal import errors, plain
    from selftaught_builder.export.intact import check_version
    from selftaught_builder.room.room import open_room
    from selftaught_builder.store import open_store

    folder = version.absolute()
    beside = folder.parent / "store.duckdb"
    if store is not None:
        check_version(open_store(store), folder, to_publish=True)
    elif (folder.parent / "recipe.yaml").is_file() and (room := open_room(folder.parent)).store_path.exists():
        check_version(room.store(), folder, to_publish=True)
    elif beside.is_file():
        check_version(open_store(beside), folder, to_publish=True)
    else:
        errors.print(
            plain(f"{version}: not in its room, so it is not compared with what was exported (--store names a store)")
        )
