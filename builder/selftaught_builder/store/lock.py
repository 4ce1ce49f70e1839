"""One writer a store: a lock file that names who is writing.

DuckDB's own lock is held only while a group of rows is committed, so that readers can open the file between commits. This
lock is held for a whole run. The operating system lets go of it when the process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from selftaught_builder.common.errors import StoreBusyError, UnwritableError


class WriterLock:
    """Holds `FILE.lock`; a context manager.

    Raises:
        StoreBusyError: another process holds it; the message says which.
        UnwritableError: the folder takes no lock.
    """

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        self._file: int | None = None

    def __enter__(self) -> WriterLock:
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
                raise
        except BlockingIOError:
            raise StoreBusyError(f"{self.path}: {_who(self.path)}\n  Wait for it, or stop it first.") from None
        except OSError as error:
            raise UnwritableError(
                f"{self.path}: cannot be locked: {error.strerror}\n  The store must lie in a folder that can be written to."
            ) from None
        who = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with suppress(OSError):  # a full disk: then the lock holds without a name
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(who).encode(), 0)
        self._file = file
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def holder(store: Path) -> str | None:
    """Say who is writing to a store, None where nobody is; nothing is made or written."""
    path = store.with_name(store.name + ".lock")
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _who(path)
    finally:
        os.close(file)
    return None


def _who(path: Path) -> str:
    try:
        who = json.loads(path.read_text())
        return (
            f"`{who['command']}` (process {who['pid']} on {who['host']}, since {who['since']}) is writing to this store"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another process is writing to this store"
