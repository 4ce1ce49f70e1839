"""An export that keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selftaught_builder.export.version import NothingKeptError


def show_nothing_kept(error: NothingKeptError, *, json: bool) -> None:
    """Show where an export that keeps nothing lost it all."""
    from selftaught_builder.cli.show.funnel import show_funnel
    from selftaught_builder.cli.show.terminal import errors

    if not json:
        show_funnel(error.funnel, to=errors)
