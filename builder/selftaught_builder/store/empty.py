"""A store without a file and without rows: what a query may say can be checked against it before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from selftaught_builder.store.schema import migrate


@contextmanager
def empty_store() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an in-memory database with the newest schema, which can reach no file and no network."""
    connection = duckdb.connect()
    try:
        migrate(connection, "memory")
        connection.execute("SET enable_external_access = false")
        yield connection
    finally:
        connection.close()
