"""Disks that are full or not to be written, copies, and clocks: a plain error that names the file, and nothing lost."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from faults.labs import RunningLab, running_lab
from selftaught_builder.common.errors import StoreBusyError, StoreError
from selftaught_builder.store import open_store
from support.command import environment, selftaught
from support.rooms import attempts, server_room
from support.stores import Scripted

COPIES = 25
# Of a DuckDB file: where its blocks begin, and how long one is.
BLOCKS_FROM, BLOCK = 12288, 262144
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def obey_permissions() -> None:
    """Make the command that is started next obey files' permissions, even where root starts it."""
    if os.geteuid() == 0:
        for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
            if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError("cannot drop a capability")


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab() as lab:
        yield lab


def test_a_disk_that_fills_up_while_sampling_keeps_what_had_arrived(lab: RunningLab, tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", lab.url, questions=200, sample={"k": 2, "concurrency": 4})
    lab.script()
    open_store(room / "store.duckdb", create=True)
    limit = (room / "store.duckdb").stat().st_size  # no file grows beyond it: the journal's segment meets it first

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit // 8, limit // 8))

    # Bytecode that is cut off by the limit would be read by others.
    full = selftaught("sample", room, preexec_fn=fill, env=environment(PYTHONDONTWRITEBYTECODE="1"))
    assert full.returncode == 1, full.stderr
    assert "store.duckdb" in full.stderr
    assert "run" in full.stderr
    assert "Traceback" not in full.stderr
    seen = len(lab.seen()["requests"])
    kept = {row["id"] for row in attempts(room)}
    assert seen - 8 <= len(kept) <= seen
    again = selftaught("sample", room)
    assert again.returncode == 0, again.stderr
    rows = attempts(room)
    assert kept <= {row["id"] for row in rows}
    assert len({row["key"] for row in rows}) == len(rows) == 400
    assert len(lab.seen()["requests"]) <= 400 + 8


@pytest.mark.parametrize("what", ["store.duckdb", "store.duckdb.lock", "store.duckdb.journal", "."])
def test_what_may_not_be_written_is_named(tmp_path: Path, what: str) -> None:
    scripted = Scripted(tmp_path / "sums")
    scripted.attempt(0)
    scripted.verify()
    scripted.attempt(1)
    scripted.store.journal.rotate()
    target = scripted.room.folder / what
    mode = target.stat().st_mode
    target.chmod(mode & ~0o222)
    done = selftaught("verify", scripted.room.folder, preexec_fn=obey_permissions)
    target.chmod(mode)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert f"{scripted.room.folder}/{'store.duckdb' if what == '.' else what}" in done.stderr
    assert "ermission denied" in done.stderr
    assert "Traceback" not in done.stderr
    again = selftaught("verify", scripted.room.folder)
    assert again.returncode == 0, again.stderr
    assert scripted.store.sql("SELECT count(*) FROM attempts").item() == 2


def test_a_room_that_may_not_be_written_to_is_read_and_what_waits_in_its_journal_is_told(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums", keep="answer = 'pass'")
    scripted.attempt(0)
    scripted.export()
    scripted.attempt(1)
    scripted.attempt(2)
    scripted.store.journal.rotate()
    folder = scripted.room.folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    commands: list[tuple[int, str, list[str]]] = [
        (0, "exported", ["status"]),
        (0, '"attempts": 1', ["sql", "SELECT count(*) AS attempts FROM attempts", "--json"]),
        (0, "rows", ["audit"]),
        (2, "", ["report"]),  # it has no rounds
    ]
    with read_only(folder):
        for code, shown, (command, *more) in commands:
            done = selftaught(command, folder, *more, preexec_fn=obey_permissions)
            assert done.returncode == code, done.stderr
            assert shown in done.stdout
            assert f"{folder}/store.duckdb: may not be written to: 2 attempts wait in its journal" in done.stderr
            assert "Traceback" not in done.stderr
        refused = selftaught("verify", folder, preexec_fn=obey_permissions)
        assert refused.returncode == 1, refused.stderr
        assert "Permission denied" in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    done = selftaught("sql", folder, "SELECT count(*) AS attempts FROM attempts", "--json")
    assert '"attempts": 3' in done.stdout
    assert "wait" not in done.stderr


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write from a folder and all below it."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


WRITE = """
import json, sys, time
from pathlib import Path
from selftaught_builder.store import open_store
store = open_store(Path(sys.argv[1]), create=True)
number, end = 0, time.monotonic() + 60
with store.writer():
    while not Path(sys.argv[1] + ".enough").exists() and time.monotonic() < end:
        for _ in range(50 + number % 200):
            text = str(number) * 40
            row = {"id": f"{number}", "key": text, "try": 1, "run": "r", "round": 1, "question": text, "kind": "sampled"}
            row |= {"sample_index": 0, "prompt": f"p{number // 4}", "completion": text, "reasoning": "", "parameters": "{}"}
            row |= {"finish_reason": "stop", "endpoint": "e", "model": "m", "model_replied": "m", "weights": "w", "seed": 1}
            row |= {"provider": "{}", "latency": 1.0}
            store.journal.append({"table": "attempts", **row, "created_at": "2026-11-01T12:00:00+00:00"})
            number += 1
        store.commit_journal()
        time.sleep(0.02)
"""


@contextmanager
def busy_store(folder: Path) -> Iterator[Path]:
    """A store whose writer commits nearly without a pause, as no run does."""
    folder.mkdir()
    path = folder / "store.duckdb"
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], env=environment()) as writer:
        while not path.exists() or not open_store(path).sql("SELECT count(*) FROM attempts").item():
            assert writer.poll() is None
            time.sleep(0.02)
        try:
            yield path
        finally:
            path.with_name("store.duckdb.enough").touch()
    assert writer.returncode == 0


