"""Export: the dataset version that a policy selects.

A version is a folder that Hugging Face `datasets` reads: Parquet files by split and a card. Its name holds a hash of its
content: the same store and recipe give the same bytes, and so the same version. A rationalized attempt is written under the
question's own prompt; the hinted prompt never leaves the store.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught_builder.durable import sync, sync_tree
from selftaught_builder.errors import InputError
from selftaught_builder.export.card import render_card
from selftaught_builder.export.selection import select_rows
from selftaught_builder.funnel import Funnel, count_funnel
from selftaught_builder.names import file_name
from selftaught_builder.policies import as_policy
from selftaught_builder.policy import check_policy
from selftaught_builder.prompts import Prompter
from selftaught_builder.recipe import Recipe
from selftaught_builder.scope import Scope
from selftaught_builder.store import Store, insert_frame
from selftaught_builder.verification import versions_of

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
CHOICE = pa.struct([("label", pa.string()), ("text", pa.string())])


@dataclass(frozen=True)
class Version:
    """A dataset version on disk.

    Attributes:
        name: readable number and content hash, `v3-1a2b3c4d`.
        folder: where it lies.
        splits: rows by split.
        funnel: from source rows to exported rows.
        fresh: whether this export made it; False where the same content was there already.
        example: one row, to look at.
    """

    name: str
    folder: Path
    splits: Mapping[str, int]
    funnel: Funnel
    fresh: bool
    example: Mapping[str, Any]


class NothingKeptError(InputError):
    """The policy keeps nothing; `funnel` says where it was lost."""

    def __init__(self, recipe: Recipe, funnel: Funnel) -> None:
        self.funnel = funnel
        mend = "`selftaught audit` shows what stands against them; loosen `keep`, or sample more."
        if not funnel.correct:
            mend = "No answer was right: take a stronger model, more samples (`sample.k`), or mend the prompt."
        message = f"nothing is kept of {funnel.completions} completions ({funnel.correct} with the right answer)"
        super().__init__(message, place=f"keep: {recipe.keep}", mend=mend)


@dataclass(frozen=True)
class _Asked:
    """A question as a template sees it."""

    text: str
    gold: str
    choices: Mapping[str, str]


def export_version(store: Store, recipe: Recipe, prompter: Prompter, room: Path, scope: Scope) -> Version:
    """Write the version; the caller holds the writer lock and has verified the store.

    Raises:
        PolicyError: the policy is no SQL predicate over the store's columns.
        NothingKeptError: there is nothing to export.
    """
    versions = versions_of(recipe)
    with store.read() as connection:
        check_policy(connection, recipe.keep, versions)
    run = scope.run
    selected = select_rows(store, recipe, scope)
    funnel = count_funnel(store, recipe, scope, exported=selected)
    if selected.is_empty():
        raise NothingKeptError(recipe, funnel)
    tables = {name: _table(part, recipe, prompter) for name, part in _split(selected, recipe).items()}
    tried, parameters = scope.select("attempts")
    facts = store.sql(_FACTS.format(tried=tried), parameters).to_dicts()
    sources = store.sql(_SOURCES, [run])["source"].to_list()
    splits = {name: table.num_rows for name, table in tables.items()}
    nameless = render_card(recipe, run, "", funnel, versions, facts, sources, splits, selected)
    scratch = room / f".export-{file_name(run)}"
    shutil.rmtree(scratch, ignore_errors=True)
    content = _write(scratch, tables, nameless)
    name, number, fresh = _name(store, recipe.name, content)
    folder = room / name
    if folder.exists():
        shutil.rmtree(scratch)
    else:
        card = render_card(recipe, run, name, funnel, versions, facts, sources, splits, selected)
        (scratch / "README.md").write_text(card, encoding="utf-8")
        sync_tree(scratch)
        scratch.rename(folder)
        sync(room)
    if fresh:
        _record(store, recipe, run, name, number, content, versions, selected)
    return Version(name, folder, splits, funnel, fresh, next(iter(tables.values())).slice(0, 1).to_pylist()[0])


_FACTS = """
SELECT a.kind, a.model, a.weights, a.endpoint, a.parameters, bool_and(a.seed_honoured) AS seed_honoured, count(*) AS attempts
FROM ({tried}) a WHERE a.kind IN ('sampled', 'rationalized')
GROUP BY ALL ORDER BY ALL
"""


_SOURCES = """
SELECT DISTINCT q.source FROM questions q JOIN run_questions r ON r.question = q.hash AND r.run = ? ORDER BY q.source
"""


def _split(selected: pl.DataFrame, recipe: Recipe) -> dict[str, pl.DataFrame]:
    """Split by question, by the question's own hash: a question stays in its split as the dataset grows."""
    share = recipe.export.validation
    if not share:
        return {"train": selected}
    threshold = int(share * 16**8)
    held = [int(question[:8], 16) < threshold for question in selected["question"]]
    parts = {"train": selected.filter([not h for h in held]), "validation": selected.filter(held)}
    return {name: part for name, part in parts.items() if not part.is_empty()}


