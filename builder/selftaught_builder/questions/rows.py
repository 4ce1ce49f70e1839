"""Rows on their way to becoming questions, and what can be wrong with one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import QuestionError

Row = Mapping[str, Any]


class RowProblem(Exception):  # noqa: N818 - a finding about one row, which is skipped and counted
    """One row cannot be used. Readers yield it in the row's place; mapping a row raises it.

    Attributes:
        reason: a slug that rejections are counted by, such as `broken_row`.
        detail: what exactly is wrong, for a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail[:300]
        super().__init__(f"{reason}: {self.detail}")


NumberedRows = Iterator[tuple[int, Row | RowProblem]]


def check_columns(names: Sequence[str], place: object) -> None:
    """Refuse a table in which a column name stands twice, since one column would silently hide the other.

    Raises:
        QuestionError: names the column.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise QuestionError(f"the column `{twice}` stands there twice", place=place, mend="Rename one of the two.")


def unreadable(path: Path, error: Exception) -> QuestionError:
    """Return the error for a file that cannot be read at all."""
    return QuestionError(f"cannot be read: {str(error)[:300]}", place=path, mend="Check the file and its suffix.")
