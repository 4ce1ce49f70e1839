"""The store's schema: numbered migrations, and the views over the tables.

Migrations are the SQL files in `migrations/`, applied in order, each in one transaction with the record of it. The views
are made anew after each migration and whenever a verifier appears: `attempts_wide` has one column a verifier.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files

import duckdb

from selftaught_builder.common.errors import StoreError
from selftaught_builder.store.rows import columns_of


def migrations() -> dict[int, str]:
    """Return each migration's SQL by its number, in order."""
    folder = files("selftaught_builder") / "store" / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {int(name[:4]): (folder / name).read_text(encoding="utf-8") for name in names}


def schema_number(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the newest migration applied, 0 for an empty database."""
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'migrations' AND database_name = current_database()"
    ).fetchone()
    if not found or not found[0]:
        return 0
    row = connection.execute("SELECT max(number) FROM migrations").fetchone()
    return row[0] or 0 if row else 0


def migrate(connection: duckdb.DuckDBPyConnection, place: object) -> None:
    """Bring a database to the newest schema.

    Args:
        connection: open for writing.
        place: the store's path, for the error.

    Raises:
        StoreError: the database is of a newer schema than this code knows.
    """
    known = migrations()
    present = schema_number(connection)
    check_schema(present, place)
    for number, sql in known.items():
        if number <= present:
            continue
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER, applied_at TIMESTAMPTZ)")
        connection.execute(sql)
        connection.execute("INSERT INTO migrations VALUES (?, now())", [number])
        create_views(connection)
        connection.execute("COMMIT")


def check_schema(present: int, place: object) -> None:
    """Raise StoreError where the schema is newer than this code."""
    newest = max(migrations())
    if present > newest:
        raise StoreError(
            f"this store has schema {present}; this selftaught knows schemas up to {newest}",
            place=place,
            mend="Upgrade selftaught: `pip install -U selftaught`.",
        )


WIDE_COLUMNS = frozenset(
    (
        *(column.name for column in columns_of("attempts")),
        *("hinted", "truncated", "question_id", "question_text", "gold", "answer_kind", "choices", "source", "split"),
        *("extracted", "answer_strict"),
    )
)
"""The columns of `attempts_wide` that are no verifier's; a verifier cannot take one as its name."""

# `attempts_wide` without its verifier columns. `{columns}` and `{joins}` are made of verifier names, which are identifiers.
_WIDE = """\
SELECT
    a.*,
    a.kind = 'rationalized' AS hinted,
    a.finish_reason = 'length' AS truncated,
    q.id AS question_id, q.question AS question_text, q.gold, q.answer_kind, q.choices, q.source, q.split{columns}
FROM attempts a
JOIN questions q ON q.hash = a.question{joins}"""

# The newest is the one that was added last: a clock may have gone back since.
_NEWEST = """
LEFT JOIN (
    SELECT attempt, arg_max_null(outcome, rowid) AS outcome, arg_max_null(score, rowid) AS score,
           arg_max_null(answer, rowid) AS answer, arg_max_null(detail, rowid) AS detail
    FROM verdicts WHERE verifier = '{name}' AND version = {version}{seen} GROUP BY attempt
) v_{name} ON v_{name}.attempt = a.id"""
_OF_ITS_GROUP = " AND (attempt, seen) IN (SELECT attempt, seen FROM scoped_groups)"

# The flexible verdict is the column `answer`; the strict one wants the final answer at an explicit marker.
_OF_ANSWER = """,
    v_answer.answer AS extracted, coalesce(v_answer.detail ->> 'strict', v_answer.outcome, 'missing') AS answer_strict"""

_SPENDING = """
CREATE OR REPLACE VIEW spending AS
SELECT run, round, kind, model,
       count(*) AS attempts,
       count(*) FILTER (error IS NULL) AS completions,
       count(*) FILTER (finish_reason = 'length') AS truncated,
       sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out,
       sum(tokens_cached)::BIGINT AS tokens_cached,
       sum(cost) AS cost, sum(latency) AS request_seconds
FROM attempts GROUP BY ALL ORDER BY ALL
"""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views anew for the verifiers that the store knows."""
    names = [name for (name,) in connection.execute("SELECT name FROM verifiers ORDER BY name").fetchall()]
    names = [name for name in names if _NAME.fullmatch(name)]  # a store may be from anywhere
    connection.execute(f"CREATE OR REPLACE VIEW attempts_wide AS {wide_select(names)}")
    connection.execute(_SPENDING)


def wide_select(
    verifiers: Sequence[str], pinned: Mapping[str, str] | None = None, grouped: Collection[str] = ()
) -> str:
    """Return the query behind `attempts_wide`.

    Args:
        verifiers: the verifiers to show, each a column holding pass, fail, unscorable or missing (never NULL, so that
            `<>` drops no row silently) and a column NAME_score. Of several verdicts by one version the newest counts.
        pinned: versions to show instead of the current ones.
        grouped: group verifiers of which only the verdict on the attempt's group counts, as the table `scoped_groups
            (attempt, seen)` names it.

    Raises:
        ValueError: a name is no plain identifier.
    """
    columns, joins = [], []
    for name in verifiers:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no verifier name")
        columns.append(f",\n    coalesce(v_{name}.outcome, 'missing') AS {name}, v_{name}.score AS {name}_score")
        version = f"(SELECT version FROM verifiers WHERE name = '{name}')"
        if pinned and name in pinned:
            version = "'" + pinned[name].replace("'", "''") + "'"
        seen = _OF_ITS_GROUP if name in grouped else ""
        joins.append(_NEWEST.format(name=name, version=version, seen=seen))
    if "answer" in verifiers:
        columns.append(_OF_ANSWER)
    return _WIDE.format(columns="".join(columns), joins="".join(joins))