def held(store: Path) -> list[int]:
    """Return the numbers of a store's attempts in order, after a look at whether each row is as it was written."""
    rows = open_store(store).sql("SELECT id, key, question, completion FROM attempts ORDER BY id::INTEGER").rows()
    assert all(set(more) == {name * 40} for name, *more in rows)
    return [int(name) for name, *_ in rows]


def test_a_copy_taken_while_a_commit_writes_holds_right_rows_or_says_how_to_copy(tmp_path: Path) -> None:
    dice, copies = random.Random(0), []
    with busy_store(tmp_path / "busy") as store:
        for number in range(COPIES):
            time.sleep(dice.uniform(0, 0.1))
            copies.append(copy := tmp_path / f"copy-{number}")
            copy_slowly(store.parent, copy)
    told = []
    for copy in copies:
        try:
            numbers = held(copy / "store.duckdb")
        except StoreError as error:
            told.append(str(error))
        else:
            assert len(set(numbers)) == len(numbers)
    assert len(told) < COPIES
    assert all("copy it again while nobody writes to it" in text for text in told)


def copy_slowly(folder: Path, to: Path) -> None:
    """Copy a folder as `cp -r` does, file after file, though some are gone by their turn, from a slow disk."""
    (to / "store.duckdb.journal").mkdir(parents=True)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        with suppress(FileNotFoundError), file.open("rb") as source, (to / file.relative_to(folder)).open("wb") as copy:
            while block := source.read(2**18):
                copy.write(block)
                time.sleep(0.005)


def test_a_file_that_is_not_what_was_written_is_named_also_where_its_journal_is_replayed(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums")
    for number in range(200):
        scripted.attempt(number % 4, f"{number}")
    scripted.verify()
    scripted.attempt(0)
    journal = scripted.store.journal.rotate()[0]
    whole, waiting = scripted.store.path.read_bytes(), journal.read_bytes()
    told = []
    for start in range(BLOCKS_FROM, len(whole), BLOCK):
        scripted.store.path.write_bytes(whole[:start] + bytes(BLOCK) + whole[start + BLOCK :])
        journal.write_bytes(waiting)
        try:
            store = open_store(scripted.store.path)
            assert store.sql("SELECT completion FROM attempts ORDER BY sample_index").height == 201
        except StoreError as error:
            told.append(str(error))
    assert told
    assert all("copy it again while nobody writes to it" in text for text in told)


def test_a_copy_taken_while_a_reader_holds_the_store_open_is_whole(tmp_path: Path) -> None:
    with busy_store(tmp_path / "busy") as store:
        for number in range(5):
            before = max(held(store))
            with open_store(store).read():
                subprocess.run(["cp", "-r", store.parent, tmp_path / f"copy-{number}"], check=True)
            numbers = held(tmp_path / f"copy-{number}" / "store.duckdb")
            assert numbers == list(range(len(numbers)))
            assert numbers[-1] >= before


def test_of_two_verdicts_the_one_added_last_counts_though_the_clock_has_gone_back(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums")
    name = scripted.attempt(0)
    scripted.verify()
    newest = "SELECT answer FROM attempts_wide WHERE id = ?"
    before = scripted.store.sql(newest, [name]).item()
    other = "fail" if before == "pass" else "pass"
    with scripted.store.write() as connection:
        connection.execute(
            "INSERT INTO verdicts SELECT * REPLACE (? AS outcome, created_at - ? AS created_at) "
            "FROM verdicts WHERE attempt = ? AND verifier = 'answer'",
            [other, timedelta(days=1), name],
        )
    assert scripted.store.sql(newest, [name]).item() == other


LOCK = """
import resource, sys
from pathlib import Path
from selftaught_builder.store.lock import WriterLock
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
with WriterLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_full_disk_takes_the_writers_name_and_not_its_lock(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.duckdb", create=True)
    command = [sys.executable, "-c", LOCK, str(store.path)]
    env = environment(PYTHONDONTWRITEBYTECODE="1")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusyError, match="another process is writing"), store.writer():
            pass
        holder.communicate("")
    with store.writer():
        pass
