"""Finding a question by what a person calls it: also one that was never asked, and why it was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from selftaught_builder.common.errors import InputError, SelftaughtError
from selftaught_builder.questions import Question
from selftaught_builder.questions.held_out import HELD_OUT, LEAKS
from selftaught_builder.questions.load import load_questions, source_name
from selftaught_builder.questions.sources import is_remote
from selftaught_builder.room.room import Room
from selftaught_builder.store import Store

_PREFIX = 4
"""An attempt's id, or a question's hash, may be cut down to so many characters."""
_DIGITS = 9
"""A longer number is no row, but may be the beginning of a hash."""


@dataclass(frozen=True)
class Found:
    """A question that the store has: its hash, and the attempt's id where one was named."""

    question: str
    attempt: str = ""


@dataclass(frozen=True)
class Unasked:
    """A row of the source that the store has no question of.

    Attributes:
        row: its number in the source, from 1.
        standing: `rejected`, `held_out`, `beyond_limit` or `new`.
        reason: that in words.
        hash, id, text, gold: the question, where the source still tells it; else "".
    """

    row: int
    standing: str
    reason: str
    hash: str = ""
    id: str = ""
    text: str = ""
    gold: str = ""


def find(store: Store, room: Room, what: str) -> Found | Unasked:
    """Find a question.

    Args:
        store: the store.
        room: its run, and the source for what the store does not have.
        what: a question's id, its hash, its row number in the source, an attempt's key, as a dataset's rows name it, or its id,
            looked for in this order; of hash and attempt's id the beginning is enough.

    Raises:
        InputError: there is nothing of that name, or several.
    """
    if what != what.encode(errors="replace").decode():
        raise InputError("not UTF-8", place="audit why", mend="Name a question or an attempt.")
    for condition, problem in (("q.id = $what", "questions have this id"), ("q.hash = $what", "questions")):
        rows = _rows(store, _QUESTIONS.format(condition=condition), run=room.run, what=what)
        questions = [question for (question,) in rows]
        if len(questions) > 1:
            raise _several(what, problem, questions)
        if questions:
            return Found(questions[0])
    if what.isdecimal() and len(what) <= _DIGITS:
        found = _row(store, room, int(what))
        if isinstance(found, Unasked) and found.standing != "rejected":
            question = _read(room, lambda one: one.row == found.row)
            return _of(found, question) if question else found
        return found or _in_source(store, room, what)
    succeeded = _rows(store, "SELECT question, id FROM attempts WHERE key = $what AND error IS NULL", what=what)
    if succeeded:
        return Found(*succeeded[0])
    if len(what) >= _PREFIX:
        rows = _rows(store, _BEGINNING, what=what)
        exact = [row for row in rows if what in row]
        if len(exact or rows) > 1:
            raise _several(what, "attempts and questions begin so", [attempt or question for question, attempt in rows])
        if rows:
            return Found(*(exact or rows)[0])
    return _in_source(store, room, what)


_QUESTIONS = """
SELECT q.hash FROM questions q JOIN (
    SELECT question, 1 AS part FROM run_questions WHERE run = $run
    UNION ALL SELECT question, CASE held_out WHEN 'validate' THEN 2 ELSE 3 END FROM held_out_questions WHERE run = $run
) mine ON mine.question = q.hash
WHERE {condition} ORDER BY part, q.row_number
"""

_BEGINNING = """
SELECT question, id FROM attempts WHERE starts_with(id, $what)
UNION ALL SELECT hash, '' FROM questions WHERE starts_with(hash, $what)
"""


_ROW = """
SELECT r.source_rows, x.reason, x.detail FROM runs r
LEFT JOIN rejected_questions x ON x.run = r.id AND x.row_number = $row WHERE r.id = $run
"""


def _rows(store: Store, query: str, **named: object) -> list[tuple]:
    with store.read() as connection:
        return connection.execute(query, named).fetchall()


def _several(what: str, problem: str, candidates: Sequence[str]) -> InputError:
    shown = ", ".join(candidates[:5]) + (", …" if len(candidates) > 5 else "")
    return InputError(f"{len(candidates)} {problem}", place=f"audit why {what}", mend=f"Name one in full: {shown}.")


def _row(store: Store, room: Room, number: int) -> Found | Unasked | None:
    """What a row of the source became."""
    settings = room.recipe.questions
    place = {"row": number, "source": source_name(settings), "split": settings.split or ""}
    condition = "q.row_number = $row AND q.source = $source AND q.split = $split"
    found = _rows(store, _QUESTIONS.format(condition=condition), run=room.run, **place)
    ((source_rows, reason, detail),) = _rows(store, _ROW, run=room.run, row=number)
    if reason and reason != HELD_OUT:
        said = "a held-out question says the same" if reason == LEAKS else f"{reason}: {detail}".rstrip(": ")
        return Unasked(number, "rejected", f"rejected at the source: {said}")
    if found:
        return Found(*found[0])
    if reason:
        return Unasked(number, "held_out", f"held out for {detail or 'evaluation'}, and not needed there")
    if 0 < number <= source_rows:
        return Unasked(number, "beyond_limit", "beyond the recipe's limit (`questions.limit`)")
    return None


def _in_source(store: Store, room: Room, what: str) -> Found | Unasked:
    """Look a question up that the store does not name so: beyond the limit, held out and not needed, or new."""
    question = _read(room, lambda one: what in (one.id, one.hash))
    if not question:
        mend = "Name a question by its id, hash or row number, or an attempt by its id."
        raise InputError(f"no question or attempt `{what}` in this run", place="audit why", mend=mend)
    found = _row(store, room, question.row)
    if not isinstance(found, Unasked):
        found = Unasked(question.row, "new", "new in the source since the run last read it: not asked yet")
    return _of(found, question)


def _of(found: Unasked, question: Question) -> Unasked:
    return replace(found, hash=question.hash, id=question.id, text=question.text, gold=question.gold)


def _read(room: Room, wanted: Callable[[Question], bool]) -> Question | None:
    """Return the first such question of the source, those beyond the limit among them; a remote one is not read."""
    settings = room.recipe.questions
    if is_remote(settings):
        return None
    try:
        everything = load_questions(settings.model_copy(update={"limit": None}), room.folder)
    except SelftaughtError:  # what is out of reach cannot be shown
        return None
    return next(filter(wanted, everything.questions), None)
