"""A dataset version is on the disk itself before the store says that it is there, and a kill at any step changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from crash import lives
from selftaught_builder.export import version
from selftaught_builder.room.room import open_room
from support.stages import export
from support.stores import SUMS, Scripted

Step = tuple[str, str]
STEPS: list[Step] = [
    ("sync", "data"),
    ("sync", "README.md"),
    ("sync", "train-00000-of-00001.parquet"),
    ("sync", ".export-sums"),
    ("rename", ".export-sums"),
    ("sync", "room"),
    ("record", "room"),
]


@contextmanager
def watched(told: Callable[[Step], None]) -> Iterator[None]:
    """Tell of each step that makes an export durable, before it is done."""
    sync, rename, record = os.fsync, os.rename, version._record

    def synced(file: int) -> None:
        told(("sync", Path(os.readlink(f"/proc/self/fd/{file}")).name))
        sync(file)

    def renamed(before: Path, after: Path) -> None:
        told(("rename", Path(before).name))
        rename(before, after)

    def recorded(store, *arguments) -> None:
        told(("record", store.path.parent.name))
        record(store, *arguments)

    with patch("os.fsync", synced), patch("os.rename", renamed), patch.object(version, "_record", recorded):
        yield


def export_and_die(folder: Path, at: int) -> None:
    """Export a room, and be killed before its step number `at`."""
    steps = 0

    def told(step: Step) -> None:
        nonlocal steps
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    with watched(told):
        export(open_room(folder))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A room with a verified store, and nothing exported yet."""
    scripted = Scripted(tmp_path_factory.mktemp("export") / "room", keep="answer = 'pass'")
    for place in range(len(SUMS)):
        scripted.attempt(place)
    scripted.verify()
    return scripted.room.folder


def bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def copy(room: Path, to: Path) -> Path:
    return Path(shutil.copytree(room, to / "room"))


def test_files_and_names_are_on_the_disk_before_the_store_says_so(room: Path, tmp_path: Path) -> None:
    steps: list[Step] = []
    with watched(steps.append):
        made = export(open_room(copy(room, tmp_path)))
    assert made.fresh
    assert sorted(steps[:4]) == sorted(STEPS[:4])
    assert steps[4:] == STEPS[4:]


def test_a_kill_between_these_changes_nothing(room: Path, tmp_path: Path) -> None:
    whole = export(open_room(copy(room, tmp_path / "whole")))
    for at in (0, 4, 5, 6):  # before anything is on the disk, the renaming, its way to the disk, and the row
        folder = copy(room, tmp_path / str(at))
        life = lives.start(export_and_die, folder, at)
        life.join()
        assert life.exitcode == -signal.SIGKILL
        opened = open_room(folder)
        known = "SELECT version, content FROM dataset_versions"
        assert opened.store().sql(known).height == 0
        if (folder / whole.name).exists():
            assert bytes_of(folder / whole.name) == bytes_of(whole.folder)
        made = export(opened)
        assert (made.name, made.fresh, bytes_of(made.folder)) == (whole.name, True, bytes_of(whole.folder))
        assert not list(folder.glob(".export-*"))
