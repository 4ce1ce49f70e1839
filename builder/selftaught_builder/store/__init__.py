"""The store: one DuckDB file that keeps every attempt, the journal beside it, and the lock that names who writes."""

from selftaught_builder.store.connection import Connection, DatabaseError, UnknownNameError, count_statements
from selftaught_builder.store.database import Store, insert_frame, open_store, run_sql
from selftaught_builder.store.refusals import is_interruption, unknown_column

__all__ = [
    "Connection",
    "DatabaseError",
    "Store",
    "UnknownNameError",
    "count_statements",
    "insert_frame",
    "is_interruption",
    "open_store",
    "run_sql",
    "unknown_column",
]
