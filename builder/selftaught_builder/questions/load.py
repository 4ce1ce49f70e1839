"""Questions with known answers, out of the rows of any source; every row is used, rejected, or over the limit."""

from __future__ import annotations

import difflib
import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.choices import parse_choices
from selftaught_builder.questions.fields import Field, compile_field
from selftaught_builder.questions.gold import settle
from selftaught_builder.questions.rows import Row, RowProblem
from selftaught_builder.questions.sources import is_remote, read_rows
from selftaught_builder.questions.values import as_text, json_fields, normalise
from selftaught_builder.recipe import Questions
from selftaught_verifiers.text.numbers import parse_number


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its known answer.

    Attributes:
        hash: its content's identity, see `content_hash`.
        id: the source's own name for it; the row number where it has none.
        text: the question as asked, without choices.
        gold: the known answer; for `letter` questions the letter of the right choice.
        kind: how answers compare: `number`, `letter`, `yesno`, `date`, `math`, `text` or `code`.
        choices: letter to text, empty where it has none.
        row: the row number in the source, from 1.
        split: the source's split, "" where it has none.
        meta: the row's other fields, as JSON holds them.
    """

    hash: str
    id: str
    text: str
    gold: str
    kind: str
    choices: dict[str, str]
    row: int
    split: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that became no question.

    Attributes:
        row: the row number in the source, from 1.
        reason: a slug: `broken_row`, `missing_field`, `template_failed`, `empty_question`, `empty_answer`,
            `bad_choices`, `answer_unparsable`, `duplicate` or `conflicting_duplicate`.
        detail: what exactly is wrong, for a person.
    """

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a source; `rows == len(questions) + len(rejected) + beyond_limit`.

    Attributes:
        questions: the usable ones, at most `limit`, in the order to use them.
        rejected: the others, by row.
        rows: rows read. A hub data set is read no further than the limit, where nothing is to be shuffled.
        beyond_limit: usable ones that the limit left out.
        source: the source as the recipe names it.
    """

    questions: list[Question]
    rejected: list[Rejected]
    rows: int
    beyond_limit: int
    source: str

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected rows by reason, the most frequent first."""
        return dict(Counter(rejected.reason for rejected in self.rejected).most_common())


