"""A power cut leaves files shorter, zeroed or garbled: the store opens, keeps what is whole, and says what it lost."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.labs import RunningLab, running_lab
from selftaught_builder.common.keys import prompt_hash
from selftaught_builder.room.room import open_room
from selftaught_builder.store import open_store
from selftaught_builder.store.database import Store
from selftaught_builder.store.journal import Journal, read_segment
from support.command import environment
from support.rooms import attempts, server_room
from support.stages import sample
from support.stores import Scripted

RECORDS = [{"table": "attempts", "id": f"{number}", "completion": "x" * number} for number in range(5)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal")
    for record in RECORDS:
        journal.append(record)
    return journal.rotate()[0].read_bytes()


def read(segment: Path) -> list[dict]:
    return [record for block in read_segment(segment) for record in block]


@given(data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whole_records_before_a_garbled_tail_are_kept_and_the_tail_is_set_aside(
    tmp_path: Path, whole: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(whole)))
    tail = data.draw(st.binary(max_size=200) | st.integers(0, 5000).map(bytes))
    segment, aside = tmp_path / "00000001.jsonl", tmp_path / "00000001.damaged"
    aside.unlink(missing_ok=True)
    segment.write_bytes(whole[:length] + tail)
    before = whole[:length].count(b"\n")
    found = read(segment)
    assert found[:before] == RECORDS[:before]
    assert found[before:] in ([], RECORDS[before : before + 1])  # a tail may happen to be the line's end
    if found[before:]:
        return
    left = (whole[:length] + tail)[whole[:length].rfind(b"\n") + 1 :]
    assert (aside.read_bytes() if aside.exists() else b"") == left


@pytest.mark.parametrize("at", range(len(RECORDS)))
def test_zeros_before_a_record_cost_nothing_but_themselves(tmp_path: Path, whole: bytes, at: int) -> None:
    lines = whole.splitlines(keepends=True)
    segment = tmp_path / "00000001.jsonl"
    segment.write_bytes(b"".join(lines[:at]) + bytes(4096) + b"".join(lines[at:]))
    assert read(segment) == RECORDS
    assert segment.with_suffix(".damaged").read_bytes() == bytes(4096)


def test_a_line_with_the_right_checksum_that_is_no_record_is_set_aside(tmp_path: Path, whole: bytes) -> None:
    segment = tmp_path / "00000001.jsonl"
    segment.write_bytes(b"00000000 \n" + whole)
    assert read(segment) == RECORDS


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running_lab() as lab:
        yield lab


DAMAGES: dict[str, Callable[[list[Path]], int]] = {}


def damage(function: Callable[[list[Path]], int]) -> Callable[[list[Path]], int]:
    """Register what befalls the segments of a journal; it returns how many records that costs."""
    DAMAGES[function.__name__.replace("_", " ")] = function
    return function


@damage
def a_segment_is_missing(segments: list[Path]) -> int:
    lost = segments[1].read_bytes().count(b'"table":"attempts"')
    segments[1].unlink()
    return lost


@damage
def a_segment_is_empty(segments: list[Path]) -> int:
    lost = segments[1].read_bytes().count(b'"table":"attempts"')
    segments[1].write_bytes(b"")
    return lost


@damage
def a_segment_is_zeros(segments: list[Path]) -> int:
    lost = segments[0].read_bytes().count(b'"table":"attempts"')
    segments[0].write_bytes(bytes(segments[0].stat().st_size))
    return lost


@damage
def a_segment_ends_in_half_a_record(segments: list[Path]) -> int:
    segments[-1].write_bytes(segments[-1].read_bytes()[:-9])
    return 1


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_journal_costs_only_what_is_damaged_and_running_again_completes(
    lab: RunningLab, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room = server_room(tmp_path / "room", lab.url, questions=9, sample={"k": 1, "concurrency": 1})
    lab.script()
    with monkeypatch.context() as patch:  # a run whose commits never come, and whose power is cut
        patch.setattr(Store, "commit_journal", lambda store, patience=0.0: 0)
        written = Journal.append
        count = 0

        def append(journal: Journal, record: dict) -> None:
            nonlocal count
            written(journal, record)
            count += record["table"] == "attempts"
            if record["table"] == "attempts" and count % 3 == 0:
                journal.rotate()

        patch.setattr(Journal, "append", append)
        sample(open_room(room))
    journal = Journal(room / "store.duckdb.journal")
    lost = DAMAGES[name](journal.segments())
    assert lost
    with caplog.at_level(logging.WARNING):
        assert len(attempts(room)) == 9 - lost
    assert journal.segments() == []
    if "missing" not in name and "empty" not in name:
        assert "set aside" in caplog.text
    again = sample(open_room(room))
    assert (again.tally.requests, again.reused) == (lost, 9 - lost)
    assert len({row["key"] for row in attempts(room)}) == len(attempts(room)) == 9
    assert open_room(room).store().sql(NAMELESS).item() == 0


def test_prompts_that_are_lost_while_their_attempts_stay_are_stored_again_and_nothing_is_asked(
    lab: RunningLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = server_room(tmp_path / "room", lab.url, questions=6, sample={"k": 3, "concurrency": 2})
    lab.script()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit_journal", lambda store, patience=0.0: 0)
        sample(open_room(room))
    [segment] = Journal(room / "store.duckdb.journal").segments()
    lines = segment.read_bytes().splitlines(keepends=True)
    lost = [line for line in lines if b'"table":"prompts"' in line][::2]
    segment.write_bytes(b"".join(bytes(len(line)) if line in lost else line for line in lines))
    store = open_room(room).store()
    assert store.sql(NAMELESS).item() == len(lost)
    again = sample(open_room(room))
    assert (again.tally.requests, again.reused) == (0, 18)
    assert store.sql(NAMELESS).item() == 0
    for name, style, messages in store.sql("SELECT hash, style, messages FROM prompts").rows():
        assert prompt_hash(style, json.loads(messages)) == name


NAMELESS = "SELECT count(DISTINCT prompt) FROM attempts WHERE prompt NOT IN (SELECT hash FROM prompts)"

COMMIT_AND_DIE = """
import os, sys
from pathlib import Path
from selftaught_builder.store.connection import connect
connection = connect(Path(sys.argv[1]), read_only=False, patience=5)
for labeller in ("first", "second"):
    connection.execute("BEGIN")
    connection.execute("INSERT INTO labels SELECT i::VARCHAR, ?, false, '', now() FROM range(3) t(i)", [labeller])
    connection.execute("COMMIT")
