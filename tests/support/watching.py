"""A watcher of stages for tests."""

from __future__ import annotations

from selftaught_builder.stages.watcher import Silent


class Noting(Silent):
    """Keeps what a person would be told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)
