"""Export: the dataset version that a policy selects.

A version is a folder that Hugging Face `datasets` reads: Parquet files by split and a card. Its name holds a hash of its rows
and of what selected them (`content.py`): the same rows are the same version, whatever faults or kills came between. A
rationalized attempt is written under the question's own prompt; the hinted prompt never leaves the store.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from selftaught_builder.common.durable import sync, sync_tree
from selftaught_builder.common.errors import InputError
from selftaught_builder.common.names import file_name
from selftaught_builder.export.card import render_card
from selftaught_builder.export.content import content_hash
from selftaught_builder.export.conversations import Conversations
from selftaught_builder.export.facts import count_made_with, facts_of
from selftaught_builder.export.intact import CARD, file_hash, hashes_of
from selftaught_builder.export.tables import tables_of
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.filter import Filter
from selftaught_builder.selection.funnel import Funnel, count_funnel
from selftaught_builder.selection.reading import reading
from selftaught_builder.selection.selected import select_rows
from selftaught_builder.store import Store, insert_frame


@dataclass(frozen=True)
class Version:
    """A dataset version on disk.

    Attributes:
        name: readable number and content hash, `v3-1a2b3c4d`.
        folder: where it lies.
        splits: rows by split.
        funnel: from source rows to exported rows.
        fresh: whether this export made it; False if the same content was there already.
        example: one row, to look at.
        notes: what happened to a version that was there: damaged files written again, a card left as a person edited it.
    """

    name: str
    folder: Path
    splits: Mapping[str, int]
    funnel: Funnel
    fresh: bool
    example: Mapping[str, Any]
    notes: tuple[str, ...] = ()


class NothingKeptError(InputError):
    """The policy keeps nothing; `funnel` says where it was lost."""

    def __init__(self, recipe: Recipe, funnel: Funnel) -> None:
        self.funnel = funnel
        mend = "`selftaught audit` shows what stands against them; loosen `keep`, or sample more."
        if not funnel.correct:
            mend = "No answer was right: take a stronger model, more samples (`sample.k`), or mend the prompt."
        message = f"nothing is kept of {funnel.completions} completions ({funnel.correct} with the right answer)"
        super().__init__(message, place=f"keep: {recipe.keep}", mend=mend)


def export_version(store: Store, room: Room, scope: Scope, filter: Filter) -> Version:
    """Write the version; the caller holds the writer lock and has verified the store.

    Raises:
        NothingKeptError: there is nothing to export.
    """
    recipe = room.recipe
    with reading(store, scope, filter) as view:
        selected = select_rows(view)
        funnel = count_funnel(view, selected)
        if selected.is_empty():
            raise NothingKeptError(recipe, funnel)
        made_with = count_made_with(view, selected)
    conversations = Conversations(store, room.prompter, examples=recipe.export.examples, rows=selected)
    parts = _split(selected, recipe)
    tables = {name: tables_of(part, recipe, conversations) for name, part in parts.items()}
    content = content_hash(tables, recipe, filter.versions)
    place = _place(store, recipe.name, content, room.folder)
    facts = facts_of(store, recipe, scope, funnel, filter.versions, parts, made_with, place.name)
    card = render_card(facts, place.name)
    scratch = room.folder / f".export-{file_name(scope.run)}"
    notes = _put(place, tables, card, scratch)
    _record(store, recipe, scope, place, content, filter.versions, parts, facts, card)
    splits = {name: table.num_rows for name, table in tables.items()}
    example = next(iter(tables.values())).slice(0, 1).to_pylist()[0]
    return Version(place.name, place.folder, splits, funnel, not place.recorded, example, notes)


def _split(selected: pl.DataFrame, recipe: Recipe) -> dict[str, pl.DataFrame]:
    """Split by question, by the question's own hash: a question stays in its split as the dataset grows."""
    share = recipe.export.validation
    if not share:
        return {"train": selected}
    threshold = int(share * 16**8)
    held = [int(question[:8], 16) < threshold for question in selected["question"]]
    parts = {"train": selected.filter([not h for h in held]), "validation": selected.filter(held)}
    return {name: part for name, part in parts.items() if not part.is_empty()}


@dataclass(frozen=True)
class _Place:
    """Where a version goes.

    Attributes:
        name, number, folder: of the version.
        recorded: what the store recorded of it (`files`, `card`); None if it is new to the store.
    """

    name: str
    number: int
    folder: Path
    recorded: Mapping[str, Any] | None


_KNOWN = "SELECT version, number, files, card FROM dataset_versions WHERE recipe_name = ? AND content = ?"
_FOLDER = re.compile(r"v(\d{1,9})-([0-9a-f]{8})")


