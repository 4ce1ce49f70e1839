"""Field specifications: how the recipe says where in a row the question, the answer, the choices and the id are.

A specification is a field name ("answer", nested "answer.text", "answers.0"), or a template over the row's fields
("{{ Body }} {{ Question }}"); filters follow after `|`: "answer|after:####|strip". A list of them is tried in order,
so that one recipe reads both a data set of the hub and a local copy with other field names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.meta
import jinja2.sandbox

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.rows import Row, RowProblem
from selftaught_builder.questions.values import as_text

Filter = Callable[[Any], Any]

_TEMPLATES = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
_INTEGER = re.compile(r"\s*[0-9]{1,4}\s*")


@dataclass(frozen=True, slots=True)
class _Alternative:
    get: Callable[[Row], Any]
    filters: tuple[Filter, ...]
    names: frozenset[str]

    def read(self, row: Row) -> Any:
        value = self.get(row)
        for apply in self.filters:
            value = value if value is None else apply(value)
        return value


@dataclass(frozen=True, slots=True)
class Field:
    """A compiled field specification.

    Attributes:
        key: the recipe's key it stands under, for messages.
        spec: the specification as written.
        alternatives: what is tried, in order.
    """

    key: str
    spec: str
    alternatives: tuple[_Alternative, ...]

    @property
    def names(self) -> frozenset[str]:
        """The top-level row fields it may read."""
        return frozenset().union(*(alternative.names for alternative in self.alternatives))

    def read(self, row: Row) -> Any:
        """Return the first alternative's value that is there and not empty; an empty one where all are empty.

        Raises:
            RowProblem: `missing_field` where no alternative is there; else what the last filter or template said.
        """
        empty, problem = None, None
        for alternative in self.alternatives:
            try:
                value = alternative.read(row)
            except RowProblem as error:
                problem = error if problem is None or error.reason != "missing_field" else problem
                continue
            if value not in (None, ""):
                return value
            empty = (value,)
        if empty is None and problem is not None:
            raise problem
        return empty[0] if empty else None


def compile_field(spec: str | list[str], key: str) -> Field:
    """Compile a specification, or a list of alternatives.

    Args:
        spec: as the recipe gives it.
        key: the recipe's key, such as `questions.answer`.

    Raises:
        QuestionError: an unknown filter, or a template that does not parse.
    """
    specs = [spec] if isinstance(spec, str) else list(spec)
    if not specs or not all(text.strip() for text in specs):
        raise QuestionError("names no field", place=key, mend=f"Set `{key}` to a field of the rows.")
    return Field(key, " or ".join(specs), tuple(_compile(text, key) for text in specs))


def _compile(spec: str, key: str) -> _Alternative:
    template, closing, rest = spec.rpartition("}}")
    source, *filters = rest.split("|")
    chain = tuple(_filter(text, key) for text in filters)
    if closing:
        get, names = _template(template + closing + source, key)
        return _Alternative(get, chain, names)
    name = source.strip()
    return _Alternative(lambda row: _look_up(row, name), chain, frozenset({name, name.split(".")[0]}))


def _look_up(row: Row, name: str) -> Any:
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise RowProblem("missing_field", f"no field `{name}`")
    return value


def _template(source: str, key: str) -> tuple[Callable[[Row], str], frozenset[str]]:
    try:
        names = frozenset(jinja2.meta.find_undeclared_variables(_TEMPLATES.parse(source)))
        template = _TEMPLATES.from_string(source)
    except jinja2.TemplateError as error:
        mend = "Mend the template: {{ field }} puts a field in."
        raise QuestionError(f"`{source}`: {error.message}", place=key, mend=mend) from None

    def render(row: Row) -> str:
        missing = sorted(names - row.keys())
        if missing:
            raise RowProblem("missing_field", f"no field `{'`, `'.join(missing)}`")
        try:
            return template.render(row)
        except Exception as error:  # a template may fail in any way Python can, on the one row that does not fit it
            raise RowProblem("template_failed", f"{type(error).__name__}: {error}") from None

    return render, names


def _filter(text: str, key: str) -> Filter:
    name, colon, argument = text.lstrip().partition(":")
    name = name.strip()
    if name in _PLAIN_FILTERS and not colon:
        return _PLAIN_FILTERS[name]
    if name in _CUTS and argument:
        return _CUTS[name](argument)
    known = ", ".join([*(f"{cut}:TEXT" for cut in _CUTS), *_PLAIN_FILTERS])
    raise QuestionError(f"unknown filter `{text.strip()}`", place=key, mend=f"There are: {known}.")


def _after(mark: str) -> Filter:
    def cut(value: Any) -> str:
        _, found, rest = as_text(value).rpartition(mark)
        return _found(rest, found, mark)

    return cut


def _before(mark: str) -> Filter:
    def cut(value: Any) -> str:
        rest, found, _ = as_text(value).partition(mark)
        return _found(rest, found, mark)

    return cut


def _found(rest: str, found: str, mark: str) -> str:
    if not found:
        raise RowProblem("answer_unparsable", f"`{mark}` is not in it")
    return rest.strip()


def _strip(value: Any) -> str:
    return as_text(value).strip()


def _letter(value: Any) -> Any:
    """Read an index written as text as the integer it is; which letter that means, the choices say."""
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


_CUTS: dict[str, Callable[[str], Filter]] = {"after": _after, "before": _before}
_PLAIN_FILTERS: dict[str, Filter] = {"strip": _strip, "letter": _letter}
