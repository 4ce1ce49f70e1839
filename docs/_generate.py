"""Writes the reference parts of these pages: `just docs` does, and `just check` says where they are old."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

# The pages must not depend on the terminal that they are made in.
os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="100", TERMINAL_WIDTH="100")

WIDTH = 100


def commands() -> str:
    """Return the help of every command, a heading each."""
    parts = []
    for name, text in command_help().items():
        parts.append(f"## `{name}`\n\n```text\n{text}\n```\n")
    return "\n" + "\n".join(parts) + "\n"


def command_help() -> dict[str, str]:
    """Return each command's help by its full name, groups included."""
    from typer.main import get_command

    from selftaught_builder.cli.app import app

    return dict(_walk(get_command(app), None, "selftaught"))


def _walk(command: Any, parent: Any, name: str) -> Iterator[tuple[str, str]]:
    width = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    settings = {**command.context_settings, **width}
    context = command.context_class(command, info_name=name.split()[-1], parent=parent, **settings)
    yield name, "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
    for child in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from _walk(command.get_command(context, child), context, f"{name} {child}")


def recipe() -> str:
    """Return every key of a recipe, a table for each section."""
    from selftaught_builder.recipe import Recipe

    schema = Recipe.model_json_schema()
    parts = [_section("The recipe itself", schema, schema)]
    parts += _sections("", schema, schema)
    return "\n" + "\n".join(parts) + "\n"


def _sections(place: str, model: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for key, entry in model["properties"].items():
        one, several = _model(entry, schema), _model(entry.get("items", {}), schema)
        if section := one or several:
            name = f"{place}{key}" if one else f"{place}{key}[]"
            yield _section(f"`{name}`", section, schema)
            yield from _sections(f"{name}.", section, schema)


def _section(title: str, model: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    lines = [f"## {title}", ""]
    if model is not schema and model.get("description"):
        lines += [_line(model["description"]), ""]
    lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, entry in model["properties"].items():
        section = _model(entry, schema)
        meaning = entry.get("description") or (section or {}).get("description", "")
        default = "required" if key in model.get("required", ()) else _default(entry.get("default"), section)
        lines.append(f"| `{key}` | {_type(entry, schema)} | {default} | {_cell(_line(meaning))} |")
    return "\n".join(lines) + "\n"


def _model(entry: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the section that a key holds, None where it holds a value."""
    for option in (entry, *entry.get("anyOf", ()), *entry.get("allOf", ())):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
    return None


def _type(entry: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(_type(option, schema) for option in entry["anyOf"]))
    if "$ref" in entry:
        return "section"
    if "enum" in entry:
        return " or ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if entry.get("type") == "array":
        return f"list of {_type(entry['items'], schema)}"
    names = {"string": "text", "object": "mapping", "boolean": "true or false"}
    return names.get(entry["type"], entry["type"]) + _range(entry)


def _range(entry: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {entry[key]:g}" for key, sign in signs.items() if key in entry]
    return f" ({', '.join(bounds)})" if bounds else ""


def _default(value: Any, section: object) -> str:
    if section:
        return "" if value else "null"
    if isinstance(value, str):
        return f"`{_cell(value)}`" if value else '`""`'
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def store() -> str:
    """Return every table and view of the store, with the comments of the migrations and of the rows' types."""
    import duckdb

    from selftaught_builder.store.rows import TABLES, columns_of
    from selftaught_builder.store.schema import create_views, migrate, migrations
    from selftaught_verifiers import registered

    with duckdb.connect() as connection:
        migrate(connection, "docs")
        for verifier in registered():
            connection.execute("INSERT INTO verifiers VALUES (?, ?)", [verifier.name, verifier.version])
        create_views(connection)
        rows = connection.execute(_COLUMNS).fetchall()
    remarks = _remarks("\n".join(migrations().values()))
    remarks |= {(table, column.name): column.about for table in TABLES for column in columns_of(table)}
    parts: dict[str, list[str]] = {}
    for table, is_view, column, kind, remark in rows:
        if table not in parts:
            about = remarks.get((table, ""), "")
            heading = f"## `{table}`" + (" (view)" if is_view else "")
            parts[table] = [heading, "", *([about, ""] if about else []), "| column | type | |", "| --- | --- | --- |"]
        said = "; ".join(filter(None, (_cell(remarks.get((table, column), "")), remark)))
        parts[table].append(f"| `{column}` | {kind} | {said} |")
    return "\n" + "\n\n".join("\n".join(lines) for lines in parts.values()) + "\n\n"


_COLUMNS = """
SELECT c.table_name, v.view_name IS NOT NULL, c.column_name, c.data_type,
       CASE WHEN c.is_nullable AND v.view_name IS NULL THEN 'may be NULL' ELSE '' END
FROM duckdb_columns() c LEFT JOIN duckdb_views() v ON v.view_name = c.table_name AND NOT v.internal
WHERE NOT c.internal
ORDER BY v.view_name IS NOT NULL, c.table_oid, c.column_index
"""

_REMARK = re.compile(r"^\s+(\w+)\s+[A-Z]+[^-]*--\s*(.+)$")
_ADDED = re.compile(r"^ALTER TABLE (\w+) ADD COLUMN (\w+).*?--\s*(.+)$")


def _remarks(sql: str) -> dict[tuple[str, str], str]:
    """Return the comment of each (table, column), and of each table under (table, "")."""
    found: dict[tuple[str, str], str] = {}
    table, above = "", ""
    for line in sql.splitlines():
        if line.startswith("-- "):
            above = f"{above} {line[3:]}".strip()
        elif made := re.match(r"CREATE TABLE (\w+)", line):
            table = made[1]
            found[table, ""], above = above, ""
        elif added := _ADDED.match(line):
            found[added[1], added[2]] = added[3]
        elif remark := _REMARK.match(line):
            found[table, remark[1]] = remark[2]
        elif not line.strip():
            above = ""
    return found
