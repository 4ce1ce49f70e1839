"""The report's page: one HTML file with the figure, the tables and the SQL, that loads nothing and runs nothing."""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path

import jinja2

from selftaught_builder.report.collect import LoopReport
from selftaught_builder.report.plot import as_svg
from selftaught_builder.report.tables import summary_lines, tables


def write_html(report: LoopReport, path: Path) -> None:
    """Write the report as one self-contained HTML page.

    Names, questions and rationales are text from outside: all of it is escaped, characters that hide or reorder text are
    shown as escapes, and the page's content policy lets no script run and nothing be loaded.

    Raises:
        InputError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True)
    environment.filters["visible"] = visible
    template = environment.from_string((files("selftaught_builder.report") / "page.html.jinja").read_text("utf-8"))
    shown = tables(report)
    figure = base64.b64encode(as_svg(report)).decode()
    path.write_text(
        template.render(report=report, tables=shown, figure=figure, lines=summary_lines(report)), encoding="utf-8"
    )


def visible(value: object) -> str:
    """Return text with every character that does not print, line breaks apart, as its escape."""
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in str(value)
    )
