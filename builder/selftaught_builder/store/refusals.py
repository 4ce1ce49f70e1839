"""What DuckDB's refusals mean: by their class, and if several have one class by their words.

DuckDB's Python client passes neither an error's number nor its details. So the words that tell errors apart stand here alone,
each beside a test that makes DuckDB say them. Whatever the operating system adds is asked of it, in its own language.
"""

from __future__ import annotations

import errno
import json
import os

import duckdb

# DuckDB says with one class that a file cannot be opened, is no database, or is locked by another process.
_LOCKED = "Could not set lock on file"
# Its complaints of a file's bytes have no class of their own: they are bare `duckdb.Error`.
_DAMAGED = ("corrupt", "failed to read", "failed to scan")
_DAMAGED_LOG = ("Corrupt WAL file", "replaying WAL file")
# A full disk is an error of opening, of writing or of a transaction.
_NOT_WRITTEN = "Could not write"
_TAKES_NO_MORE = tuple(
    f": {os.strerror(number)}" for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)
)
# What a Ctrl-C becomes while a query runs: a bare RuntimeError.
_INTERRUPTED = "Query interrupted"


def is_busy(error: duckdb.Error) -> bool:
    """Whether another process, or another thread of this one, has the file open."""
    if isinstance(error, (duckdb.ConnectionException, duckdb.ResourceInUseException)):
        return True  # this process has it open, in another way
    return isinstance(error, duckdb.IOException) and _LOCKED in str(error)


def is_damage(error: duckdb.Error) -> bool:
    """Whether the file's bytes are not what DuckDB wrote; a wrong query raises other errors."""
    kinds = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
    return isinstance(error, kinds) or (type(error) is duckdb.Error and str(error).lower().startswith(_DAMAGED))


def is_damaged_log(error: duckdb.Error) -> bool:
    """Whether the write-ahead log beside the file is damaged."""
    return any(sign in first_line(error) for sign in _DAMAGED_LOG)


def is_unwritable(error: duckdb.Error) -> bool:
    """Whether the file cannot be written: a full disk, a quota, no permission."""
    text = first_line(error)
    return _NOT_WRITTEN in text or any(reason in text for reason in _TAKES_NO_MORE)


def is_interruption(error: BaseException) -> bool:
    """Whether an error is what DuckDB makes of Ctrl-C."""
    return isinstance(error, duckdb.InterruptException) or (type(error) is RuntimeError and str(error) == _INTERRUPTED)


def unknown_column(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """Return the column that a query names and nothing has; None if that is not what is wrong with it.

    Args:
        connection: what the query is asked of; it is planned, and not run.
        query: one SELECT.
    """
    ((text,),) = connection.execute("SELECT json_serialize_plan(?::VARCHAR)", [query]).fetchall()
    plan = json.loads(text)
    return plan["name"] if plan.get("error_subtype") == "COLUMN_NOT_FOUND" else None


def first_line(error: Exception) -> str:
    """Return an error's first line; the others show the query."""
    return str(error).splitlines()[0]
