"""The thread that commits the journal to the tables while requests are under way."""

from __future__ import annotations

import threading
import time

from selftaught_builder.common.errors import SelftaughtError, StoreBusyError
from selftaught_builder.store import Store

# Seconds between commits: some times what the last one took, for the rest of the time belongs to readers; but never so
# many that what a reader sees is five seconds old.
COMMIT_EVERY, COMMIT_EVERY_AT_MOST = 1.0, 2.5
COMMIT_REST = 5.0
COMMIT_PATIENCE = 5.0


class Committer(threading.Thread):
    """Moves the journal into the tables, in the background. A reader that holds the file open only delays it.

    Args:
        store: the caller holds its writer lock.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(name="committer", daemon=True)
        self.store = store
        self._done = threading.Event()
        self._error: Exception | None = None

    def run(self) -> None:
        """Commit until told to finish."""
        pause = COMMIT_EVERY
        while not self._done.wait(pause):
            started = time.monotonic()
            try:
                self.store.commit_journal(patience=COMMIT_PATIENCE)
            except StoreBusyError:
                pause = COMMIT_EVERY
                continue
            except SelftaughtError as error:
                self._error = error  # the disk is full, say; the journal's own error stops the run when it cannot go on
                return
            pause = pause_after(time.monotonic() - started)

    def finish(self) -> None:
        """Stop, and commit what is left; raises what a commit raised."""
        self._done.set()
        self.join()
        if self._error:
            raise self._error
        self.store.commit_journal()


def pause_after(seconds: float) -> float:
    """Return the seconds between a commit that took so long and the next."""
    return min(max(COMMIT_EVERY, COMMIT_REST * seconds), COMMIT_EVERY_AT_MOST)
