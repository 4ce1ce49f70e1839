"""Opening the room that a command's arguments name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selftaught_builder.room.room import Room


def open_given(room: Path, questions: str | None, store: Path | None, run: str | None) -> Room:
    """Open the room that the arguments name."""
    from selftaught_builder.room.room import open_room

    return open_room(room, questions=questions, store=store, run=run)
