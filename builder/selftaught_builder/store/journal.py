"""The journal: where a completion is safe the moment it arrives.

One record is one line, `crc32 json` and a line feed, written by a single `write(2)` to a file opened for appending: once
`append` returns, the record survives the death of this process. Records reach the tables in groups: `rotate` closes the current
segment, the store commits closed segments in one transaction each, and `drop` removes what is committed. Committing a
segment twice is harmless (rows are identified by their ids), so a crash between commit and drop loses and doubles nothing.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import orjson

from selftaught_builder.common.errors import UnwritableError

Fsync = Literal["always", "group", "never"]
"""When the journal reaches the disk itself. Whichever it is, a killed process loses nothing; this is about power cuts:
`always` syncs each record (safe, slow), `group` syncs with each commit (about a second can be lost), `never` leaves it to
the operating system."""

_LOG = logging.getLogger(__name__)

SEGMENT = "{:08d}.jsonl"
SEGMENTS = "[0-9]" * 8 + ".jsonl"


class JournalError(UnwritableError):
    """The journal cannot be written: the disk is full or read-only. What was written before is safe."""


class Journal:
    """An append-only directory of segments beside the store.

    Args:
        folder: where the segments lie; made when the first record is appended.
        fsync: see `Fsync`.
    """

    def __init__(self, folder: Path, fsync: Fsync = "group") -> None:
        self.folder, self.fsync = folder, fsync
        self._file: int | None = None
        self._end = 0
        self._lock = threading.Lock()  # one thread appends, another rotates

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record; when this returns, the record outlives the process.

        Raises:
            JournalError: disk full, read-only, or a short write; the torn line is taken back.
        """
        body = orjson.dumps(record)
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        try:
            with self._lock:
                self._write(line)
        except OSError as error:
            raise self._unwritable(error) from error

    def rotate(self) -> list[Path]:
        """Close the current segment and return all closed segments, oldest first.

        Raises:
            JournalError: the disk did not take it.
        """
        with self._lock:  # listed under the lock: a segment opened after it is not closed
            closed, self._file = self._file, None
            segments = self.segments()
        if closed is not None:
            try:
                if self.fsync == "group":
                    os.fdatasync(closed)
            except OSError as error:
                raise self._unwritable(error) from error
            finally:
                os.close(closed)
        return segments

    def segments(self) -> list[Path]:
        """Return the segment files on disk, oldest first."""
        return sorted(self.folder.glob(SEGMENTS)) if self.folder.is_dir() else []

    def waiting(self) -> list[str]:
        """Return the ids of the attempts in the segments on disk; nothing is changed, and what is damaged is passed over."""
        found: list[str] = []
        for segment in self.segments():
            with suppress(FileNotFoundError), segment.open("rb") as lines:  # committed and dropped meanwhile
                records = filter(None, map(_parse, lines))
                found += [record["id"] for record in records if record["table"] == "attempts"]
        return found

    def drop(self, segment: Path) -> None:
        """Remove a committed segment."""
        segment.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the current segment."""
        self.rotate()

    def _unwritable(self, error: OSError) -> JournalError:
        return JournalError(
            f"{self.folder}: cannot write the journal: {error.strerror}\n"
            "  Everything written before is safe. Make room, then run the same command again."
        )

    def _write(self, line: bytes) -> None:
        if self._file is None:
            self._file, self._end = self._open_segment(), 0
        written = os.write(self._file, line)
        if written != len(line):
            os.ftruncate(self._file, self._end)
            raise OSError(errno.ENOSPC, "no space left for the whole record")
        self._end += written
        if self.fsync == "always":
            os.fdatasync(self._file)

    def _open_segment(self) -> int:
        self.folder.mkdir(exist_ok=True)
        last = self.segments()
        number = int(last[-1].stem) + 1 if last else 1
        path = self.folder / SEGMENT.format(number)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)


def read_segment(segment: Path, block: int = 500) -> Iterator[list[dict[str, Any]]]:
    """Yield a segment's records in blocks; what is no record is passed over, set aside (`.damaged`) and logged.

    A killed process tears at most its last line, whose `append` had not returned. A power cut can leave anything in what was
    not synced: a shorter file, zeros, other bytes.
    """
    records: list[dict[str, Any]] = []
    damaged: list[bytes] = []
    with segment.open("rb") as lines:
        for line in lines:
            record = _parse(line)
            if record is None:
                damaged.append(line)
                continue
            if line.startswith(b"\0"):
                damaged.append(line[: -len(line.lstrip(b"\0"))])
            records.append(record)
            if len(records) == block:
                yield records
                records = []
    if records:
        yield records
    if damaged:
        _set_aside(segment, damaged)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the record in a line, None where it is not whole. Zeros before it are of a power cut."""
    checksum, _, body = line.lstrip(b"\0").rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _set_aside(segment: Path, damaged: list[bytes]) -> None:
    aside = segment.with_suffix(".damaged")
    with aside.open("ab") as file:
        file.writelines(damaged)
    _LOG.warning(
        "%s: %d bytes were torn or damaged and are set aside in %s; whole records are kept, what is missing is asked for again",
        segment,
        sum(map(len, damaged)),
        aside.name,
    )
