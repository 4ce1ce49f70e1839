"""What DuckDB's refusals mean: each is made to happen, so that another DuckDB that words it otherwise fails here."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from selftaught_builder.common.errors import StoreBusyError, StoreError, UnwritableError
from selftaught_builder.store.connection import LOCKED_DOWN, connect, open_error, write_error
from selftaught_builder.store.refusals import (
    is_busy,
    is_damage,
    is_damaged_log,
    is_interruption,
    is_unwritable,
    unknown_column,
)
from support.command import environment

# A folder's name says nothing about what went wrong in it.
FOLDER = "workspace, could not set lock on file, permission denied, corrupt, quota exceeded"
NOTHING = {"busy": False, "damage": False, "damaged_log": False, "unwritable": False}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / FOLDER
    folder.mkdir()
    with duckdb.connect(folder / "store.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT i, repeat('x', 40) || hash(i) AS s FROM range(40000) r(i)")
    return folder / "store.duckdb"


def refusal(path: Path, query: str = "SELECT count(i), max(s) FROM t", *, read_only: bool = True) -> duckdb.Error:
    """Return what DuckDB refuses with when the file is opened and asked."""
    config = LOCKED_DOWN if read_only else {}
    with pytest.raises(duckdb.Error) as caught, duckdb.connect(path, read_only=read_only, config=config) as connection:
        connection.execute(query).fetchall()
    return caught.value


def told(error: duckdb.Error) -> dict[str, bool]:
    return {
        "busy": is_busy(error),
        "damage": is_damage(error),
        "damaged_log": is_damaged_log(error),
        "unwritable": is_unwritable(error),
    }


def run(source: str, *arguments: object) -> str:
    """Run a Python program; return what it wrote."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def held_elsewhere(path: Path) -> Iterator[None]:
    source = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", source, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.kill()


def test_a_file_that_another_process_holds_is_busy(path: Path) -> None:
    with held_elsewhere(path):
        error = refusal(path)
        assert isinstance(error, duckdb.IOException)
        assert is_busy(error)
        for read_only in (True, False):
            with pytest.raises(StoreBusyError, match="kept open elsewhere"):
                connect(path, read_only=read_only, patience=0)


def test_a_file_that_this_process_has_open_otherwise_is_busy(path: Path) -> None:
    with duckdb.connect(path, read_only=True, config=LOCKED_DOWN):
        error = refusal(path, read_only=False)
        assert isinstance(error, duckdb.ConnectionException)
        assert told(error) == {**NOTHING, "busy": True}
        with pytest.raises(StoreBusyError):
            connect(path, read_only=False, patience=0)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS store")
        error = refusal(path)
        assert isinstance(error, duckdb.ResourceInUseException)
        assert told(error) == {**NOTHING, "busy": True}
        with pytest.raises(StoreBusyError):
            connect(path, read_only=True, patience=0)


@pytest.mark.parametrize("damage", ["no database", "cut", "zeros within"])
def test_a_file_with_other_bytes_is_damaged(path: Path, damage: str) -> None:
    whole = path.read_bytes()
    third = len(whole) // 3
    of = {
        "no database": b"\1" * 9999,
        "cut": whole[:third],
        "zeros within": whole[:third] + bytes(third) + whole[2 * third :],
    }
    path.write_bytes(of[damage])
    error = refusal(path)
    assert told(error) == {**NOTHING, "damage": True}
    assert isinstance(write_error(error, path), StoreError)
    assert "restore a copy" in str(open_error(error, path))


def test_a_damaged_log_is_told_from_a_damaged_file(path: Path) -> None:
    run(
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('PRAGMA disable_checkpoint_on_shutdown')\n"
        "connection.execute(\"SET checkpoint_threshold = '1TB'\")\n"
        "connection.execute('INSERT INTO t SELECT i, hash(i) FROM range(2000) r(i)')\n"
        "os._exit(0)\n",
        path,
    )
    log = path.with_name(path.name + ".wal")
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2] + bytes(64) + whole[len(whole) // 2 + 64 :])
    error = refusal(path)
    assert told(error) == {**NOTHING, "damaged_log": True}


FULL = """
import resource, signal, sys
import duckdb
from selftaught_builder.store.refusals import is_damage, is_damaged_log, is_unwritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with duckdb.connect() as connection:
    connection.execute(f"ATTACH '{sys.argv[1]}' AS store")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, resource.RLIM_INFINITY))
    try:
        connection.execute("INSERT INTO store.t SELECT i, repeat('y', 300) || random() FROM range(100000) r(i)")
    except duckdb.Error as error:
        print(is_unwritable(error), is_damaged_log(error), error)
"""


def test_a_file_that_takes_no_more_is_unwritable(path: Path) -> None:
    assert run(FULL, path).startswith("True False")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_whatever_the_system_says_of_a_disk_that_takes_no_more_is_known(path: Path, number: int) -> None:
    with pytest.raises(duckdb.IOException) as caught:
        duckdb.connect(path.parent / "nowhere" / "store.duckdb")
    reason = os.strerror(errno.ENOENT)
    assert str(caught.value).endswith(f": {reason}")  # this is how DuckDB passes it on
    assert not is_unwritable(caught.value)
    error = duckdb.IOException(str(caught.value).replace(reason, os.strerror(number)))
    assert isinstance(write_error(error, path), UnwritableError)
    assert isinstance(open_error(error, path), UnwritableError)


@pytest.mark.parametrize(
    "query",
    [
        *("SELECT nothing FROM t", "SELECT 'a'::INTEGER", "SELEC 1", "FROM nowhere", "DELETE FROM t"),
        *("SELECT error('Corrupt database file')", "FROM read_csv('/etc/passwd')", "SELECT error('Could not write')"),
    ],
)
def test_what_is_wrong_with_a_query_is_nothing_of_the_file(path: Path, query: str) -> None:
    error = refusal(path, query)
    assert not is_busy(error)
    assert not is_damage(error)
    assert not is_damaged_log(error)


INTERRUPTED = """
import os, signal, threading
import duckdb
from selftaught_builder.store import is_interruption
signal.signal(signal.SIGINT, signal.default_int_handler)
duckdb.execute("SET threads = 1")  # with more of them DuckDB may hear of it late
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    duckdb.execute("SELECT count(*) FROM range(1000000000000) a(i) WHERE i % 7 = i % 11").fetchall()
except Exception as error:
    print(is_interruption(error))
"""


def test_an_interrupted_query_is_known() -> None:
    assert run(INTERRUPTED) == "True\n"
    assert not is_interruption(RuntimeError("no way"))


def test_an_unknown_column_is_named(path: Path) -> None:
    with duckdb.connect(path, read_only=True, config=LOCKED_DOWN) as connection:
        asked = {query: unknown_column(connection, f"SELECT 1 FROM t WHERE {query}") for query in (
            *("i > 0", "nothing > 0", 'i > 0 AND "a b" IS NULL', "i IN (SELECT x FROM t)"),
            *("t.nothing > 0", "count(*) > 1", "i + [1] > 2", "nothing(i)"),
        )}  # fmt: skip
    found = {query: column for query, column in asked.items() if column is not None}
    assert found == {"nothing > 0": "nothing", 'i > 0 AND "a b" IS NULL': "a b", "i IN (SELECT x FROM t)": "x"}
