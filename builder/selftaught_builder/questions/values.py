"""Values of a row as text, and as what JSON can hold."""

from __future__ import annotations

import contextlib
import math
import unicodedata
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from selftaught_builder.questions.rows import Row, RowProblem

_WRITTEN = int | float | Decimal | datetime | date | time | UUID


def as_text(value: Any) -> str:
    """Return a scalar as a person would write it: 51.0 as "51", True as "yes", text stripped at both ends.

    Raises:
        RowProblem: `broken_row` for what is no scalar, and for text that no UTF-8 file or database can hold.
    """
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, _WRITTEN):
        return str(value)
    raise RowProblem("broken_row", f"text or a number is needed, and this is a {type(value).__name__}")


def _clean(text: str) -> str:
    if "\0" in text:
        raise RowProblem("broken_row", "a NUL character")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise RowProblem("broken_row", "a lone surrogate: the text was decoded wrongly")
    return text.strip()


def json_fields(row: Row, leave_out: frozenset[str]) -> dict[str, Any]:
    """Return the fields of a row as JSON can hold them, but for those left out and those that cannot be held.

    Lists and mappings are kept whole: a program's tests, a generated task's own entry.
    """
    kept = {}
    for name, value in row.items():
        if name not in leave_out:
            with contextlib.suppress(RowProblem):
                kept[as_text(name)] = _as_json(value)
    return kept


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | dict):
        try:
            return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
        except (TypeError, RecursionError):
            raise RowProblem("broken_row", "no JSON") from None
    return as_text(value)


def normalise(text: str) -> str:
    """Return text as duplicates are compared: NFKC, case folded, whitespace collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
