"""How the store's file is opened, and what DuckDB's refusals mean."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb

from selftaught_builder.common.errors import SelftaughtError, StoreBusyError, StoreError, UnwritableError
from selftaught_builder.store.refusals import first_line, is_busy, is_damage, is_damaged_log, is_unwritable

Connection = duckdb.DuckDBPyConnection
"""An open store."""
DatabaseError = duckdb.Error
"""What DuckDB refuses."""
UnknownNameError = duckdb.BinderException
"""A query names a column or a function that there is not, or compares what cannot be compared."""

# DuckDB 1.x command lines and viewers can open a store of this storage version.
STORAGE_VERSION = "v1.0.0"
# A commit rewrites the last group of rows. DuckDB's own 122,880 cost twice the time, and memory by the
# hundred megabytes (docs/measurements.md).
ROW_GROUP_SIZE = 16384
# A query, whoever wrote it, cannot leave the file it is asked of.
LOCKED_DOWN: dict[str, Any] = {"enable_external_access": "false", "lock_configuration": "true"}


def count_statements(sql: str) -> int:
    """Return how many statements a text holds. Raises DatabaseError if it is no SQL."""
    return len(duckdb.extract_statements(sql))


class DamagedLogError(StoreError):
    """The database is whole; DuckDB's write-ahead log beside it is not, as after a power cut."""


def connect(path: Path, *, read_only: bool, patience: float) -> duckdb.DuckDBPyConnection:
    """Open the store's file, waiting while somebody else holds it. For writing, a missing file is made.

    Args:
        path: the file.
        read_only: open it for reading, with file and network access off and locked.
        patience: seconds to wait.

    Raises:
        StoreBusyError: somebody held it for longer.
        StoreError: the file is damaged or no database.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _read_only(path) if read_only else _for_writing(path)
        except duckdb.Error as error:
            if not is_busy(error):
                raise open_error(error, path) from None
            if time.monotonic() > deadline:
                raise StoreBusyError(
                    f"{path}: kept open elsewhere\n  {first_line(error)}\n  Close it, then try again."
                ) from None
            time.sleep(0.02)


def open_error(error: duckdb.Error, path: Path) -> SelftaughtError:
    """Return what to tell the user where the file does not open."""
    if is_unwritable(error):
        return write_error(error, path)
    text = first_line(error)
    if is_damaged_log(error):
        return DamagedLogError(
            f"the log beside it is damaged: {text}", place=path, mend="Open it with a selftaught command."
        )
    return StoreError(
        f"cannot be opened as a store: {text}",
        place=path,
        mend="Is it a copy? Then copy it again while nobody writes to it (`selftaught doctor ROOM` says who does). "
        "Else restore a copy; attempts not yet in it are replayed from its journal folder.",
    )


def write_error(error: Exception, path: Path) -> SelftaughtError:
    """Return what to tell the user where the file cannot be written, or what is in it cannot be read for it."""
    if isinstance(error, duckdb.Error) and is_damage(error) and not is_unwritable(error):
        return open_error(error, path)
    return UnwritableError(
        f"{path}: cannot be written: {first_line(error)}\n"
        "  What was committed before is intact. Make room, or make it writable, and run again."
    )


def _read_only(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=True, config=LOCKED_DOWN)


def _for_writing(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})  # a commit is small: more threads cost memory and gain nothing
    quoted = str(path).replace("'", "''")
    made = "" if path.exists() else f", STORAGE_VERSION '{STORAGE_VERSION}'"
    try:
        connection.execute(f"ATTACH '{quoted}' AS store (ROW_GROUP_SIZE {ROW_GROUP_SIZE}{made})")
        connection.execute("USE store")
    except duckdb.Error:
        connection.close()
        raise
    return connection
