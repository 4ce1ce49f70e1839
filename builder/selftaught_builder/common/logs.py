"""The end of another program's log, for an error to show."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_TAIL_BYTES, _LINE_CHARACTERS = 65_536, 300


def last_lines(log: Path, count: int = 8) -> list[str]:
    """Return the last lines of a log that say something, long ones cut; none where it cannot be read.

    Only the file's end is read: a server's log may be larger than the memory.
    """
    text = ""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    # A progress bar writes over its own line.
    return [line[:_LINE_CHARACTERS] for line in text.replace("\r", "\n").splitlines() if line.strip()][-count:]
