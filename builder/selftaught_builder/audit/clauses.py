"""The clauses of a predicate: what stands between its top-level ANDs, as DuckDB's own parser reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from selftaught_builder.store import Connection, DatabaseError

_BEFORE = "SELECT 1 WHERE "


def clauses(connection: Connection, predicate: str) -> list[str]:
    """Return the SQL of the conditions that must all hold, or the predicate itself where it cannot be split.

    Nothing of it is run. The SQL is DuckDB's rendering: comments are gone, and `<>` reads `!=`.
    """
    try:
        tree = json.loads(_one(connection, "SELECT json_serialize_sql(?::VARCHAR)", f"{_BEFORE}\n{predicate}\n"))
        node = tree["statements"][0]["node"]
        found = []
        for condition in _conditions(node["where_clause"]):
            node["where_clause"] = condition
            sql = _one(connection, "SELECT json_deserialize_sql(?::JSON)", json.dumps(tree))
            found.append(_bare(sql.removeprefix(_BEFORE)))
    except (DatabaseError, KeyError, IndexError, TypeError):
        return [predicate]
    return found or [predicate]


def _one(connection: Connection, query: str, parameter: str) -> str:
    ((value,),) = connection.execute(query, [parameter]).fetchall()
    return value


def _conditions(expression: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if expression["type"] != "CONJUNCTION_AND":
        yield expression
        return
    for child in expression["children"]:
        yield from _conditions(child)


def _bare(sql: str) -> str:
    """Without the brackets around all of it."""
    depth, quote = 0, ""
    if not (sql.startswith("(") and sql.endswith(")")):
        return sql
    for place, character in enumerate(sql):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character == "(") - (character == ")")
            if not depth:
                return sql[1:-1] if place == len(sql) - 1 else sql
    return sql
