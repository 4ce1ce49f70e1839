"""The choices of a question, relabelled A, B, C …, and the letter of the known answer among them."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text, normalise

_LETTERS = string.ascii_uppercase
_LABELLED = re.compile(r"\s{0,4}\(?([A-Z])[).:]\s{0,4}")


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices under the letters A, B, C and so on.

    Attributes:
        texts: letter to text, in the source's order.
        labels: the source's own label of each, normalised; the letters where it has none.
    """

    texts: dict[str, str]
    labels: tuple[str, ...]

    def letter_of(self, gold: Any) -> str | None:
        """Return the letter of the choice that `gold` names; None where it names none, or two.

        Text is read as a label, then as a choice's text, then as an index from 0; an integer as a label, then as an
        index, then as a text.
        """
        text = as_text(gold)
        readings = [self._by_label, self._by_text, self._by_index]
        if isinstance(gold, int) and not isinstance(gold, bool):
            readings = [self._by_label, self._by_index, self._by_text]
        return next((letter for read in readings if (letter := read(text))), None)

    def _by_label(self, text: str) -> str | None:
        return _only(self.labels, normalise(text.strip("()[]. :")))

    def _by_text(self, text: str) -> str | None:
        return _only([normalise(choice) for choice in self.texts.values()], normalise(text))

    def _by_index(self, text: str) -> str | None:
        known = text.isascii() and text.isdecimal() and len(text) <= 2 and int(text) < len(self.texts)
        return _LETTERS[int(text)] if known else None


def _only(found: list[str] | tuple[str, ...], wanted: str) -> str | None:
    return _LETTERS[found.index(wanted)] if found.count(wanted) == 1 else None


def parse_choices(value: Any) -> Choices:
    """Read choices: {"A": "bank", …}, ["bank", …], {"label": […], "text": […]}, or any of them as JSON text.

    Raises:
        RowProblem: `bad_choices` for another form, fewer than 2, more than 26, or an empty one.
    """
    labels, texts = _labels_and_texts(_decoded(value))
    texts = [as_text(text) if text is not None else "" for text in texts]
    if not 2 <= len(texts) <= len(_LETTERS):
        raise RowProblem("bad_choices", f"{len(texts)} choices; 2 to 26 are usable")
    if len(labels) != len(texts):
        raise RowProblem("bad_choices", f"{len(labels)} labels for {len(texts)} choices")
    if not all(texts):
        raise RowProblem("bad_choices", "an empty choice")
    return Choices(dict(zip(_LETTERS, texts, strict=False)), tuple(normalise(as_text(label)) for label in labels))


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise RowProblem("bad_choices", "text that is no JSON") from None


def _labels_and_texts(value: Any) -> tuple[list[Any], list[Any]]:
    if isinstance(value, Mapping) and isinstance(value.get("text"), list) and isinstance(value.get("label"), list):
        return value["label"], value["text"]
    if isinstance(value, Mapping):
        given = {label: text for label, text in value.items() if text is not None}  # Arrow fills absent keys with None
        return list(given.keys()), list(given.values())
    if not isinstance(value, list):
        raise RowProblem("bad_choices", f"a {type(value).__name__}, where a list or a mapping is needed")
    if value and all(isinstance(item, Mapping) and {"label", "text"} <= item.keys() for item in value):
        return [item["label"] for item in value], [item["text"] for item in value]
    return list(_LETTERS[: len(value)]), _without_labels(value)


def _without_labels(texts: list[Any]) -> list[Any]:
    """Take "A)", "B)", … off a list whose every item carries its own letter (AQuA)."""
    found = [_LABELLED.match(text) if isinstance(text, str) else None for text in texts]
    if all(match and match[1] == letter for match, letter in zip(found, _LETTERS, strict=False)):
        return [text[match.end() :] for text, match in zip(texts, found, strict=True) if match]
    return texts
