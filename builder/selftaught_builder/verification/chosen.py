"""Which verifiers a recipe names: built in, of an installed package, of the user's own file, or a query."""

from __future__ import annotations

import difflib
import hashlib
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.probing import ENDPOINT_VERIFIERS, EndpointVerifier
from selftaught_builder.recipe import Recipe
from selftaught_builder.store.schema import WIDE_COLUMNS
from selftaught_verifiers import Verifier, get_verifier, registered
from selftaught_verifiers.verdict.plugins import installed, load_file, load_installed


@dataclass(frozen=True)
class Chosen:
    """A verifier as a recipe has it.

    Attributes:
        name: its name, a column of `attempts_wide`.
        version: of its code, its options and what it builds on.
        kind: `row`, `group`, `endpoint` or `sql`.
        verifier: what judges, of the kinds `row` and `group`.
        endpoint: what asks and judges, of the kind `endpoint`.
        query: the query of kind `sql`.
        file: the user's file that defines it.
        installed: whether an installed package defines it.
        needs: name to version of the verifiers whose verdicts it reads.
    """

    name: str
    version: str
    kind: Literal["row", "group", "endpoint", "sql"]
    verifier: Verifier | None = None
    endpoint: EndpointVerifier | None = None
    query: str = ""
    file: Path | None = None
    installed: bool = False
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """Whether its code is not ours, and may hang."""
        return self.file is not None or self.installed


def chosen_verifiers(recipe: Recipe) -> list[Chosen]:
    """Return the recipe's verifiers, in its order.

    Raises:
        RecipeError: a name that no verifier has, an option that it does not have, or a file that does not define it.
    """
    found = [_choose(name, dict(recipe.verifiers.get(name, {})), recipe) for name in recipe.verify]
    versions = {one.name: one.version for one in found}
    return [_on_top_of(one, versions) for one in found]


def versions_of(recipe: Recipe) -> dict[str, str]:
    """Return name to version of the recipe's verifiers, as this code has them. Raises what `chosen_verifiers` raises."""
    return {one.name: one.version for one in chosen_verifiers(recipe)}


def _choose(name: str, options: dict[str, Any], recipe: Recipe) -> Chosen:
    folder = recipe.folder
    if "sql" in options or str(options.get("file", "")).endswith(".sql"):
        return _query(name, options, folder)
    if "file" in options:
        file = folder / str(options.pop("file"))
        return _configured(name, _of_file(name, file), options, file=file)
    built_in = {verifier.name for verifier in registered()}
    if name in built_in:
        return _configured(name, get_verifier(name), options)
    if name in ENDPOINT_VERIFIERS:
        asking = ENDPOINT_VERIFIERS[name](recipe, options)
        return Chosen(name, asking.version, "endpoint", endpoint=asking)
    if name in installed():
        try:
            return _configured(name, load_installed(name), options, installed=True)
        except RecipeError:
            raise
        except Exception as error:
            raise RecipeError(
                f"the package that offers `{name}` fails: {type(error).__name__}: {error}"[:300],
                place="verify",
                mend="Mend or reinstall the package, or take the name away.",
            ) from None
    known = sorted({*built_in, *ENDPOINT_VERIFIERS, *installed()})
    close = difflib.get_close_matches(name, known, n=1)
    mend = f"Did you mean `{close[0]}`? " if close else ""
    mend += f"Known verifiers: {', '.join(known)}. One of your own is named by `verifiers: {{{name}: {{file: checks.py}}}}`."
    raise RecipeError(f"no verifier `{name}`", place="verify", mend=mend)


def _configured(
    name: str, verifier: Verifier, options: Mapping[str, Any], *, file: Path | None = None, installed: bool = False
) -> Chosen:
    try:
        verifier = verifier.configured(options)
    except ValueError as error:
        raise RecipeError(str(error), place=f"verifiers.{name}", mend="Mend the option, or leave it out.") from None
    return Chosen(name, verifier.version, verifier.kind, verifier, file=file, installed=installed)


def _of_file(name: str, file: Path) -> Verifier:
    _own_name(name)
    try:
        found = _loaded(file, file.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RecipeError(f"cannot be read: {reason}", place=file, mend=f"Check `verifiers.{name}.file`.") from None
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        place = f"{file}:{line}" if line else file
        raise RecipeError(f"{type(error).__name__}: {error}"[:300], place=place, mend="Mend the file.") from None
    if name not in found:
        defined = ", ".join(f"`{one}`" for one in found) or "none"
        mend = f'Decorate a function of it with @row_verifier("{name}", version="1").'
        raise RecipeError(f"defines no verifier `{name}`, but {defined}", place=file, mend=mend)
    return found[name]


@lru_cache(maxsize=64)
def _loaded(file: Path, content: bytes) -> dict[str, Verifier]:
    """The file's verifiers; a file runs again only when its content has changed."""
    return load_file(file)


def _query(name: str, options: Mapping[str, Any], folder: Path) -> Chosen:
    _own_name(name)
    unknown = sorted(set(options) - {"sql", "file"})
    if unknown or len(options) != 1:
        raise RecipeError(
            "a query takes `sql` or `file`, and nothing else",
            place=f"verifiers.{name}",
            mend=f"Take away {', '.join(unknown) or 'one of the two'}.",
        )
    query = options.get("sql")
    if query is None:
        file = folder / str(options["file"])
        try:
            query = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot be read: {error}", place=file, mend=f"Check `verifiers.{name}.file`.") from None
    if not isinstance(query, str) or not query.strip():
        raise RecipeError(
            "no query", place=f"verifiers.{name}.sql", mend="Write SELECT ... AS attempt, ... AS outcome."
        )
    version = "sql." + hashlib.sha256(query.encode()).hexdigest()[:12]
    return Chosen(name, version, "sql", query=query.strip().rstrip(";"))


def _own_name(name: str) -> None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name.endswith("_score") or name in WIDE_COLUMNS:
        mend = "A lower-case identifier that is no column of `attempts_wide` and does not end in _score."
        raise RecipeError(f"`{name}` cannot name a verifier", place="verify", mend=mend)
    if name in {*(verifier.name for verifier in registered()), *ENDPOINT_VERIFIERS}:
        raise RecipeError(f"`{name}` is a verifier of selftaught", place=f"verifiers.{name}", mend="Take another name.")


def _on_top_of(one: Chosen, versions: Mapping[str, str]) -> Chosen:
    """A group or endpoint verifier's verdicts change with the verifiers that it reads or uses."""
    on = one.verifier or one.endpoint
    needs: Sequence[str] = on.needs if on else ()
    for need in needs:
        if need not in versions:
            raise RecipeError(f"`{one.name}` needs `{need}`", place="verify", mend=f"Add `{need}` to the list.")
    read = {need: versions[need] for need in needs}
    return replace(one, version="/".join([one.version, *(f"{need}.{read[need]}" for need in read)]), needs=read)
