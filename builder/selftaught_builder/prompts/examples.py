"""Few-shot rationales, written by people, read from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.prompts.form import Example
from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text
from selftaught_builder.recipe import read_yaml


def load_examples(path: Path) -> list[Example]:
    """Read few-shot rationales from a YAML list of {question, rationale, answer, choices?}.

    Raises:
        RecipeError: missing file, or an entry without one of its keys.
    """
    if not path.is_file():
        mend = "It holds few-shot rationales (docs/recipe.md); to do without any, say `prompt: {examples: null}`."
        raise RecipeError("no such file", place=path, mend=mend)
    data, lines = read_yaml(path)
    if not isinstance(data, Sequence) or isinstance(data, str) or not data:
        raise RecipeError("few-shot examples are a list", place=path, mend="Give a YAML list, or `examples: null`.")
    examples = []
    for index, entry in enumerate(data):
        place = f"{path}:{lines.get((index,), 1)}"
        if not isinstance(entry, Mapping) or not {"question", "rationale", "answer"} <= set(entry):
            raise RecipeError("an example lacks a key", place=place, mend="Give question, rationale and answer.")
        listed = entry.get("choices") or {}
        if not isinstance(listed, Mapping):
            raise RecipeError("an example's choices are no mapping", place=place, mend='Give {"A": "bank", ...}.')
        choices = {str(letter): str(text) for letter, text in listed.items()}
        try:
            text, rationale, gold = (as_text(entry[key]) for key in ("question", "rationale", "answer"))
        except RowProblem as problem:
            raise RecipeError(
                problem.detail, place=place, mend="Give question, rationale and answer as text."
            ) from None
        if choices and gold not in choices:
            raise RecipeError(
                f"the answer {gold!r} is none of the choices", place=place, mend="Give a choice's letter."
            )
        examples.append(Example(text, gold, rationale, choices))
    return examples
