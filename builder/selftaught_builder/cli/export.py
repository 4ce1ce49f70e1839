"""The command `export`."""

from __future__ import annotations

from selftaught_builder.cli.arguments import Json, RoomPath, Run, StorePath
from selftaught_builder.cli.opening import open_given
from selftaught_builder.cli.show.nothing_kept import show_nothing_kept


def export(room: RoomPath, store: StorePath = None, run: Run = None, json: Json = False) -> None:
    """Write a dataset version. It holds what the policy keeps; the same store and recipe give the same version."""
    from selftaught_builder.cli.show.version import show_version
    from selftaught_builder.export.version import NothingKeptError
    from selftaught_builder.selection.workspace import Workspace
    from selftaught_builder.stages.context import RoundContext
    from selftaught_builder.stages.export import write_version

    try:
        version = write_version(RoundContext(Workspace(open_given(room, None, store, run))))
    except NothingKeptError as error:
        show_nothing_kept(error, json=json)
        raise
    show_version(version, json=json)
