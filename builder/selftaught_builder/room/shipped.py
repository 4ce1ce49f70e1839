"""The rooms that come with the package."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from selftaught_builder.common.errors import InputError

SHIPPED = ("commonsenseqa", "gsm8k", "sums", "svamp")
_FILES = ("recipe.yaml", "examples.yaml", "questions.jsonl", "held-out.jsonl")
_MODEL = "base"


def shipped_rooms() -> Path:
    """Return the folder of the shipped rooms: inside an installed package, or the checkout's own `datasets/`."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "rooms"
    return installed if installed.is_dir() else here.parents[1] / "datasets"


def copy_room(like: str, name: str, folder: Path) -> Path:
    """Make a new room out of a shipped one, under its own name.

    Raises:
        InputError: no such shipped room, a name that cannot be one, or a room that is there already.
    """
    shipped = shipped_rooms()
    if like not in SHIPPED:
        raise InputError(f"no shipped room `{like}`", place="--like", mend=f"There are: {', '.join(SHIPPED)}.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise InputError(f"`{name}` cannot name a room", place="NAME", mend="Use lower-case letters, digits, - and _.")
    made = folder / name
    if made.exists():
        raise InputError("there is something already", place=made, mend="Choose another name.")
    made.mkdir(parents=True)
    for file in _FILES:
        if (shipped / like / file).is_file():
            shutil.copyfile(shipped / like / file, made / file)
    if (shipped / like / _MODEL).is_dir():
        shutil.copytree(shipped / like / _MODEL, made / _MODEL)
    recipe = made / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    text = re.sub(r"\A#.*", f"# Begun from the room {like}.", text)
    text = re.sub(r"(?m)^name: .*$", f"name: {name}", text, count=1)
    text = re.sub(r"(?m)^description: \w.*$", 'description: "" # what the dataset is, for its card', text, count=1)
    recipe.write_text(text, encoding="utf-8")
    return made
