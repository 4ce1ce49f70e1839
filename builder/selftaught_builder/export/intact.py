"""Whether a version's folder still holds what was exported: its files are compared with their recorded hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from selftaught_builder.common.errors import InputError
from selftaught_builder.store import Store

CARD = "README.md"
_RECORDED = "SELECT recipe_name, content, files, card FROM dataset_versions WHERE version = ?"


def file_hash(file: Path) -> str:
    """Return a file's SHA-256 in hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each data file of a version, by its name."""
    return {file.name: file_hash(file) for file in sorted((folder / "data").glob("*.parquet"))}


def check_version(store: Store, folder: Path, *, to_publish: bool = False) -> None:
    """Compare a version's folder with what the store recorded when it was exported.

    A version from before file hashes were recorded is checked by its content hash, which covered files and card.

    Args:
        store: the store.
        folder: the version's folder; its name is the version's.
        to_publish: the card has to be the recorded one, too, and the store has to know the version.

    Raises:
        InputError: a file is missing, added or changed.
    """
    with store.read() as connection:
        found = connection.execute(_RECORDED, [folder.name]).fetchall()
    if not found and to_publish:
        mend = "Name a version that this room's store exported; `selftaught status` lists them."
        raise InputError("the store has no such version", place=folder, mend=mend)
    if found and not any(_is_intact(folder, *recorded, card=to_publish) for recorded in found):
        raise _damaged(folder, found[0][2])


def _is_intact(
    folder: Path, recipe_name: str, content: str, files: str | None, card_hash: str | None, *, card: bool
) -> bool:
    if files is None:
        return _old_content(folder, recipe_name) == content
    if hashes_of(folder) != orjson.loads(files):
        return False
    return not card or ((folder / CARD).is_file() and file_hash(folder / CARD) == card_hash)


def _old_content(folder: Path, recipe_name: str) -> str:
    """Return the content hash of versions made before schema 5: over the card, without the version's name, and the files."""
    readme = folder / CARD
    if not readme.is_file():
        return ""
    card = readme.read_bytes().replace(f"# {recipe_name} {folder.name}\n".encode(), f"# {recipe_name} \n".encode(), 1)
    digest = hashlib.sha256(card)
    files = {file.name: file for file in (folder / "data").glob("*.parquet")}
    for split in ("train", "validation"):
        if file := files.pop(f"{split}-00000-of-00001.parquet", None):
            digest.update(file.name.encode() + file.read_bytes())
    return "" if files else digest.hexdigest()


def _damaged(folder: Path, files: str | None) -> InputError:
    there = hashes_of(folder)
    recorded = orjson.loads(files) if files else there
    wrong = [name for name in sorted({*there, *recorded}) if there.get(name) != recorded.get(name)]
    again = "`selftaught export` writes the newest version again, `selftaught run --from ROUND/export` that of a round"
    if wrong:
        states = [f"data/{name} is {_state(name, there, recorded)}" for name in wrong]
        return InputError(f"is not what was exported: {', '.join(states)}", place=folder, mend=f"{again}.")
    if files:
        mend = (
            "Delete it and run `selftaught export`, which writes it again. Your own words belong under `description`."
        )
        return InputError("is missing, or not the card that was exported", place=folder / CARD, mend=mend)
    return InputError("is not what was exported: its card or its data has changed", place=folder, mend=f"{again}.")


def _state(name: str, there: dict[str, str], recorded: dict[str, str]) -> str:
    if name not in there:
        return "missing"
    return "changed" if name in recorded else "not part of it"
