"""The store: one DuckDB file that keeps every attempt, and the journal beside it.

DuckDB locks its file against every other process while it is open for writing, so this module opens it only for the
moment of a commit; between commits anyone may read, with `selftaught sql` or with any DuckDB client. Attempts go through the
journal first and reach the table in groups. All of DuckDB's ways of being opened are kept inside this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from selftaught_builder import schema
from selftaught_builder.errors import InputError, SelftaughtError, StoreBusyError, StoreError
from selftaught_builder.journal import Fsync, Journal, read_segment
from selftaught_builder.lock import WriterLock

if TYPE_CHECKING:
    import polars as pl

# Readers and the writer's commits meet for tens of milliseconds; waiting this long means somebody holds the file open.
READ_PATIENCE = 10.0
WRITE_PATIENCE = 60.0
# Blocks of the journal made ready before the file is opened, so that readers are kept out only while rows go in.
READY_BLOCKS = 5
# A query, whoever wrote it, cannot leave the file it is asked of.
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "lock_configuration": "true",
}
# What DuckDB says where another process, or another thread of this one, has the file open in another way.
_BUSY = ("could not set lock", "with a different configuration")


class Store:
    """A store on disk. Make one with `open_store`.

    Args:
        path: the DuckDB file.
        fsync: the journal's policy, see `journal.Fsync`.
    """

    def __init__(self, path: Path, fsync: Fsync = "group") -> None:
        self.path = path
        self.journal = Journal(path.with_name(path.name + ".journal"), fsync)

    def sql(self, query: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """Run one query on a read-only connection and return a polars frame.

        Raises:
            InputError: the query is not valid SQL, or would write.
            StoreBusyError: another process holds the file.
        """
        with self.read() as connection:
            return run_sql(connection, query, parameters)

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file read-only, with file and network access off and locked."""
        connection = _connect(self.path, read_only=True, patience=READ_PATIENCE)
        try:
            yield connection
        except duckdb.Error as error:
            if not _is_damage(error):
                raise
            raise _open_error(error, self.path) from None
        finally:
            connection.close()

    @contextmanager
    def write(self, patience: float = WRITE_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for one transaction: committed on leaving, rolled back on an error.

        Raises:
            StoreBusyError: readers kept the file open for longer than `patience` seconds.
        """
        connection = _connect(self.path, read_only=False, patience=patience)
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except duckdb.Error as error:
            raise _write_error(error, self.path) from error
        finally:
            connection.close()

    def writer(self) -> WriterLock:
        """Return the lock that a whole run holds; entering it says who writes, or who else does."""
        return WriterLock(self.path)

    def commit_journal(self, patience: float = WRITE_PATIENCE) -> int:
        """Move everything journalled into the tables; the caller holds the writer lock. Returns records moved.

        Raises:
            StoreBusyError: readers kept the file open; the journal keeps the records, try again later.
        """
        from selftaught_builder.records import frames

        moved = 0
        segments = self.journal.rotate()
        blocks = (frames(records) for segment in segments for records in read_segment(segment))
        ready = list(islice(blocks, READY_BLOCKS))
        if ready:
            with self.write(patience) as connection:
                for tables in chain(ready, blocks):
                    for table, frame in tables.items():
                        insert_frame(connection, table, frame)
                        moved += frame.height
        for segment in segments:
            self.journal.drop(segment)
        return moved


def open_store(path: str | Path, *, create: bool = False, fsync: Fsync = "group") -> Store:
    """Open a store: migrate its schema, and replay its journal where nobody is writing.

    Args:
        path: the DuckDB file.
        create: make the file where it is missing.
        fsync: the journal's policy.

    Raises:
        StoreError: missing, corrupt, no store, or of a newer schema.
        StoreBusyError: another process holds the file.
    """
    path = Path(path)
    store = Store(path, fsync)
    if not path.exists():
        if not create:
            raise StoreError("no store here", place=path, mend="`selftaught sample` makes one.")
        _create(store)
    present = _present_schema(store)
    if present < max(schema.migrations()) or store.journal.segments():
        try:
            with store.writer():
                _migrate(path)
                store.commit_journal()
        except StoreBusyError:
            if present < max(schema.migrations()):
                raise
    return store


def run_sql(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
    """Run one statement and return its result as a polars frame; raises InputError where DuckDB refuses it."""
    import polars as pl

    try:
        relation = connection.sql(query, params=list(parameters)) if parameters else connection.sql(query)
        return relation.pl() if relation is not None else pl.DataFrame()
    except duckdb.Error as error:
        if _is_damage(error):
            raise  # `Store.read` says which file
        raise InputError(
            str(error).strip(), place="SQL", mend="`selftaught sql ROOM --schema` lists tables and columns."
        ) from None


def _is_damage(error: duckdb.Error) -> bool:
    """Whether the file's bytes are not what DuckDB wrote; a wrong query raises other errors."""
    kinds = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException)
    return isinstance(error, kinds) or str(error).startswith("Corrupt database file")


KEYLESS = ("dataset_rows", "rejected_questions")


def insert_frame(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table by column name; where the table has a key, rows that are there already stay as they are."""
    if frame.is_empty():
        return
    columns = ", ".join(frame.columns)
    connection.register("incoming", frame.to_arrow())
    unless = "" if table in KEYLESS else " ON CONFLICT DO NOTHING"
    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming{unless}")
    connection.unregister("incoming")


def _create(store: Store) -> None:
    path = store.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with store.writer():
            connection = duckdb.connect()
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS made (STORAGE_VERSION '{schema.STORAGE_VERSION}')")
            connection.close()
            _migrate(path)
    except (duckdb.Error, OSError) as error:
        raise _write_error(error, path) from None


def _present_schema(store: Store) -> int:
    with store.read() as connection:
        present = schema.schema_number(connection)
        if not present and connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() != (0,):
            raise StoreError("a DuckDB file, but no store", place=store.path, mend="Name another file.")
    schema.check_schema(present, store.path)
    return present


def _migrate(path: Path) -> None:
    connection = _connect(path, read_only=False, patience=WRITE_PATIENCE)
    try:
        schema.migrate(connection, path)
    except duckdb.Error as error:
        raise _write_error(error, path) from error
    finally:
        connection.close()


def _connect(path: Path, *, read_only: bool, patience: float) -> duckdb.DuckDBPyConnection:
    """Open the file, waiting while somebody else holds it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=_LOCKED_DOWN if read_only else {})
        except duckdb.Error as error:
            text = str(error)
            if not any(busy in text.lower() for busy in _BUSY):
                raise _open_error(error, path) from None
            if time.monotonic() > deadline:
                raise StoreBusyError(
                    f"{path}: another process keeps the file open\n  {text.splitlines()[0]}\n  Close it, then try again."
                ) from None
            time.sleep(0.02)


def _open_error(error: Exception, path: Path) -> SelftaughtError:
    text = str(error).splitlines()[0]
    if "space" in text.lower() or "read-only file system" in text.lower():
        return _write_error(error, path)
    return StoreError(
        f"cannot be opened as a store: {text}",
        place=path,
        mend="If the file is damaged, restore a copy; attempts not yet in it are replayed from its journal folder.",
    )


def _write_error(error: Exception, path: Path) -> SelftaughtError:
    text = str(error).splitlines()[0]
    return SelftaughtError(
        f"{path}: cannot be written: {text}\n  What was committed before is intact. Make room and run again."
    )
