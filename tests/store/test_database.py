from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from selftaught_builder.common.errors import InputError, SelftaughtError, StoreBusyError, StoreError
from selftaught_builder.store import Store, open_store, schema
from support.command import environment, selftaught
from support.stores import Scripted

TESTS = Path(__file__).parents[1]
KNOWN = schema.migrations()
NEWEST = max(KNOWN)


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path / "sums")


def made_at(path: Path, number: int, known: dict[int, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store as the code of an earlier day made it."""
    monkeypatch.setattr(schema, "migrations", lambda: {n: sql for n, sql in known.items() if n <= number})
    store = open_store(path, create=True)
    monkeypatch.setattr(schema, "migrations", lambda: known)
    return store


def described(store: Store) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM duckdb_columns() "
            "WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        rules = connection.execute("SELECT table_name, constraint_text FROM duckdb_constraints() ORDER BY ALL")
        views = connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL")
        return [*columns, *rules.fetchall(), *views.fetchall()]


def count(store: Store, table: str = "attempts") -> int:
    return store.sql(f"SELECT count(*) FROM {table}").item()


@contextmanager
def child(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program in a process of its own; it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env=environment(PYTHONPATH=str(TESTS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that a child prints."""
    assert process.stdout
    return process.stdout.readline()


# Schema.


@pytest.mark.parametrize("number", sorted(KNOWN))
def test_a_fresh_store_has_the_schema_of_a_migrated_one(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {**KNOWN, NEWEST + 1: "CREATE TABLE later (x INTEGER); ALTER TABLE labels ADD COLUMN y DATE"}
    old = made_at(tmp_path / "old.duckdb", number, known, monkeypatch)
    assert "later" not in str(described(old))
    migrated, fresh = open_store(old.path), open_store(tmp_path / "fresh.duckdb", create=True)
    assert described(migrated) == described(fresh)
    assert "later" in str(described(fresh))
    assert count(migrated, "migrations") == len(known)


def test_migrating_keeps_the_rows(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.attempt(0)
    scripted.verify()
    before = scripted.store.sql("SELECT * FROM attempts_wide").to_dicts()
    monkeypatch.setattr(schema, "migrations", lambda: {**KNOWN, NEWEST + 1: "CREATE TABLE later (x INTEGER)"})
    assert open_store(scripted.store.path).sql("SELECT * FROM attempts_wide").to_dicts() == before


def test_a_failing_migration_leaves_the_schema_as_it_was(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.attempt(0)
    scripted.verify()
    before = described(scripted.store)
    good, broken = "CREATE TABLE good (x INTEGER)", "CREATE TABLE half (x INTEGER); INSERT INTO nowhere VALUES (1)"
    monkeypatch.setattr(schema, "migrations", lambda: {**KNOWN, NEWEST + 1: broken})
    with pytest.raises(SelftaughtError, match="nowhere"):
        open_store(scripted.store.path)
    assert described(scripted.store) == before
    assert count(scripted.store) == 1
    monkeypatch.setattr(schema, "migrations", lambda: {**KNOWN, NEWEST + 1: good, NEWEST + 2: broken})
    with pytest.raises(SelftaughtError, match="nowhere"):
        open_store(scripted.store.path)
    assert count(scripted.store, "migrations") == NEWEST + 1, "each migration is a transaction of its own"
    assert count(scripted.store, "good") == 0


# What is no store.


def newer(path: Path) -> None:
    open_store(path, create=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, now())")


def foreign(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")


def cut(share: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        open_store(path, create=True)
        os.truncate(path, int(path.stat().st_size * share))

    return make


WRONG = {
    "missing": (lambda path: None, "no store here", "`selftaught run` makes one"),
    "newer": (newer, f"schema 999; this selftaught knows schemas up to {NEWEST}", "Upgrade selftaught"),
    "foreign": (foreign, "a DuckDB file, but no store", "Name another file"),
    "random bytes": (lambda path: path.write_bytes(bytes(range(256)) * 99), "cannot be opened", "restore a copy"),
    "empty file": (lambda path: path.write_bytes(b""), "cannot be opened", "restore a copy"),
    "no header": (cut(0.001), "cannot be opened", "restore a copy"),
    "half": (cut(0.5), "cannot be opened", "restore a copy"),
}


# The folder's name has "lock" in it: so has DuckDB's complaint about a busy file, which this is not.
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_store_is_an_input_error_with_a_mend(tmp_path: Path, wrong: str) -> None:
    make, message, mend = WRONG[wrong]
    path = tmp_path / "unlocked" / "store.duckdb"
    path.parent.mkdir()
    make(path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(StoreError) as caught:
        open_store(path)
    error = caught.value
    assert error.exit_code == 2
    assert (error.place, message in str(error), mend in str(error)) == (path, True, True), str(error)
    assert (path.read_bytes() if path.exists() else None) == left, "nothing is made or changed"


def test_damage_found_while_reading_is_the_stores_error_and_not_the_querys(scripted: Scripted) -> None:
    for number in range(400):
        scripted.attempt(0, os.urandom(2000).hex(), sample_index=number)
    scripted.verify()
    path = scripted.store.path
    whole = path.read_bytes()
    middle = slice(len(whole) // 4, -len(whole) // 8)
    path.write_bytes(whole[: middle.start] + bytes(len(whole[middle])) + whole[middle.stop :])
    with pytest.raises(StoreError, match="restore a copy"):
        open_store(path).sql("SELECT sum(length(completion)) FROM attempts")


# One writer, many readers.

HOLD = """
import sys
from pathlib import Path
from selftaught_builder.store.lock import WriterLock
with WriterLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_writes(scripted: Scripted) -> None:
    scripted.attempt(0)
    with child(HOLD, scripted.store.path) as holder:
        assert said(holder) == "held\n"
        with pytest.raises(StoreBusyError, match=f"process {holder.pid} on .* is writing to this store"):
            scripted.verify()
        done = selftaught("verify", scripted.room.folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"process {holder.pid} on" in done.stderr
        assert count(open_store(scripted.store.path)) == 0, "reading goes on, and leaves the journal to its owner"
    scripted.verify()  # the killed process's lock is gone with it
    assert count(scripted.store) == 1


def test_a_reader_who_keeps_the_file_open_delays_a_commit_and_loses_nothing(scripted: Scripted) -> None:
    scripted.attempt(0)
    program = (
        "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True);"
        "sys.stdin.read()"
    )
    with child(program, scripted.store.path) as reader, scripted.store.writer():
        assert said(reader) == "open\n"
        with pytest.raises(StoreBusyError, match="kept open elsewhere"):
            scripted.store.commit_journal(patience=0.1)
    scripted.verify()
    assert count(scripted.store) == 1


def test_readers_of_one_process_do_not_meet(scripted: Scripted) -> None:
    with scripted.store.read() as first, scripted.store.read() as second:
        for connection in (first, second):
            assert connection.execute("SELECT count(*) FROM questions").fetchall() == [(4,)]
            with pytest.raises(duckdb.Error, match=r"locked|disabled"):
                connection.execute("SET enable_external_access = true")
        with pytest.raises(StoreBusyError), scripted.store.write(patience=0.1):
            pass
    with scripted.store.write() as connection:
        connection.execute("DELETE FROM run_questions")


WRITE = """
import sys, time
from pathlib import Path
from support.stores import Scripted
scripted = Scripted(Path(sys.argv[1]))
with scripted.store.writer():
    print("writing", flush=True)
    while True:
        for _ in range(5):
            scripted.attempt(0)
        scripted.store.commit_journal()
        time.sleep(0.2)
"""


def counted_by_duckdb(path: Path) -> int:
    for _ in range(1000):
        try:
            with duckdb.connect(str(path), read_only=True) as connection:
                return connection.execute("SELECT count(*) FROM attempts").fetchall()[0][0]
        except duckdb.IOException:  # a commit holds the file for the moment
            time.sleep(0.01)
    raise AssertionError("no moment to read in")


def counted_by_command(room: Path) -> int:
    done = selftaught("sql", room, "SELECT count(*) AS n FROM attempts", "--json")
    assert done.returncode == 0, done.stderr
    return int("".join(filter(str.isdigit, done.stdout)))


def test_others_read_while_one_writes(tmp_path: Path) -> None:
    room = tmp_path / "sums"
    with child(WRITE, room) as writer:
        assert said(writer) == "writing\n"
        seen = [counted_by_duckdb(room / "store.duckdb")]
        while len(seen) < 5:  # each reading must come to see newer rows; a stuck one meets the test's time limit
            reader = counted_by_command if len(seen) % 2 else lambda room: counted_by_duckdb(room / "store.duckdb")
            now = reader(room)
            assert now >= seen[-1]
            assert writer.poll() is None
            if now > seen[-1]:
                seen.append(now)
    assert all(number % 5 == 0 for number in seen), "only whole commits are seen"


def test_opening_replays_a_leftover_journal_once(scripted: Scripted) -> None:
    ids = {scripted.attempt(question) for question in (0, 1, 2)}
    left = shutil.copytree(scripted.store.journal.folder, scripted.room.folder / "copy")
    again = open_store(scripted.store.path)
    assert set(again.sql("SELECT id FROM attempts")["id"]) == ids
    assert again.journal.segments() == []
    shutil.copytree(left, again.journal.folder, dirs_exist_ok=True)
    assert count(open_store(scripted.store.path)) == 3, "a crash between commit and drop doubles nothing"
    assert again.journal.segments() == []


def test_a_commit_that_fails_keeps_the_journal(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.attempt(0)
    scripted.attempt(1, kind="sampled", created_at="no time at all")
    with scripted.store.writer(), pytest.raises(SelftaughtError, match="cannot be written"):
        scripted.store.commit_journal()
    assert count(scripted.store) == 0
    assert len(scripted.store.journal.segments()) == 1


# Reading changes nothing.

FORBIDDEN = (
    "INSERT INTO runs VALUES ('x', 'x', now())",
    "UPDATE attempts SET completion = ''",
    "DELETE FROM attempts",
    "DROP TABLE attempts",
    "CREATE TABLE mine (x INTEGER)",
    "SELECT 1; DROP TABLE attempts",
    "ATTACH 'other.duckdb'",
    "ATTACH ':memory:' AS other",
    "COPY attempts TO 'stolen.csv'",
    "COPY (SELECT 1) TO 'stolen.parquet' (FORMAT parquet)",
    "EXPORT DATABASE 'stolen'",
    "FROM read_csv('questions.jsonl')",
    "FROM read_text('recipe.yaml')",
    "FROM 'questions.jsonl'",
    "FROM glob('*')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "PRAGMA enable_external_access = true",
    "SET memory_limit = '1MB'",
    "nonsense",
)


@pytest.mark.parametrize("query", FORBIDDEN)
def test_reading_cannot_write_or_leave_the_store(
    scripted: Scripted, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.attempt(0)
    scripted.verify()
    monkeypatch.chdir(scripted.room.folder)
    files = {path: path.read_bytes() for path in scripted.room.folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        scripted.store.sql(query)
    assert caught.value.exit_code == 2
    assert {path: path.read_bytes() for path in scripted.room.folder.rglob("*") if path.is_file()} == files


# Full disks.


def fill(scripted: Scripted, attempts: int) -> None:
    """Leave a journal that needs more room in the tables than there is."""
    for number in range(attempts):
        scripted.attempt(0, sample_index=number, provider=f'"{os.urandom(100_000).hex()}"')


def check_full_then_mended(scripted: Scripted, done: subprocess.CompletedProcess[str], attempts: int) -> None:
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "cannot be written" in done.stderr
    assert "run again" in done.stderr
    assert "Traceback" not in done.stderr
    again = selftaught("verify", scripted.room.folder)
    assert again.returncode == 0, again.stderr
    assert count(scripted.store) == attempts
    assert count(scripted.store, "verdicts") == 3 * attempts


def test_a_full_disk_ends_the_work_and_loses_nothing(scripted: Scripted) -> None:
    scripted.attempt(1)
    scripted.verify()
    fill(scripted, 40)
    limit = scripted.store.path.stat().st_size + 4096
    before = scripted.store.sql("SELECT * FROM attempts").to_dicts()
    done = selftaught(
        "verify",
        scripted.room.folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert scripted.store.sql("SELECT * FROM attempts").to_dicts() == before, "what was committed is intact"
    check_full_then_mended(scripted, done, 41)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of 16 MB can be mounted only by a privileged user")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_really_full_disk_does_the_same(small_disk: Path) -> None:
    scripted = Scripted(small_disk / "sums")
    fill(scripted, 15)
    room = shutil.disk_usage(small_disk).free - 65536
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(room))
    done = selftaught("verify", scripted.room.folder)
    assert count(Store(scripted.store.path)) == 0
    ballast.unlink()
    check_full_then_mended(scripted, done, 15)


# Copies and links.


def test_a_segment_that_stands_twice_in_the_journal_doubles_nothing(scripted: Scripted) -> None:
    scripted.attempt(0)
    (segment,) = scripted.store.journal.rotate()
    shutil.copy(segment, segment.with_name("00000009.jsonl"))
    scripted.verify()
    assert (count(scripted.store), count(scripted.store, "prompts")) == (1, 1)


def test_a_foreign_file_in_the_journals_folder_is_left_alone(scripted: Scripted) -> None:
    notes = scripted.store.journal.folder / "notes.jsonl"
    notes.parent.mkdir(exist_ok=True)
    notes.write_text("mine")
    scripted.attempt(0)
    scripted.verify()
    assert (count(scripted.store), notes.read_text()) == (1, "mine")


def test_a_link_to_a_store_has_the_stores_own_lock_and_journal(scripted: Scripted) -> None:
    link = scripted.room.folder / "link.duckdb"
    link.symlink_to(scripted.store.path.name)
    linked = open_store(link)
    with scripted.store.writer(), pytest.raises(StoreBusyError), linked.writer():
        pass
    assert linked.journal.folder == scripted.store.journal.folder


def test_a_folder_that_takes_no_lock_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "store.duckdb.lock").mkdir()
    with pytest.raises(SelftaughtError, match=r"cannot be locked.*\n.*can be written to"):
        open_store(tmp_path / "store.duckdb", create=True)


def test_a_column_that_polars_cannot_hold_is_an_input_error(scripted: Scripted) -> None:
    with pytest.raises(InputError, match="Cast it"):
        scripted.store.sql("SELECT INTERVAL 1 MONTH AS x")


def test_one_question_at_a_time(scripted: Scripted) -> None:
    with pytest.raises(InputError, match="more than one statement"):
        scripted.store.sql("SELECT 1; SELECT 2")
