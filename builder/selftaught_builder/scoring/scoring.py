"""Scoring: row verifiers over anyone's responses, without a store.

Rows are read, judged and written in their order, block by block, so that a file of any size takes the same memory.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.questions.choices import parse_choices
from selftaught_builder.questions.gold import settle
from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text
from selftaught_builder.recipe import Questions, Recipe
from selftaught_builder.verification import Chosen, chosen_verifiers
from selftaught_builder.verification.judges import Judged, Note, judges, read_ahead
from selftaught_verifiers import Outcome, registered
from selftaught_verifiers.answer.answer import answer_kind
from selftaught_verifiers.judging.judging import Judge, Judgement, QuestionData, RationaleData, RowCase

BLOCK = 2000
"""Rows that are judged together."""

KINDS = frozenset(("number", "letter", "yesno", "text", "date", "math", "code", "gym"))
"""How answers compare; verifiers know no others."""

STDIN = Path("-")
Parsed = TypeVar("Parsed")
_LETTER = re.compile(r"\(?[A-Z]\)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row to score.

    Attributes:
        id: its `id`; file and line where it has none.
        question, rationale: as verifiers are given them.
        expected: its label: whether the response is right; None where it has none.
    """

    id: str
    question: QuestionData
    rationale: RationaleData
    expected: bool | None

    @property
    def gold(self) -> str:
        """The known answer."""
        return self.question.gold


@dataclass(frozen=True, slots=True)
class Scored:
    """A row with its verdicts, by verifier."""

    row: Row
    verdicts: dict[str, Judgement]


@dataclass
class Summary:
    """What the scoring found.

    Attributes:
        outcomes: for each verifier, how many verdicts of each outcome.
        labels: (expected, passed) to how many rows: the first verifier's verdicts beside the labels.
        kinds: what rows call their kind though no verifier knows it; theirs was found from the known answer.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    labels: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, scored: Scored) -> None:
        """Add a row's verdicts."""
        for name, said in scored.verdicts.items():
            self.outcomes.setdefault(name, Counter())[said.outcome] += 1
        if scored.row.expected is not None:
            passed = next(iter(scored.verdicts.values())).outcome == Outcome.PASS
            self.labels[scored.row.expected, passed] += 1


def scorers(names: Sequence[str], file: Path | None = None) -> list[Chosen]:
    """Return the verifiers of these names, with default options.

    Args:
        names: built in, of an installed package, or of `file`.
        file: a Python file that defines those that selftaught does not know.

    Raises:
        InputError: an unknown name, a file that does not define it, or a verifier that needs more than a row.
    """
    built_in = {verifier.name: verifier.kind for verifier in registered()}
    for name in names:
        if built_in.get(name, "row") != "row":
            raise _no_row_verifier(name)
    own = [name for name in names if name not in built_in] if file else []
    if file and not own:
        raise InputError("none of its verifiers is asked for", place=file, mend="Name them: --verify answer,NAME.")
    verifiers = {name: {"file": str(file)} for name in own}
    # A recipe of nothing but verifiers; that it may lack `answer` is what a recipe's own check would refuse.
    recipe = Recipe(name="score", questions=Questions(source="-"))
    recipe = recipe.model_copy(update={"verify": list(dict.fromkeys(names)), "verifiers": verifiers})
    try:
        chosen = chosen_verifiers(recipe)
    except RecipeError as error:
        raise InputError(error.message, place=error.place if file else "--verify", mend=error.mend) from None
    for one in chosen:
        if one.kind != "row":
            raise _no_row_verifier(one.name)
    return chosen


def _no_row_verifier(name: str) -> InputError:
    mend = "What a room's recipe lists under `verify` judges its store: `selftaught verify`."
    return InputError(f"`{name}` needs more than a row to judge", place="--verify", mend=mend)


def score(rows: Iterable[Row], verifiers: Sequence[Chosen], note: Note) -> Iterator[Scored]:
    """Yield the rows with their verdicts, in order, as they are judged; `note` is told what is worth a line.

    Raises:
        InputError: a row cannot be read.
    """
    ours = [one for one in verifiers if not one.foreign]
    foreign = [one for one in verifiers if one.foreign]
    rows = iter(rows)
    blocks = iter(lambda: list(islice(rows, BLOCK)), [])
    first = next(blocks, [])
    # More than a block may be any number; what this process can do alone is less.
    expected = len(first) * len(verifiers) if len(first) < BLOCK else sys.maxsize
    with ExitStack() as stack:
        both = [(part, stack.enter_context(judges(part, expected, note))) for part in (ours, foreign) if part]
        names = [one.name for one in verifiers]
        for block, judged in read_ahead(chain([first], blocks), lambda block: _judge(block, names, both)):
            for row, answers in zip(block, judged, strict=True):
                yield Scored(row, {name: said for name, (said,) in zip(names, answers, strict=True)})


