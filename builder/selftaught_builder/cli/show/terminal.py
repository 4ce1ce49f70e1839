"""The terminal: where text goes, and how text from outside is shown.

Model text is hostile: it reaches the terminal only through `plain`, which shows control characters instead of obeying them,
and never as rich markup.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl


def _width() -> int | None:
    """The terminal's own width, or COLUMNS; a file or a pipe has room for every table."""
    return None if sys.stdout is None or sys.stdout.isatty() or "COLUMNS" in os.environ else _FILE_COLUMNS


class _Plainly(Console):
    """Shows control characters also in what was printed without `plain`: the name of a folder, say."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text that is no rich text yet as one."""
        return super().render_str(_CONTROLS.sub(_shown, text), **options)


_FILE_COLUMNS = 180
console = _Plainly(highlight=False, width=_width())
errors = _Plainly(stderr=True, highlight=False)
_NARROW = 24
_FEW_ROWS = 3
# C0 and C1 controls, and the characters that reorder, hide or break text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(value: object, *, lines: bool = False, limit: int | None = None) -> Text:
    """Return text from outside as rich text that cannot style, move or hide anything.

    Args:
        value: what to show.
        lines: keep line breaks; else they become spaces.
        limit: cut to so many characters.
    """
    text = _CONTROLS.sub(_shown, str(value))
    if not lines:
        text = " ".join(text.split())
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return Text(text)


def _shown(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def show_json(data: Any) -> None:
    """Print data as JSON, in ASCII: text from outside can do nothing to a terminal, and a script reads it as it is."""
    text = json.dumps(data, indent=2, default=str).replace("\x7f", "\\u007f")
    sys.stdout.write(text + "\n")


def show_frame(frame: pl.DataFrame, *, limit: int = 40, width: int = 70) -> None:
    """Print a frame of at most `limit` rows as a table; lying on its side where it is too wide and has few rows."""
    names = [plain(name) for name in frame.columns]
    rows = [[plain(_figure(cell), limit=width) for cell in row] for row in frame.head(limit).iter_rows()]
    natural = [max(len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    if sum(natural) + 2 * len(natural) > console.width and len(rows) <= _FEW_ROWS:
        names, rows = (
            [Text(""), *(Text("") for _ in rows[1:]), Text("")],
            [list(line) for line in zip(names, *rows, strict=True)],
        )
        table = Table(box=None, pad_edge=False, show_header=False)
        for place in range(len(names)):
            table.add_column(style="bold" if not place else "", overflow="fold", no_wrap=not place)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, kind, space in zip(names, frame.dtypes, natural, strict=True):
            table.add_column(
                name, justify="right" if kind.is_numeric() else "left", overflow="fold", no_wrap=space <= _NARROW
            )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if frame.is_empty():
        console.print("[dim]no rows[/]")
    if frame.height > limit:
        console.print(f"[dim]… {frame.height - limit} more rows[/]")


def _figure(cell: object) -> object:
    """A cell as a person reads it: nothing for NULL, and no more digits than matter."""
    if cell is None:
        return ""
    return (
        f"{cell:.4g}"
        if isinstance(cell, float) and abs(cell) < 1e4
        else f"{cell:.0f}"
        if isinstance(cell, float)
        else cell
    )


def show_pairs(rows: Iterable[Sequence[object]], *, title: str | None = None, to: Console = console) -> None:
    """Print rows of a label, a count and perhaps a remark."""
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for label, count, *remark in rows:
        shown = f"{count:,}" if isinstance(count, int) else str(count)
        table.add_row(
            plain(label) if not str(label).startswith("  ") else Text(str(label)),
            shown,
            plain(remark[0] if remark else ""),
        )
    to.print(table)


def share(part: int, whole: int) -> str:
    """Return a share in whole per cent; only nothing is 0 % and only everything is 100 %."""
    return "< 1%" if 0 < part < whole / 100 else "> 99%" if whole * 0.99 < part < whole else f"{part / whole:.0%}"
