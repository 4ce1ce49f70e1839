"""The store: one DuckDB file that keeps every attempt, the journal beside it, and the lock that names who writes."""

from selftaught_builder.store.database import Store, insert_frame, open_store, run_sql

__all__ = ["Store", "insert_frame", "open_store", "run_sql"]
