from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.store.journal import Journal, JournalError, read_segment

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
RECORD = st.dictionaries(TEXT, TEXT | st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FINITE)
SMALL = [{"table": "attempts", "id": f"{number}", "completion": "x" * number + "\n(é)"} for number in range(4)]
TEXTS = {
    "NUL": "a\0b",
    "emoji": "😀" * 9,
    "cleaned surrogate": "\ud83d".encode("utf-8", "replace").decode(),
    "line ends": "a\nb\r\nc\u2028d\x85e\x0b",
    "a journal line": '00000000 {"table": "attempts"}\n',
    "1 MB": "x" * 1_000_000,
}


def records_in(journal: Journal) -> list[dict[str, Any]]:
    return [record for segment in journal.segments() for block in read_segment(segment) for record in block]


def read(segment: Path) -> list[dict[str, Any]]:
    return [record for block in read_segment(segment) for record in block]


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def segment(journal: Journal) -> Path:
    for record in SMALL:
        journal.append(record)
    return journal.rotate()[0]


@given(records=st.lists(RECORD, max_size=8), cuts=st.sets(st.integers(0, 8)))
@settings(deadline=None)
def test_any_records_survive_in_order(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], cuts: set[int]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal"))
    for number, record in enumerate(records):
        if number in cuts:
            journal.rotate()
        journal.append(record)
    assert records_in(journal) == records
    journal.close()


def test_a_record_is_in_the_file_when_append_returns(journal: Journal) -> None:
    for number, record in enumerate(SMALL, 1):
        journal.append(record)
        assert records_in(journal) == SMALL[:number]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hard_texts_come_back_as_they_were(journal: Journal, text: str) -> None:
    journal.append({"completion": text})
    journal.append({"completion": "the next"})
    assert records_in(journal) == [{"completion": text}, {"completion": "the next"}]


def test_a_torn_tail_loses_only_the_line_it_tears(segment: Path) -> None:
    whole = segment.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        segment.write_bytes(whole[:length])
        assert read(segment) == SMALL[: sum(end <= length for end in ends)], f"torn at byte {length}"


def test_a_flipped_byte_loses_only_its_line(segment: Path) -> None:
    whole = segment.read_bytes()
    for at, byte in enumerate(whole):
        if byte == ord("\n"):
            continue
        segment.write_bytes(whole[:at] + bytes([byte ^ 0x01]) + whole[at + 1 :])
        line = whole[:at].count(b"\n")
        assert read(segment) == SMALL[:line] + SMALL[line + 1 :], f"byte {at} flipped"


def test_a_flipped_line_end_loses_no_more_than_the_two_lines_it_parted(segment: Path) -> None:
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"\n", b"\x0b", 1))
    assert read(segment) == SMALL[2:]


def test_a_torn_segment_is_left_as_it_is_and_a_new_one_begun(tmp_path: Path, segment: Path) -> None:
    torn = segment.read_bytes()[:-3]
    segment.write_bytes(torn)
    again = Journal(tmp_path / "journal")
    again.append({"id": "new"})
    assert segment.read_bytes() == torn
    assert records_in(again) == [*SMALL[:-1], {"id": "new"}]
    again.close()


def test_rotating_and_dropping_twice_is_harmless(journal: Journal) -> None:
    assert journal.rotate() == []
    journal.append(SMALL[0])
    first = journal.rotate()
    assert journal.rotate() == first
    journal.append(SMALL[1])
    assert records_in(journal) == SMALL[:2]
    journal.drop(first[0])
    journal.drop(first[0])
    assert records_in(journal) == SMALL[1:2]


def test_blocks_are_of_the_size_asked_for(segment: Path) -> None:
    assert [len(block) for block in read_segment(segment, block=3)] == [3, 1]


def test_threads_that_append_while_one_rotates_lose_nothing(journal: Journal) -> None:
    taken: list[dict[str, Any]] = []
    done = threading.Event()

    def append(worker: int) -> None:
        for number in range(300):
            journal.append({"id": f"{worker}.{number}"})

    def rotate() -> None:
        while not done.is_set():
            take()

    def take() -> None:
        for segment in journal.rotate():
            taken.extend(read(segment))
            journal.drop(segment)

    workers = [threading.Thread(target=append, args=(worker,)) for worker in range(4)]
    rotating = threading.Thread(target=rotate)
    for thread in (*workers, rotating):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    rotating.join()
    take()
    assert sorted(record["id"] for record in taken) == sorted(f"{w}.{n}" for w in range(4) for n in range(300))
    assert [r["id"] for r in taken if r["id"].startswith("0.")] == [f"0.{n}" for n in range(300)]


@pytest.mark.parametrize(("policy", "syncs"), [("always", 3), ("group", 1), ("never", 0)])
def test_the_policy_says_when_the_disk_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Any, syncs: int
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    journal = Journal(tmp_path / "journal", policy)
    for record in SMALL[:3]:
        journal.append(record)
    journal.rotate()
    assert len(synced) == syncs
    assert records_in(journal) == SMALL[:3]


def test_a_short_write_is_taken_back_and_said(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append(SMALL[0])
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, line: real(file, line[:5]))
    with pytest.raises(JournalError, match=r"no space left.*\n.*written before is safe"):
        journal.append(SMALL[1])
    monkeypatch.undo()
    journal.append(SMALL[2])
    assert records_in(journal) == [SMALL[0], SMALL[2]]


def test_a_folder_that_takes_no_file_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file stands here")
    with pytest.raises(JournalError, match=r"cannot write the journal.*\n.*run the same command again"):
        Journal(tmp_path / "journal").append(SMALL[0])
