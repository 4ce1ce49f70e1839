"""Labelled rationales: JSONL rows whose answers are right and whose rationales a person may have judged."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.questions.choices import Choices, parse_choices
from selftaught_builder.questions.gold import settle
from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text
from selftaught_verifiers import Question, Rationale

_MEND = (
    "A row has question, gold (or answer), and one of steps (a list), rationale or solution; it may have id, task, "
    "rationale_flawed, kind, choices, hinted and finish_reason."
)


@dataclass(frozen=True)
class Case:
    """A rationale whose answer is right.

    Attributes:
        id: its name in reports; file and line where the row has none.
        task: what it is counted under; the file's name where the row has none.
        question: its question.
        rationale: its text.
        flawed: whether a person found it flawed; None where nobody judged it, and it is taken as sound.
    """

    id: str
    task: str
    question: Question
    rationale: Rationale
    flawed: bool | None

    @property
    def group(self) -> str:
        """The task, marked where its rationales were not judged."""
        return f"{self.task} (taken as sound)" if self.flawed is None else self.task


def default_files() -> list[Path]:
    """Return the files to measure on where the user names none: what SELFTAUGHT_DATA has of leakbench and GSM8K.

    Raises:
        InputError: it is not set, or holds none of them.
    """
    folder = os.environ.get("SELFTAUGHT_DATA")
    names = ("leakbench", "gsm8k") if folder else ()
    found = [path for name in names for path in sorted(Path(folder or "", name).glob("*.jsonl"))]
    if not found:
        lacks = (
            f"{folder} holds neither leakbench/*.jsonl nor gsm8k/*.jsonl" if folder else "SELFTAUGHT_DATA is not set"
        )
        mend = f"Give a JSONL file: selftaught leakbench FILE. {_MEND}"
        raise InputError(f"no rationales to measure on: {lacks}", place="leakbench", mend=mend)
    return found


def read_cases(paths: Sequence[Path], *, hinted: bool = False) -> list[Case]:
    """Read all rows of JSONL files.

    Args:
        paths: the files.
        hinted: take every rationale as one that was written with the answer shown.

    Raises:
        InputError: a file cannot be read or is empty, or a row is broken; names file and line.
    """
    cases = [case for path in paths for case in _read(path, hinted)]
    if not cases:
        raise InputError("no rows", place=", ".join(map(str, paths)), mend=_MEND)
    return cases


def _read(path: Path, hinted: bool) -> Iterator[Case]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _case(line, path, number, hinted)
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", place=path, mend="Check the name.") from None


def _case(line: bytes, path: Path, number: int, hinted: bool) -> Case:
    place = f"{path}:{number}"
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {error}"[:300], place=place, mend="Each line is a JSON object.") from None
    if not isinstance(row, dict):
        raise InputError("no JSON object", place=place, mend=_MEND)
    try:
        name = as_text(row["id"]) if row.get("id") is not None else place
        flawed = _typed(row, "rationale_flawed", bool)
        reason = _typed(row, "finish_reason", str) or "stop"
        shown = hinted or bool(_typed(row, "hinted", bool))
        rationale = Rationale(_text(row), hinted=shown, finish_reason=reason)
        return Case(name, _typed(row, "task", str) or _task(path), _question(row), rationale, flawed)
    except RowProblem as problem:
        raise InputError(problem.detail or problem.reason, place=place, mend=_MEND) from None


def _task(path: Path) -> str:
    """GSM8K's files are one task, any other file is its own."""
    return path.parent.name if path.parent.name == "gsm8k" else path.stem


def _text(row: dict[str, Any]) -> str:
    steps = _typed(row, "steps", list)
    if steps is not None:
        if not steps or not all(isinstance(step, str) for step in steps):
            raise RowProblem("broken_row", "`steps` is no list of texts")
        return "\n".join(steps)
    text = _typed(row, "rationale", str) or _typed(row, "solution", str)
    if not text or not text.strip():
        raise RowProblem("broken_row", "no rationale: `steps`, `rationale` and `solution` are all missing or empty")
    return text


def _question(row: dict[str, Any]) -> Question:
    asked = _typed(row, "question", str)
    known = row.get("gold") if row.get("gold") is not None else row.get("answer")
    if not asked or known is None:
        raise RowProblem("broken_row", f"`{'gold' if asked else 'question'}` is missing")
    given = row.get("choices")
    choices = parse_choices(given) if given else None
    if choices is None:
        asked, choices = _split_choices(asked, as_text(known))
    kind = _typed(row, "kind", str) or "auto"
    gold, kind = settle(known, choices, kind)
    return Question(as_text(asked), gold, kind, choices.texts if choices else {})


_LIST = re.compile(r"\n\s*(?:Answer )?(?:Choices|Options):?[ \t]*\n", re.IGNORECASE)
_CHOICE = re.compile(r"\(?([A-Z])[):.]\s*(.*\S)\s*")


def _split_choices(asked: str, gold: str) -> tuple[str, Choices | None]:
    """Take the choices off a question that lists them under `Options:`, where the known answer is a letter."""
    parts = _LIST.split(asked)
    found = [_CHOICE.fullmatch(line.strip()) for line in parts[-1].splitlines() if line.strip()]
    if len(parts) != 2 or not re.fullmatch(r"\(?[A-Z]\)?", gold) or len(found) < 2:
        return asked, None
    listed = {match[1]: match[2] for match in found if match}
    if len(listed) != len(found) or list(listed) != [chr(ord("A") + at) for at in range(len(found))]:
        return asked, None
    return parts[0].rstrip(), parse_choices(listed)


def _typed(row: dict[str, Any], key: str, kind: type) -> Any:
    value = row.get(key)
    if value is not None and not isinstance(value, kind):
        raise RowProblem("broken_row", f"`{key}` is {json.dumps(value)[:60]}, which is no {_NAMES[kind]}")
    return value


_NAMES: dict[type, str] = {str: "text", bool: "true or false", list: "list"}
