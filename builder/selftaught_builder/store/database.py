"""The store: one DuckDB file that keeps every attempt, and the journal beside it.

DuckDB locks its file against every other process while it is open for writing, so this module opens it only for the
moment of a commit; between commits anyone may read, with `selftaught sql` or with any DuckDB client. Attempts go through the
journal first and reach the table in groups.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from selftaught_builder.common.errors import InputError, StoreBusyError, StoreError, UnwritableError
from selftaught_builder.store import schema
from selftaught_builder.store.connection import DamagedLogError, connect, open_error, write_error
from selftaught_builder.store.journal import Fsync, Journal, read_segment
from selftaught_builder.store.lock import WriterLock
from selftaught_builder.store.refusals import is_damage

if TYPE_CHECKING:
    import polars as pl

_LOG = logging.getLogger(__name__)

# Readers and the writer's commits meet for tens of milliseconds; waiting this long means somebody holds the file open.
READ_PATIENCE = 10.0
WRITE_PATIENCE = 60.0
# What identifies a row of a table that grows with every attempt. These tables have no index: DuckDB would read and write
# it with every commit, for half of the commit's time.
IDENTITY = {
    "questions": ("hash",),
    "attempts": ("id",),
    "prompts": ("hash",),
    "prompt_forms": ("hash",),
    "asked_prompts": ("form", "question"),
    "verdicts": ("attempt", "verifier", "version", "seen"),
    "verdict_groups": ("hash",),
}


class Store:
    """A store on disk. Make one with `open_store`.

    Args:
        path: the DuckDB file.
        fsync: the journal's policy, see `journal.Fsync`.
    """

    def __init__(self, path: Path, fsync: Fsync = "group") -> None:
        self.path = path = path.resolve()  # a link has no journal or lock of its own
        self.journal = Journal(path.with_name(path.name + ".journal"), fsync)
        self.unwritable: UnwritableError | None = None
        """Why the journal could not be replayed; the store can then only be read."""
        self._holding = False
        self._held: duckdb.DuckDBPyConnection | None = None

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
        connection = self._reader()
        try:
            yield connection
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            raise open_error(error, self.path) from None
        finally:
            connection.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the file open between the reads inside, each of which still has temporary tables of its own.

        Opening it takes longer than most queries. A write closes it, and the next read opens it again. The caller holds the
        writer lock: what is held open keeps other writers out.
        """
        if self._holding:
            yield
            return
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            self._let_go()

    def _reader(self) -> duckdb.DuckDBPyConnection:
        if not self._holding:
            return connect(self.path, read_only=True, patience=READ_PATIENCE)
        if self._held is None:
            self._held = connect(self.path, read_only=True, patience=READ_PATIENCE)
        return self._held.cursor()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextmanager
    def write(self, patience: float = WRITE_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for one transaction: committed on leaving, rolled back on an error.

        Raises:
            StoreBusyError: readers kept the file open for longer than `patience` seconds.
        """
        self._let_go()
        connection = connect(self.path, read_only=False, patience=patience)
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except duckdb.Error as error:
            raise write_error(error, self.path) from error
        finally:
            connection.close()

    def writer(self) -> WriterLock:
        """Return the lock that a whole run holds; entering it says who writes, or who else does.

        Raises:
            UnwritableError: what waits in the journal could not be moved into the tables when the store was opened.
        """
        if self.unwritable:
            raise self.unwritable
        return WriterLock(self.path)

    def commit_journal(self, patience: float = WRITE_PATIENCE) -> int:
        """Move everything journalled into the tables; the caller holds the writer lock. Returns records moved.

        Raises:
            StoreBusyError: readers kept the file open; the journal keeps the records, try again later.
        """
        from selftaught_builder.store.records import frames

        moved = 0
        segments = self.journal.rotate()
        batches = frames(chain.from_iterable(read_segment(segment) for segment in segments))
        try:
            ready = next(batches, None)  # before the file is opened, so that readers are kept out only while rows go in
            if ready:
                with self.write(patience) as connection:
                    for tables in chain([ready], batches):
                        for table, frame in tables.items():
                            insert_frame(connection, table, frame)
                            moved += frame.height
            for segment in segments:
                self.journal.drop(segment)
        except OSError as error:
            raise write_error(error, self.journal.folder) from error
        return moved


def open_store(path: str | Path, *, create: bool = False, fsync: Fsync = "group") -> Store:
    """Open a store: migrate its schema, and replay its journal where nobody is writing.

    A write-ahead log that a power cut has damaged is set aside (`.wal.damaged`) and logged. Attempts are not lost with it,
    for their segments of the journal are dropped only once they are in the file itself. A store that may not be written to
    is opened for reading, and what waits in its journal is logged.

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
            raise StoreError("no store here", place=path, mend="`selftaught run` makes one.")
        _create(store)
    try:
        present = _present_schema(store)
    except DamagedLogError:
        _set_log_aside(store)
        present = _present_schema(store)
    if present < max(schema.migrations()) or store.journal.segments():
        try:
            with store.writer():
                _migrate(path)
                store.commit_journal()
        except (StoreBusyError, UnwritableError) as error:
            if present < max(schema.migrations()):
                raise
            if isinstance(error, UnwritableError):
                store.unwritable = error
                _tell_what_waits(store)
    return store


def run_sql(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Run one statement and return its result as a polars frame; raises InputError where DuckDB refuses it."""
    import polars as pl

    if query != query.encode(errors="replace").decode():
        raise InputError("not UTF-8", place="SQL", mend="Write the query in UTF-8.")
    try:
        if len(connection.extract_statements(query)) > 1:
            raise InputError("more than one statement", place="SQL", mend="Ask one question at a time.")
        relation = connection.sql(query, params=parameters) if parameters else connection.sql(query)
        return relation.pl() if relation is not None else pl.DataFrame()
    except duckdb.Error as error:
        if is_damage(error):
            raise  # `Store.read` says which file
        raise InputError(
            str(error).strip(), place="SQL", mend="`selftaught sql ROOM --schema` lists tables and columns."
        ) from None
    except pl.exceptions.PolarsError as error:
        raise InputError(f"a column that cannot be shown: {error}", place="SQL", mend="Cast it to VARCHAR.") from None


def insert_frame(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table by column name, passing over rows whose identity is there already or twice in the frame."""
    if frame.is_empty():
        return
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    identity = IDENTITY.get(table, ())
    if identity:
        frame = frame.unique(identity, keep="first", maintain_order=True)
    same = " AND ".join(f"there.{name} = incoming.{name}" for name in identity)
    new = f" WHERE NOT EXISTS (SELECT 1 FROM {table} there WHERE {same})" if same else ""
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming{new}")
    connection.unregister("incoming")


def _create(store: Store) -> None:
    path = store.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with store.writer():
            _migrate(path)
    except OSError as error:
        raise write_error(error, path) from None


def _set_log_aside(store: Store) -> None:
    log = store.path.with_name(store.path.name + ".wal")
    aside = log.with_name(log.name + ".damaged")
    try:
        with store.writer():
            log.replace(aside)
    except OSError as error:
        raise write_error(error, log) from error
    _LOG.warning("%s: damaged, set aside as %s; what its last commit held is done again", log, aside.name)


def _tell_what_waits(store: Store) -> None:
    ids = store.journal.waiting()
    lacking = (
        "SELECT count(*) FROM (SELECT DISTINCT unnest(?::VARCHAR[]) AS id) WHERE id NOT IN (SELECT id FROM attempts)"
    )
    if waiting := store.sql(lacking, [ids]).item():
        _LOG.warning(
            "%s: may not be written to: %d attempts wait in its journal, and what is shown lacks them",
            store.path,
            waiting,
        )


def _present_schema(store: Store) -> int:
    with store.read() as connection:
        present = schema.schema_number(connection)
        if not present and connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() != (0,):
            raise StoreError("a DuckDB file, but no store", place=store.path, mend="Name another file.")
    schema.check_schema(present, store.path)
    return present


def _migrate(path: Path) -> None:
    connection = connect(path, read_only=False, patience=WRITE_PATIENCE)
    try:
        schema.migrate(connection, path)
    except duckdb.Error as error:
        raise write_error(error, path) from error
    finally:
        connection.close()
