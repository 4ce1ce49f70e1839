"""The store: whether it opens, its schema, what waits in its journal, and who writes to it. It is only read."""

from __future__ import annotations

import os
from pathlib import Path

from selftaught_builder.doctor.finding import Finding, noting, size
from selftaught_builder.store import schema
from selftaught_builder.store.connection import connect
from selftaught_builder.store.database import Store
from selftaught_builder.store.lock import holder

_PATIENCE = 3.0


def examine_store(path: Path) -> list[Finding]:
    """Look at a store and its journal; neither is migrated, replayed or otherwise changed."""
    findings: list[Finding] = []
    if not path.exists():
        return [_absent(path)]
    store = Store(path)
    with noting("store", findings):
        findings.append(_opened(store))
    writer = holder(store.path)
    waiting = [segment.stat().st_size for segment in store.journal.segments()]
    if writer:
        findings.append(Finding("store", "ok", f"locked: {writer}"))
    elif sum(waiting):
        text = f"{size(sum(waiting))} of an interrupted run wait in the journal: nothing is lost"
        findings.append(Finding("store", "warn", text, "The next command that opens the store moves them into it."))
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        findings.append(Finding("store", "fail", f"{path}: may not be written to", "Give yourself the right to."))
    return findings


def _absent(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        return Finding(
            "store", "fail", f"{folder}: no store can be made here", "Give yourself the right to write there."
        )
    return Finding("store", "ok", "none yet; the first run makes it")


def _opened(store: Store) -> Finding:
    connection = connect(store.path, read_only=True, patience=_PATIENCE)
    try:
        present, newest = schema.schema_number(connection), max(schema.migrations())
        tables = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
        if not present and tables != (0,):
            return Finding("store", "fail", f"{store.path}: a DuckDB file, but no store", "Name another file.")
        schema.check_schema(present, store.path)
        found = connection.execute("SELECT count(*) FROM attempts").fetchone() if present else None
    finally:
        connection.close()
    attempts = f"{found[0]:,} attempts, " if found else ""
    text = f"opens: {attempts}{size(store.path.stat().st_size)}, schema {present}"
    return Finding("store", "ok", text if present == newest else f"{text}; it becomes {newest} when a command opens it")
