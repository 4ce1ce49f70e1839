"""How the store's file is opened, and what DuckDB's refusals mean."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb

from selftaught_builder.common.errors import SelftaughtError, StoreBusyError, StoreError, UnwritableError

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
# DuckDB tells by an error's class that this process has the file open otherwise. Of another process, and of a full disk, it
# has no class and no code: an IOException holds the operating system's words.
BUSY = ("could not set lock", "unique file handle conflict")
# What the operating system says, by way of DuckDB, of a disk that takes no more.
UNWRITABLE = (
    "space",
    "read-only file system",
    "permission denied",
    "file too large",
    "quota exceeded",
    "could not write",
)
# How DuckDB's complaints of a block's content begin, which have no class either.
DAMAGED = ("corrupt", "failed to read", "failed to scan")
DAMAGED_LOG = ("Corrupt WAL file", "replaying WAL file")


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
            if not _is_busy(error):
                raise open_error(error, path) from None
            if time.monotonic() > deadline:
                first = str(error).splitlines()[0]
                raise StoreBusyError(f"{path}: kept open elsewhere\n  {first}\n  Close it, then try again.") from None
            time.sleep(0.02)


def is_damage(error: duckdb.Error) -> bool:
    """Whether the file's bytes are not what DuckDB wrote; a wrong query raises other errors."""
    kinds = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
    return isinstance(error, kinds) or (type(error) is duckdb.Error and str(error).lower().startswith(DAMAGED))


def open_error(error: Exception, path: Path) -> SelftaughtError:
    """Return what to tell the user where the file does not open."""
    if _is_unwritable(error):
        return write_error(error, path)
    text = str(error).splitlines()[0]
    if any(sign in text for sign in DAMAGED_LOG):
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
    if isinstance(error, duckdb.Error) and is_damage(error) and not _is_unwritable(error):
        return open_error(error, path)
    text = str(error).splitlines()[0]
    return UnwritableError(
        f"{path}: cannot be written: {text}\n"
        "  What was committed before is intact. Make room, or make it writable, and run again."
    )


def _is_busy(error: duckdb.Error) -> bool:
    """Whether another process, or another thread of this one, has the file open."""
    return isinstance(error, duckdb.ConnectionException) or any(busy in str(error).lower() for busy in BUSY)


def _is_unwritable(error: Exception) -> bool:
    text = str(error).splitlines()[0].lower()
    return any(sign in text for sign in UNWRITABLE)


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
