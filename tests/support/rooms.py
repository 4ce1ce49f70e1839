"""Rooms over a stand-in server, and the real command line as a process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from selftaught_builder.room.room import Room, open_room
from selftaught_builder.store import Store
from support.command import COMMAND


def write_room(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    recipe: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a room, or rewrite it: its recipe, its questions, and few-shot rationales if there are any. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    if examples:
        (folder / "examples.yaml").write_text(yaml.safe_dump([*examples]), encoding="utf-8")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(dict(recipe), sort_keys=False), encoding="utf-8")
    return folder


def server_room(
    folder: Path,
    url: str,
    *,
    questions: int = 10,
    endpoint: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> Path:
    """Write a room of sums whose endpoint is the server at `url`.

    Args:
        folder: where; made, or its recipe rewritten.
        url: the server's base URL.
        questions: how many sums to ask.
        endpoint: settings over the usual ones.
        sections: further sections of the recipe, such as sample={"k": 2}.
    """
    rows = [{"question": f"How much is {n} + {n + 7}?", "answer": str(2 * n + 7)} for n in range(1, questions + 1)]
    recipe = {
        "name": "sums",
        "questions": {"source": "questions.jsonl"},
        "prompt": {"examples": None},
        "endpoint": {"kind": "openai", "model": "stand-in", "base_url": url, "timeout": 20, **(endpoint or {})},
        "sample": {"k": 2, "concurrency": 8},
        **sections,
    }
    return write_room(folder, rows, recipe)


def store_of(folder: Path) -> Store:
    """Open the store of the room in `folder`."""
    return open_room(folder).store()


def attempts(room: Room | Path) -> list[dict[str, Any]]:
    """Return all attempts of a room's store."""
    store = room.store() if isinstance(room, Room) else store_of(room)
    return store.sql("SELECT * FROM attempts ORDER BY key, try").to_dicts()


def cli(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process and return it when it has ended."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


def start_cli(*arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command line as a process."""
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **options)
