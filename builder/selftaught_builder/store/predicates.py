"""What a predicate may not say: text that a column can never hold, and anything that another run would answer differently.

Only the SQL's syntax tree is read, as DuckDB's own parser gives it; nothing of it is run.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

import duckdb

from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe import Questions

OUTCOMES = ("pass", "fail", "unscorable", "missing")
"""What a verifier's column of `attempts_wide` can hold."""
KINDS = ("sampled", "rationalized", "evaluated", "probed")
ANSWER_KINDS = tuple(kind for kind in get_args(Questions.model_fields["kind"].annotation) if kind != "auto")

_EQUALITIES = ("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM")
_LIKE = {"~~": 0, "!~~": 0, "~~*": re.IGNORECASE, "!~~*": re.IGNORECASE}
_CONTAINS = ("list_contains", "array_contains", "list_has", "array_has")
# A function for several types is consistent if it is so for one of them: for moments with a time zone, DuckDB says of `+` and
# `year` that they hold within a query alone, since the session names the zone.
_CHANGING = """
SELECT function_name FROM duckdb_functions() GROUP BY function_name
HAVING bool_or(stability <> 'CONSISTENT') AND NOT coalesce(bool_or(stability = 'CONSISTENT'), false)"""
# DuckDB calls these consistent, or they are macros, of which it says nothing.
_ALSO_CHANGING = {
    *("ago", "current_localtime", "current_localtimestamp", "reservoir_quantile", "query", "query_table"),
    *("pg_postmaster_start_time", "pg_conf_load_time"),
}
# Words that SQL takes for a function where there is no column of the name.
_CHANGING_WORDS = {
    *("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"),
    *("current_user", "session_user", "user", "current_role", "current_catalog", "current_schema"),
}

Node = Mapping[str, Any]


class SenseError(InputError):
    """A predicate is valid SQL, and cannot mean what it says."""


def check_values(connection: duckdb.DuckDBPyConnection, predicate: str, verifiers: Collection[str], place: str) -> None:
    """Raise SenseError if the predicate compares a column with a text that the column can never hold.

    Args:
        connection: any connection.
        predicate: an SQL condition over `attempts_wide`.
        verifiers: the verifiers that have a column.
        place: where the predicate stands, for the error.
    """
    domains = {**dict.fromkeys((*verifiers, "answer_strict"), OUTCOMES), "kind": KINDS, "answer_kind": ANSWER_KINDS}
    for node in _nodes(_tree(connection, f"SELECT 1 WHERE\n{predicate}\n"), within=("attempts_wide",)):
        for column, text in _compared(node):
            domain = domains.get(column)
            if domain is not None and not any(_is_meant(node, text, value) for value in domain):
                raise _never(column, text, domain, place)


def check_repeatable(connection: duckdb.DuckDBPyConnection, query: str, place: str) -> None:
    """Raise SenseError if a query can answer differently on the same data: `random()`, `now()`, a sample, and the like.

    Args:
        connection: any connection; DuckDB lists the stability of each of its functions.
        query: a whole query.
        place: where it stands, for the error.
    """
    names = {name for (name,) in connection.execute(_CHANGING).fetchall()} | _ALSO_CHANGING
    mend = "The same store and recipe must give the same version: take it out."
    for node in _nodes(_tree(connection, query)):
        if found := _changes(node, names):
            raise SenseError(f"`{found}` is not the same each time", place=place, mend=mend)


def _tree(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The syntax tree; nothing if the query has none, which other checks report."""
    try:
        ((text,),) = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    except duckdb.Error:
        return None
    return json.loads(text).get("statements")


def _nodes(tree: Any, within: Collection[str] | None = None) -> Iterator[Node]:
    """Yield the nodes of a tree; with `within`, those of queries over other tables than these are left out."""
    stack = [tree]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if within is not None and not _tables(one.get("from_table")) <= set(within):
                continue  # a column of another table, such as verdicts.answer, holds something else
            yield one
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def _tables(source: Any) -> set[str]:
    """The tables that a FROM clause names."""
    return {str(one["table_name"]).lower() for one in _nodes(source) if one.get("type") == "BASE_TABLE"}


def _changes(node: Node, names: Collection[str]) -> str:
    """What in a node changes from run to run; "" if nothing does."""
    kind = node.get("class")
    if kind == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        from_now = name == "age" and len(node.get("arguments") or ()) == 1
        return f"{name}()" if name in names or from_now else ""
    if kind == "COLUMN_REF":
        words = node.get("column_names") or [""]
        return words[0] if len(words) == 1 and words[0].lower() in _CHANGING_WORDS else ""
    if node.get("sample"):
        return "SAMPLE"
    modifiers = [one.get("type") for one in node.get("modifiers") or () if isinstance(one, dict)]
    return "LIMIT without ORDER BY" if "LIMIT_MODIFIER" in modifiers and "ORDER_MODIFIER" not in modifiers else ""


def _compared(node: Node) -> Iterator[tuple[str, str]]:
    """Yield each column that a node compares with a text, and the text."""
    kind, name = node.get("type"), node.get("function_name")
    sides: list[list[Any]] = []
    if kind in _EQUALITIES:
        sides = [[node["left"]], [node["right"]]]
    elif kind in ("COMPARE_IN", "COMPARE_NOT_IN"):
        first, *others = node["children"]
        sides = [[first], others]
    elif kind == "SUBQUERY" and node.get("child"):
        sides = [[node["child"]], [one for one in _nodes(node["subquery"]) if one.get("function_name") == "list_value"]]
    elif name in _CONTAINS or name in _LIKE:
        sides = [[one.get("expression", one)] for one in node.get("arguments") or ()][:2]
    if len(sides) < 2:
        return
    for columns, values in (sides, sides[::-1]):
        for column in filter(None, map(_column, columns)):
            yield from ((column, text) for value in values for text in _texts(value))


def _is_meant(node: Node, text: str, value: str) -> bool:
    """Whether a comparison with a text can hold for a value."""
    flags = _LIKE.get(str(node.get("function_name")))
    if flags is None:
        return text == value
    return bool(re.fullmatch(re.escape(text).replace("%", ".*").replace("_", "."), value, flags))


def _column(node: Node) -> str:
    return node["column_names"][-1].lower() if node.get("class") == "COLUMN_REF" else ""


def _texts(node: Node) -> Iterator[str]:
    """The texts that a constant, a cast of one, or a list of them holds."""
    kind = node.get("class")
    if kind == "CONSTANT" and (node.get("literal") or {}).get("kind") == "STRING":
        yield node["literal"]["text"]
    elif kind == "CAST":
        yield from _texts(node["child"])
    elif kind == "FUNCTION" and node.get("function_name") == "list_value":
        for argument in node.get("arguments") or ():
            yield from _texts(argument.get("expression", argument))


def _never(column: str, text: str, domain: Collection[str], place: str) -> SenseError:
    close = difflib.get_close_matches(text.lower(), domain, n=1, cutoff=0.5)
    mend = f"Did you mean '{close[0]}'? " if close else ""
    values = ", ".join(f"'{value}'" for value in domain)
    return SenseError(f"`{column}` is never '{text}'", place=place, mend=f"{mend}It is one of {values}.")
