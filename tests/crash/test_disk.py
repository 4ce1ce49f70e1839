"""Disks that are full or not to be written, copies, and clocks: a plain error that names the file, and nothing lost."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from subprocess import DEVNULL

import pytest

from faults.labs import RunningLab, running_lab
from selftaught_builder.errors import StoreBusyError
from selftaught_builder.store import open_store
from support.command import environment, selftaught
from support.rooms import attempts, start_cli, write_room
from support.stores import Scripted

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
    room = write_room(tmp_path / "room", lab.url, questions=200, sample={"k": 2, "concurrency": 4})
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


def test_copies_taken_while_a_run_writes_open_and_hold_what_was_there(lab: RunningLab, tmp_path: Path) -> None:
    room = write_room(tmp_path / "room", lab.url, questions=500, sample={"k": 4, "concurrency": 4})
    lab.script()
    copies: list[tuple[set[str], Path]] = []
    with start_cli("sample", room, stdout=DEVNULL, stderr=DEVNULL, env=environment()) as run:
        while run.poll() is None and len(copies) < 6:
            if not list((room / "store.duckdb.journal").glob("*.jsonl")):
                continue
            before = {row["id"] for row in attempts(copies[-1][1])} if copies else set()
            copy = tmp_path / f"copy-{len(copies)}"
            copy.mkdir()
            for name in ("recipe.yaml", "questions.jsonl", "store.duckdb", "store.duckdb.wal"):
                if (room / name).exists():
                    shutil.copy(room / name, copy / name)
            copies.append((before, copy))
        run.kill()
    assert copies
    for before, copy in copies:
        held = attempts(copy)
        assert len({row["id"] for row in held}) == len(held)
        assert before <= {row["id"] for row in held}


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