os._exit(1)
"""


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A store of two attempts whose writer died with two commits in DuckDB's log: its path, its bytes, the log's bytes."""
    scripted = Scripted(tmp_path_factory.mktemp("died") / "sums")
    scripted.attempt(0)
    scripted.attempt(1)
    scripted.verify()
    path = scripted.store.path
    subprocess.run([sys.executable, "-c", COMMIT_AND_DIE, path], env=environment(), check=False)
    return path, path.read_bytes(), log_of(path).read_bytes()


def log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def aside_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal.damaged")


def opened(died: tuple[Path, bytes, bytes], log: bytes) -> tuple[int, int]:
    """Return how many attempts and labels a store with such a log holds, once opened, and that it takes more."""
    path, database, _ = died
    aside_of(path).unlink(missing_ok=True)
    path.write_bytes(database)
    log_of(path).write_bytes(log)
    store = open_store(path)
    held = tuple(store.sql(f"SELECT count(*) FROM {table}").item() for table in ("attempts", "labels"))
    with store.write() as connection:
        connection.execute("INSERT INTO labels VALUES ('new', 'third', false, '', now())")
    assert store.sql("SELECT count(*) FROM labels").item() == held[1] + 1
    return held


def test_a_whole_log_is_replayed(died: tuple[Path, bytes, bytes]) -> None:
    assert opened(died, died[2]) == (2, 6)


@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_a_cut_log_costs_no_more_than_its_last_commits(died: tuple[Path, bytes, bytes], data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(died[2])))
    attempts, labels = opened(died, died[2][:length])
    assert attempts == 2
    assert labels in (0, 3, 6)


@pytest.mark.parametrize("length", [0, 1, 2, 9, None])
@given(data=st.data())
@settings(deadline=None, max_examples=6)
def test_a_log_that_ends_in_zeros_is_set_aside(
    died: tuple[Path, bytes, bytes], length: int | None, data: st.DataObject
) -> None:
    path, _, log = died
    length = data.draw(st.integers(0, len(log) - 1)) if length is None else length
    garbled = log[:length] + bytes(len(log) - length)
    attempts, labels = opened(died, garbled)
    assert attempts == 2
    assert labels in (0, 3, 6)
    assert not aside_of(path).exists() or aside_of(path).read_bytes() == garbled


def test_setting_a_log_aside_is_said(died: tuple[Path, bytes, bytes], caplog: pytest.LogCaptureFixture) -> None:
    log = died[2]
    with caplog.at_level(logging.WARNING):
        opened(died, log[:60] + os.urandom(len(log) - 60))
    assert "set aside as store.duckdb.wal.damaged" in caplog.text
