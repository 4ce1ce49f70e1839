"""A verifier that breaks is named with what happened, when it has run and in `status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught_builder.scope.scope import Scope
from selftaught_builder.verification import broken_verifiers, versions_of
from support.command import selftaught
from support.stages import verify_room
from support.stores import Scripted
from support.watching import Noting

CHECKS = """
from selftaught_verifiers import Outcome, Verdict, row_verifier

@row_verifier("no_apology", version="1")
def no_apology(question, rationale):
    if "sorry" in rationale.completion:
        raise ValueError("an apology \x1b[31m")
    if "late" in rationale.completion:
        raise KeyError("late")
    if "none" in rationale.completion:
        return Verdict(Outcome.UNSCORABLE, "nothing to look at")
    return Verdict(Outcome.PASS)
"""


@pytest.fixture
def made(tmp_path: Path) -> Scripted:
    """A room with a verifier of its own, and completions that break it in two ways."""
    own = {"verify": ["answer", "hint_leak", "no_apology"], "verifiers": {"no_apology": {"file": "checks.py"}}}
    made = Scripted(tmp_path / "sums", **own, keep="answer = 'pass'")
    (made.room.folder / "checks.py").write_text(CHECKS)
    for text in ("sorry", "so sorry", "too late", "none at all", "The answer is 5."):
        made.attempt(0, text)
    made.store.commit_journal()
    return made


def test_it_is_noted_with_its_most_frequent_reason(made: Scripted) -> None:
    hearing = Noting()
    verify_room(made.room, hearing)
    [line] = [note for note in hearing.notes if note.startswith("no_apology")]
    assert line == "no_apology: 3 of 5 unscorable: ValueError: an apology \x1b[31m (the most frequent of 2 reasons)"
    [broken] = broken_verifiers(made.store, versions_of(made.room.recipe), made.scope)
    assert (broken.verifier, broken.attempts, broken.broken, broken.reasons) == ("no_apology", 5, 3, 2)
    assert broken_verifiers(made.store, versions_of(made.room.recipe), Scope("another run")) == []


def test_a_mended_verifier_is_not_named_any_more(made: Scripted) -> None:
    made.verify()
    (made.room.folder / "checks.py").write_text(CHECKS.replace("raise", "return Verdict(Outcome.FAIL)  #"))
    assert broken_verifiers(made.store, versions_of(made.room.recipe), made.scope) == []


def test_status_names_it(made: Scripted) -> None:
    made.verify()
    done = selftaught("status", made.room.folder)
    assert (
        "no_apology: 3 of 5 unscorable: ValueError: an apology \\x1b[31m (the most frequent of 2 reasons)"
        in done.stdout
    )
