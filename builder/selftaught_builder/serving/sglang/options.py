"""The options of `sglang.launch_server`, read out of SGLang's source without importing it.

Importing it takes its whole environment and half a minute; argparse would complain only after that. SGLang declares its
options in two ways, and both are read: `parser.add_argument("--name", ...)`, and, in newer releases, annotated fields
(`name: A[type, Arg(cli_name=..., aliases=[...])]`, sglang/srt/arg_groups/arg_utils.py) in server_args.py and
arg_groups/fields/.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError, RecipeError
from selftaught_builder.common.secrets import without_keys

SOURCES = ("sglang/srt/server_args.py", "sglang/srt/arg_groups/fields/*.py")
"""Where in a wheel or in site-packages the options are declared."""

INSTALL = (
    "Make SGLang's environment, `uv venv .venv-sglang && uv pip install --python .venv-sglang/bin/python sglang`, and "
)
_FIND = "import importlib.util as u; s = u.find_spec('sglang'); print(*(s.submodule_search_locations if s else []), sep='\\n')"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        flag: how it stands on the command line, `--tp-size`.
        negative: `--no-…`, where there is such a form.
        json: whether a list is written as one JSON text rather than as several words.
    """

    flag: str
    negative: str | None = None
    json: bool = False


def read_options(sources: Iterable[str]) -> dict[str, Option]:
    """Return all options by name (underscores for dashes, without the leading ones), under each of their names.

    Args:
        sources: the text of the files that `SOURCES` names.

    Raises:
        SyntaxError: a text is no Python.
    """
    options: dict[str, Option] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                names = [name for one in node.args if (name := _text(one)).startswith("--")]
                _add(options, names, _keywords(node))
            elif isinstance(node, ast.ClassDef):
                for field in node.body:
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                        _add_field(options, field.target.id, field.annotation)
    return options


def installed_options(python: Path) -> dict[str, Option] | None:
    """Return the options of the SGLang that an interpreter would run, None where its source cannot be read.

    Raises:
        EndpointError: there is no such interpreter, or no SGLang in its environment.
    """
    try:
        command, environment = [python, "-c", _FIND], without_keys(os.environ)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        mend = f"{INSTALL}name its interpreter in `endpoint.sglang.python` (docs/serving.md)."
        raise EndpointError(f"cannot be run: {reason}", place=python, mend=mend) from None
    package = done.stdout.strip().splitlines()
    if not package:
        mend = f"{INSTALL}name that interpreter in `endpoint.sglang.python` (docs/serving.md)."
        raise EndpointError("SGLang is not installed in this environment", place=python, mend=mend)
    root = Path(package[0]).parent
    try:
        return (
            read_options([file.read_text("utf-8") for pattern in SOURCES for file in sorted(root.glob(pattern))])
            or None
        )
    except (OSError, SyntaxError, ValueError):
        return None


def render_arguments(arguments: Mapping[str, Any], options: Mapping[str, Option] | None) -> list[str]:
    """Return arguments as they stand on the command line.

    Args:
        arguments: values by SGLang's names, with dashes or underscores. True gives the flag alone, False its negative form
            or nothing, None nothing, a list several words.
        options: the known options; None takes every name as it is.

    Raises:
        RecipeError: a name that is no option of this SGLang.
    """
    words: list[str] = []
    for name, value in arguments.items():
        key = name.lstrip("-").replace("-", "_")
        if options is not None and key not in options:
            close = difflib.get_close_matches(key, options, n=3)
            mend = f"Did you mean {', '.join(close)}?" if close else "See `python -m sglang.launch_server --help`."
            raise RecipeError(f"SGLang has no argument `{name}`", place="endpoint.sglang.args", mend=mend)
        option = options[key] if options is not None else Option(f"--{key.replace('_', '-')}")
        words += _words(option, value)
    return words


def _words(option: Option, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [option.flag] if value else [option.negative] if option.negative else []
    if isinstance(value, dict) or (isinstance(value, list) and option.json):
        return [option.flag, json.dumps(value)]
    if isinstance(value, list):
        return [option.flag, *map(str, value)]
    return [option.flag, str(value)] if not str(value).startswith("-") else [f"{option.flag}={value}"]


def _add_field(options: dict[str, Option], name: str, annotation: ast.expr) -> None:
    """Add a field `name: A[type, "help"]` or `name: A[type, Arg(...)]`."""
    if not (isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name)):
        return
    if annotation.value.id != "A" or not isinstance(annotation.slice, ast.Tuple):
        return
    call = next((part for part in annotation.slice.elts if isinstance(part, ast.Call)), None)
    given = _keywords(call) if call else {}
    if isinstance(hidden := given.get("no_cli"), ast.Constant) and hidden.value is True:
        return
    flag = _text(given.get("cli_name")) or f"--{name.replace('_', '-')}"
    aliases = given.get("aliases")
    others = [_text(one) for one in aliases.elts] if isinstance(aliases, ast.List) else []
    _add(options, [flag, *others], given, field=name)


def _add(options: dict[str, Option], names: list[str], given: Mapping[str, ast.expr], field: str | None = None) -> None:
    if not names:
        return
    parser = given.get("type_parser") or given.get("type")
    listed = isinstance(parser, ast.Name) and parser.id == "json_list_type"
    action = given.get("action")
    two_sided = isinstance(action, ast.Attribute) and action.attr == "BooleanOptionalAction"
    for name in names:
        negative = f"--no-{name.removeprefix('--')}" if two_sided else None
        options[_key(name)] = Option(name, negative, listed)
    if field:
        options.setdefault(field, options[_key(names[0])])


def _key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {word.arg: word.value for word in call.keywords if word.arg}


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