def _place(store: Store, recipe_name: str, content: str, room: Path) -> _Place:
    """Number a version. No other version of the store or folder of the room has the number, whatever its recipe's name."""
    with store.read() as connection:
        known = connection.execute(_KNOWN, [recipe_name, content]).fetchone()
        if known:
            name, number, files, card = known
            return _Place(name, number, room / name, {"files": orjson.loads(files), "card": card})
        taken = dict(connection.execute("SELECT version, number FROM dataset_versions").fetchall())
    there = {found[0]: int(found[1]) for file in room.iterdir() if (found := _FOLDER.fullmatch(file.name))}
    # The folder of an export that was killed before it was recorded.
    unrecorded = [name for name in there if name.endswith(content[:8]) and name not in taken]
    if unrecorded:
        return _Place(unrecorded[0], there[unrecorded[0]], room / unrecorded[0], None)
    number = max([0, *taken.values(), *there.values()]) + 1
    name = f"v{number}-{content[:8]}"
    return _Place(name, number, room / name, None)


def _write(scratch: Path, tables: Mapping[str, pa.Table], card: str, folder: Path) -> None:
    """Write a version's files, and then put them into their place all at once."""
    shutil.rmtree(scratch, ignore_errors=True)
    data = scratch / "data"
    data.mkdir(parents=True)
    for split, table in tables.items():
        pq.write_table(table, data / f"{split}-00000-of-00001.parquet", compression="zstd")
    (scratch / CARD).write_text(card, encoding="utf-8")
    sync_tree(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    sync(folder.parent)


def _put(place: _Place, tables: Mapping[str, pa.Table], card: str, scratch: Path) -> tuple[str, ...]:
    """Write a new version, or mend one that was exported before; return what there is to say."""
    if place.recorded:
        return _mend(place, tables, card, scratch)
    _write(scratch, tables, card, place.folder)
    return ()


def _mend(place: _Place, tables: Mapping[str, pa.Table], card: str, scratch: Path) -> tuple[str, ...]:
    """Write again what is missing, damaged or out of date of a version that was exported before; return what there is to say.

    A card that a person has edited stays as it is.
    """
    recorded, readme = place.recorded or {}, place.folder / CARD
    edited = readme.is_file() and file_hash(readme) not in (recorded["card"], _hash_of(card))
    if hashes_of(place.folder) != recorded["files"]:
        _write(scratch, tables, readme.read_text("utf-8", "replace") if edited else card, place.folder)
        return (f"{place.name} was damaged or incomplete, and is written again",)
    if edited:
        return (f"{readme} was edited since it was written, and stays so; delete it and export again for a fresh one",)
    if not readme.is_file() or file_hash(readme) != _hash_of(card):
        written = readme.with_name(f".{CARD}")
        written.write_text(card, encoding="utf-8")
        sync(written)
        written.replace(readme)
        sync(place.folder)
        return (f"the card of {place.name} is written again",)
    return ()


def _record(
    store: Store,
    recipe: Recipe,
    scope: Scope,
    place: _Place,
    content: str,
    verifiers: Mapping[str, str],
    parts: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Any],
    card: str,
) -> None:
    written = {
        "files": orjson.dumps(hashes_of(place.folder), option=orjson.OPT_SORT_KEYS).decode(),
        "card": _hash_of(card),
        "facts": orjson.dumps(facts).decode(),
    }
    with store.write() as connection:
        if place.recorded is not None:
            connection.execute(
                "UPDATE dataset_versions SET files = ?, card = ?, facts = ? WHERE recipe_name = ? AND version = ?",
                [*written.values(), recipe.name, place.name],
            )
            return
        row = {
            "recipe_name": recipe.name,
            "version": place.name,
            "number": place.number,
            "content": content,
            "run": scope.run,
            "recipe_hash": recipe.hash,
            "policy": as_policy(recipe.keep).line,
            "verifiers": orjson.dumps(dict(verifiers), option=orjson.OPT_SORT_KEYS).decode(),
            "row_count": sum(part.height for part in parts.values()),
            "draw_on": scope.draw_on,
            **written,
        }
        connection.execute(
            f"INSERT INTO dataset_versions ({', '.join(row)}, created_at) VALUES ({', '.join('?' * len(row))}, now())",
            [*row.values()],
        )
        for split, part in parts.items():
            rows = part.select(
                pl.lit(recipe.name).alias("recipe_name"),
                pl.lit(place.name).alias("version"),
                "attempt",
                pl.lit(split).alias("split"),
                pl.lit("sft").alias("role"),
            )
            insert_frame(connection, "dataset_rows", rows)


def _hash_of(card: str) -> str:
    return hashlib.sha256(card.encode()).hexdigest()