def _judge(block: Sequence[Row], names: Sequence[str], both: Sequence[tuple[Sequence[Chosen], Judge]]) -> Judged:
    """The rows' verdicts in the order of the names, by those judges that make them."""
    found: list[dict[str, list[Judgement]]] = [{} for _ in block]
    for verifiers, judge in both:
        theirs = [one.name for one in verifiers]
        for said, answers in zip(
            found, judge([RowCase(row.question, row.rationale, theirs) for row in block]), strict=True
        ):
            said.update(zip(theirs, answers, strict=True))
    return [[said[name] for name in names] for said in found]


def verdict_lines(scored: Scored) -> Iterator[str]:
    """Yield a row's verdicts as lines of JSON, in ASCII: text from outside can do nothing to a terminal."""
    for name, (outcome, reason, answer, number, detail, _) in scored.verdicts.items():
        verdict = {"id": scored.row.id, "verifier": name, "outcome": outcome, "score": number}
        text = json.dumps({**verdict, "answer": answer, "reason": reason})
        yield f'{text[:-1]}, "detail": {detail}}}\n'.replace("\x7f", "\\u007f")  # the detail is JSON already


def read_rows(paths: Sequence[Path], summary: Summary, kind: str | None = None) -> Iterator[Row]:
    """Yield the rows of JSONL files, `-` for standard input.

    Args:
        paths: the files.
        summary: counts the kinds that no verifier knows.
        kind: how all answers compare, whatever the rows say; `auto` by the known answers.

    Raises:
        InputError: a file that cannot be read, or a row that is broken; names file and line.
    """
    for path in paths:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(line, f"{'stdin' if path == STDIN else path}:{number}", summary, kind)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", place=path, mend="Check the name.") from None


def _row(line: bytes, place: str, summary: Summary, kind: str | None) -> Row:
    try:
        data = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InputError(f"no JSON: {error}", place=place, mend="Each line is a JSON object.") from None
    if not isinstance(data, dict):
        raise InputError("no JSON object", place=place, mend='{"response": "...", "gold": "..."} is one.')
    try:
        response = _text(data, "response") if "response" in data else _lacking("response")
        gold, found, choices = _answer(data, summary, kind)
        question = QuestionData(_text(data, "question"), gold, found, choices, _typed(data, "meta", dict, {}))
        hinted = _typed(data, "hinted", bool, False)
        rationale = RationaleData(response, _text(data, "reasoning"), hinted, _text(data, "finish_reason") or "stop")
        named = as_text(data["id"]) if data.get("id") is not None else place
        return Row(named, question, rationale, _typed(data, "expected", bool, None))
    except RowProblem as problem:
        mend = (
            "A row has `response` and `gold`, and may have id, question, kind, choices, hinted, reasoning, "
            "finish_reason, meta, expected."
        )
        raise InputError(problem.detail or problem.reason, place=place, mend=mend) from None


def _answer(data: dict[str, Any], summary: Summary, kind: str | None) -> tuple[str, str, dict[str, str]]:
    """Return the known answer, its kind, and the choices."""
    value = data["gold"] if data.get("gold") is not None else _lacking("gold")
    gold = _parsed("gold", as_text, value)
    choices = _parsed("choices", parse_choices, data["choices"]) if data.get("choices") else None
    given = kind or _typed(data, "kind", str, "auto")
    if given not in KINDS and given != "auto":
        summary.kinds[given] += 1
        given = "auto"
    if choices and given in ("auto", "letter"):
        return *settle(value, choices, "letter"), choices.texts
    if given == "auto":
        given = "letter" if _LETTER.fullmatch(gold) else answer_kind(gold, False) or "text"
    return gold.strip("()") if given == "letter" else gold, given, choices.texts if choices else {}


def _parsed(key: str, parse: Callable[[Any], Parsed], value: Any) -> Parsed:
    """What `parse` makes of a value; a problem that it has names the key."""
    try:
        return parse(value)
    except RowProblem as problem:
        raise RowProblem(problem.reason, f"`{key}`: {problem.detail or problem.reason}") from None


def _text(data: dict[str, Any], key: str) -> str:
    """The text of a key; "" where it is null or absent."""
    return _typed(data, key, str, "") or ""


def _typed(data: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise RowProblem("broken_row", f"`{key}` is {json.dumps(value)[:60]}, which is no {_NAMES[kind]}")
    return value


_NAMES: dict[type, str] = {str: "text", bool: "true or false", dict: "mapping"}


def _lacking(key: str) -> Any:
    raise RowProblem("broken_row", f"`{key}` is missing")