def content_hash(text: str, gold: str, kind: str, choices: dict[str, str]) -> str:
    """Return the first 32 hex digits of the SHA-256 over the canonical JSON of [text, gold, kind, choices]."""
    canonical = json.dumps([text, gold, kind, choices], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def source_name(settings: Questions) -> str:
    """Return the source as the recipe names it."""
    return settings.source or f"query: {settings.query}"


def load_questions(settings: Questions, room: Path) -> Loaded:
    """Read the source and map its rows to questions; a row that cannot be one is rejected and counted, with its reason.

    Args:
        settings: the recipe's `questions`.
        room: the recipe's folder, from which relative paths start.

    Raises:
        QuestionError: the source cannot be read, no row has a field that the recipe names, or no question is usable.
    """
    intake = _Intake(settings)
    enough = settings.limit if is_remote(settings) and settings.shuffle is None else None
    for number, row in read_rows(settings, room):
        intake.take(number, row)
        if enough is not None and len(intake.questions) >= enough:
            break
    source = source_name(settings)
    intake.check(source)
    questions = intake.questions
    if settings.shuffle is not None:
        random.Random(settings.shuffle).shuffle(questions)  # noqa: S311 - a repeatable order, no secret
    kept = questions[: settings.limit]
    return Loaded(kept, intake.rejected, intake.rows, len(questions) - len(kept), source)


class _Intake:
    """Turns rows into questions and keeps the accounts."""

    def __init__(self, settings: Questions) -> None:
        self.kind, self.split, self.longest = settings.kind, settings.split or "", settings.longest
        self.fields = _fields(settings)
        self.used = frozenset().union(*(each.names for each in self.fields.values()))
        self.questions: list[Question] = []
        self.rejected: list[Rejected] = []
        self.rows = self.mapped = 0
        self.found: Counter[str] = Counter()
        self.columns: dict[str, None] = {}
        self.first: dict[Any, Question] = {}

    def take(self, number: int, row: Row | RowProblem) -> None:
        """Use or reject one row."""
        self.rows += 1
        try:
            if isinstance(row, RowProblem):
                raise row
            question = self._question(number, row)
            self._refuse_duplicate(question)
        except RowProblem as problem:
            self.rejected.append(Rejected(number, problem.reason, problem.detail))
        else:
            self.questions.append(question)

    def _question(self, number: int, row: Row) -> Question:
        values = self._read(row)
        text = "" if values["question"] is None else as_text(values["question"])
        if not text:
            raise RowProblem("empty_question")
        if self.longest and len(text) > self.longest:
            raise RowProblem("too_long", f"{len(text)} characters")
        choices = parse_choices(values["choices"]) if "choices" in values else None
        gold, kind = settle(values["answer"], choices, self.kind)
        texts = choices.texts if choices else {}
        name = as_text(values["id"]) if values.get("id") is not None else str(number)
        meta = json_fields(row, self.used)
        return Question(content_hash(text, gold, kind, texts), name, text, gold, kind, texts, number, self.split, meta)

    def _read(self, row: Row) -> dict[str, Any]:
        """Read every field before complaining about one, so that `check` knows which ones exist anywhere."""
        self.mapped += 1
        if self.mapped <= 100:
            self.columns |= dict.fromkeys(str(name) for name in row)
        values, problems = {}, []
        for name, each in self.fields.items():
            try:
                values[name] = each.read(row)
                self.found[name] += 1
            except RowProblem as problem:
                self.found[name] += problem.reason != "missing_field"
                problems.append(problem)
        if problems:
            raise problems[0]
        return values

    def _refuse_duplicate(self, question: Question) -> None:
        key = (normalise(question.text), tuple(sorted(map(normalise, question.choices.values()))))
        first = self.first.setdefault(key, question)
        if first is question:
            return
        if _answer(first) == _answer(question):
            raise RowProblem("duplicate", f"of row {first.row}")
        raise RowProblem("conflicting_duplicate", f"row {first.row} says `{first.gold}`, this one `{question.gold}`")

    def check(self, source: str) -> None:
        """Raise a QuestionError where there is no usable question, saying why."""
        if self.questions:
            return
        if not self.rows:
            raise QuestionError("holds no rows", place=source, mend="Check the source, its split and the query.")
        for name, each in self.fields.items():
            if self.mapped and not self.found[name]:
                raise _no_such_field(each, list(self.columns), source)
        counts = Counter(rejected.reason for rejected in self.rejected).most_common()
        said = ", ".join(f"{count} {reason}" for reason, count in counts)
        example = self.rejected[0]
        mend = f"Row {example.row}: {example.reason} {example.detail}".rstrip()
        raise QuestionError(f"none of {self.rows} rows is a usable question ({said})", place=source, mend=mend)


def _fields(settings: Questions) -> dict[str, Field]:
    specs = {name: getattr(settings, name) for name in ("question", "answer", "choices", "id")}
    return {name: compile_field(spec, f"questions.{name}") for name, spec in specs.items() if spec is not None}


def _answer(question: Question) -> Any:
    """Return the answer in a form that equal answers share: a choice's text, a number's value, or folded text."""
    if question.kind == "letter":
        return normalise(question.choices.get(question.gold, question.gold))
    number = parse_number(question.gold) if question.kind == "number" else None
    return normalise(question.gold) if number is None else number


def _no_such_field(wanted: Field, columns: list[str], source: str) -> QuestionError:
    close = difflib.get_close_matches(wanted.spec.split("|")[0], columns, n=1)
    hint = f"did you mean `{close[0]}`? " if close else ""
    mend = f"Set `{wanted.key}`: {hint}the rows have {', '.join(f'`{name}`' for name in columns) or 'no fields'}."
    return QuestionError(f"no row has the field `{wanted.spec}`", place=source, mend=mend)