def _table(rows: pl.DataFrame, recipe: Recipe, prompter: Prompter) -> pa.Table:
    records = [_record_of(row, recipe, prompter) for row in rows.iter_rows(named=True)]
    verdicts = [(f"verdict_{name}", pa.string()) for name in recipe.verify]
    fields = [
        ("messages", pa.list_(MESSAGE)),
        ("question_id", pa.string()),
        ("question", pa.string()),
        ("choices", pa.list_(CHOICE)),
        ("answer", pa.string()),
        ("rationale", pa.string()),
        ("kind", pa.string()),
        ("round", pa.int32()),
        ("attempt", pa.string()),
        ("model", pa.string()),
        ("weights", pa.string()),
        ("tokens", pa.int64()),
        *verdicts,
    ]
    return pa.Table.from_pylist(records, schema=pa.schema(fields))


def _record_of(row: Mapping[str, Any], recipe: Recipe, prompter: Prompter) -> dict[str, Any]:
    asked = _Asked(row["question_text"], row["gold"], orjson.loads(row["choices"]))
    prompt = prompter.ask(asked, hint=False, examples=recipe.export.examples)
    rationale = row["rationale"]
    if row["reasoning"] and recipe.export.reasoning == "think_tags":
        rationale = f"<think>\n{row['reasoning']}\n</think>\n\n{rationale}"
    return {
        "messages": [*prompt.messages, {"role": "assistant", "content": rationale}],
        "question_id": row["question_id"],
        "question": row["question_text"],
        "choices": [{"label": label, "text": text} for label, text in asked.choices.items()],
        "answer": row["gold"],
        "rationale": rationale,
        "kind": row["kind"],
        "round": row["round"],
        "attempt": row["attempt"],
        "model": row["model"],
        "weights": row["weights"],
        "tokens": row["tokens_out"],
        **{f"verdict_{name}": row[f"verdict_{name}"] for name in recipe.verify},
    }


def _write(folder: Path, tables: Mapping[str, pa.Table], card: str) -> str:
    """Write the Parquet files; return the SHA-256 over them and the card."""
    data = folder / "data"
    data.mkdir(parents=True)
    digest = hashlib.sha256(card.encode())
    for split, table in tables.items():
        file = data / f"{split}-00000-of-00001.parquet"
        pq.write_table(table, file, compression="zstd")
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _name(store: Store, recipe_name: str, content: str) -> tuple[str, int, bool]:
    """Return the version's name and number, and whether its content is new to the store."""
    with store.read() as connection:
        known = connection.execute(
            "SELECT version, number FROM dataset_versions WHERE recipe_name = ? AND content = ?", [recipe_name, content]
        ).fetchone()
        if known:
            return known[0], known[1], False
        row = connection.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM dataset_versions WHERE recipe_name = ?", [recipe_name]
        ).fetchone()
    number = row[0] if row else 1
    return f"v{number}-{content[:8]}", number, True


def _record(
    store: Store,
    recipe: Recipe,
    run: str,
    name: str,
    number: int,
    content: str,
    versions: Mapping[str, str],
    selected: pl.DataFrame,
) -> None:
    rows: Sequence[pl.DataFrame] = [
        part.select(
            pl.lit(recipe.name).alias("recipe_name"),
            pl.lit(name).alias("version"),
            "attempt",
            pl.lit(split).alias("split"),
            pl.lit("sft").alias("role"),
        )
        for split, part in _split(selected, recipe).items()
    ]
    policy = as_policy(recipe.keep).line
    pinned = orjson.dumps(dict(versions), option=orjson.OPT_SORT_KEYS).decode()
    with store.write() as connection:
        connection.execute(
            "INSERT INTO dataset_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, now())",
            [recipe.name, name, number, content, run, recipe.hash, policy, pinned, selected.height],
        )
        insert_frame(connection, "dataset_rows", pl.concat(rows))
