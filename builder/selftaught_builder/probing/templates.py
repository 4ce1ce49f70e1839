"""The prompts of endpoint verifiers: Jinja files, shipped or the user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from selftaught_builder.common.errors import RecipeError


class Template:
    """A Jinja template; what a model wrote is only ever put into it, never read as one.

    Args:
        text: its source; part of a verifier's version.
        place: where it stands, for errors.

    Raises:
        RecipeError: it is no Jinja template.
    """

    def __init__(self, text: str, place: object) -> None:
        self.text, self.place = text, place
        try:
            self._compiled = _environment().from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise RecipeError(
                f"not a Jinja template: {error.message}", place=f"{place}:{error.lineno}", mend="Mend this line."
            ) from None

    def render(self, **shown: Any) -> str:
        """Render the whole file; raises RecipeError where that fails."""
        return self._safely(lambda: self._compiled.render(**shown))

    def call(self, macro: str, *arguments: Any) -> str:
        """Render one of its macros; raises RecipeError where that fails."""
        return self._safely(lambda: str(getattr(self._compiled.module, macro)(*arguments)))

    def _safely(self, render: Callable[[], str]) -> str:
        try:
            return render().strip()
        except Exception as error:  # a template is a program: it can divide by zero, too
            raise RecipeError(
                f"the template failed: {error}"[:300], place=self.place, mend="Compare it with the shipped one."
            ) from None


def load_template(name: str, shipped: str, folder: Path) -> Template:
    """Return a template.

    Args:
        name: the shipped template's name, or a path from `folder`.
        shipped: the name that means the shipped one.
        folder: the recipe's folder.

    Raises:
        RecipeError: no such file, or no template.
    """
    if name == shipped:
        file = files("selftaught_builder.probing") / f"{shipped}.j2"
        return _compiled(file.read_text(encoding="utf-8"), f"{shipped}.j2")
    own = folder / name
    try:
        return _compiled(own.read_text(encoding="utf-8"), str(own))
    except (OSError, UnicodeDecodeError) as error:
        mend = f"Name a Jinja file, or leave `verifiers.{shipped}.template` out."
        raise RecipeError(f"cannot be read: {error}", place=own, mend=mend) from None


@lru_cache(maxsize=16)
def _compiled(text: str, place: str) -> Template:
    return Template(text, place)


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=jinja2.StrictUndefined)
