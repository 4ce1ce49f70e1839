"""A recipe's file: found, read, and explained where it is none."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.recipe.recipe import Recipe

_MOST_NODES = 200_000
_MAY_HOLD_A_KEY = frozenset({"api_key_env", "api_key_file", "environment"})
"""Who writes the key itself there by mistake is not to read it in an error."""


def find_recipe(room: Path) -> Path:
    """Return the recipe file that `room` (a room's folder, or the file itself) names.

    Raises:
        RecipeError: there is none.
    """
    path = room / "recipe.yaml" if room.is_dir() else room
    if not path.is_file():
        raise RecipeError("no recipe here", place=path, mend="Name a room's folder or its recipe.yaml.")
    return path


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: the file is missing, no YAML, or not a recipe; the message names line and key.
    """
    path = find_recipe(path)
    data, lines = read_yaml(path)
    if not isinstance(data, dict):
        raise RecipeError("a recipe is a mapping of keys", place=path, mend="Start from `selftaught init`.")
    try:
        folder = path.parent.absolute()
        recipe = Recipe.model_validate(data, context={"folder": folder})
        recipe._folder = folder
        return recipe
    except ValidationError as error:
        raise _explain(error, path, lines) from None


def read_yaml(path: Path) -> tuple[Any, dict[tuple[str | int, ...], int]]:
    """Read a YAML file; return its data, and for each key's path the line it stands on.

    Raises:
        RecipeError: not readable, not UTF-8, or no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        data = yaml.safe_load(text)
        lines: dict[tuple[str | int, ...], int] = {}
        if node is not None:
            _index_lines(node, (), lines)
    except FileNotFoundError:
        raise RecipeError("no such file", place=path, mend="Check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot be read: {error}", place=path, mend="It must be a UTF-8 text file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"not valid YAML: {problem}", place=place, mend="Mend the syntax on this line.") from None
    except ValueError as error:  # a date such as 2024-13-45
        raise RecipeError(f"a value that is none: {error}", place=path, mend="Put quotes around text.") from None
    except RecursionError:
        raise RecipeError("an alias that holds itself", place=path, mend="Write the value out.") from None
    return data, lines


def _index_lines(node: yaml.Node, at: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    if len(lines) > _MOST_NODES:  # a few aliases of aliases write out as billions
        raise yaml.MarkedYAMLError(problem="too large with its aliases written out", problem_mark=node.start_mark)
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, key.value)
            if here in lines:
                raise yaml.MarkedYAMLError(problem=f"`{key.value}` stands twice", problem_mark=key.start_mark)
            lines[here] = key.start_mark.line + 1
            _index_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(value, (*at, index), lines)


def _explain(error: ValidationError, path: Path, lines: dict[tuple[str | int, ...], int]) -> RecipeError:
    """Turn pydantic's first complaint into file, line, key and mend."""
    first = error.errors()[0]
    at = first["loc"]
    known = at
    while known and known not in lines:
        known = known[:-1]
    place = f"{path}:{lines.get(known, 1)}"
    key = ".".join(str(part) for part in at if part in dict.fromkeys(at)) or "recipe"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(at[-1]), _keys_at(at[:-1]), n=1)
        mend = f"Did you mean `{close[0]}`?" if close else f"Known keys: {', '.join(_keys_at(at[:-1]))}."
        return RecipeError(f"unknown key `{key}`", place=place, mend=mend)
    if first["type"] == "missing":
        return RecipeError(f"`{key}` is missing", place=place, mend=f"Add `{key}`.")
    if first["type"] == "model_type":
        return RecipeError(f"`{key}` is a section", place=place, mend=f"Its keys: {', '.join(_keys_at(at))}.")
    if first["type"] == "string_pattern_mismatch" and at[-1] == "api_key_env":
        mend = "Set a variable such as OPENAI_API_KEY to the key, and name the variable here."
        return RecipeError(f"`{key}` is no name of an environment variable", place=place, mend=mend)
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = first.get("input")
    showable = isinstance(given, str | int | float | bool | list) and at and not _MAY_HOLD_A_KEY.intersection(at)
    shown = f" (got {given!r})" if showable else ""
    return RecipeError(
        f"`{key}`: {message}{shown}"[:400], place=place, mend="`selftaught recipe schema` lists what each key takes."
    )


def _keys_at(at: tuple[str | int, ...]) -> list[str]:
    model: Any = Recipe
    for part in at:
        if isinstance(part, int):  # an item of a list of sections
            continue
        kind = next(field.annotation for name, field in model.model_fields.items() if part == (field.alias or name))
        model = next(one for one in (kind, *get_args(kind)) if hasattr(one, "model_fields"))
    return [field.alias or name for name, field in model.model_fields.items()]
