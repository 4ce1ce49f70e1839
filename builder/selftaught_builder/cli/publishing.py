"""Commands that publish: push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(push)


def push(
    version: Annotated[Path, typer.Argument(metavar="VERSION", help="A version's folder: datasets/NAME/v1-….")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The dataset repository on the hub.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be uploaded; contact nobody.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make the repository private where it is new.")] = False,
) -> None:
    """Publish a version on the hub. One commit and one tag; the token comes from HF_TOKEN or a login."""
    from selftaught_builder.cli.display import console
    from selftaught_builder.errors import InputError
    from selftaught_builder.export.push import files_of, push_version

    if repo.count("/") != 1:
        raise InputError(f"`{repo}` names no repository", place="OWNER/NAME", mend="Give both, such as me/my-set.")
    for file, size in files_of(version):
        console.print(f"  {file}  {size:,} bytes", markup=False)
    if dry_run:
        console.print(f"dry run: nothing was sent to {repo}", markup=False)
        return
    console.print(f"pushed: {push_version(version, repo, private=private)}", markup=False, soft_wrap=True)
