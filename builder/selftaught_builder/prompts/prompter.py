"""Rendering prompts: a question, plain or with its answer as a hint, between few-shot rationales.

A template is a Jinja file with three macros (`system`, `question`, `response`); the hint form belongs to it. The exported
prompt is the same template rendered without the hint, so a hint cannot travel into training data with the prompt. The
verifier `hint_leak` (`selftaught_verifiers/hints/leak.py`) knows the shipped template's hint form.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.prompts.examples import load_examples
from selftaught_builder.prompts.form import Askable, Form, Prompt, Unanswered
from selftaught_builder.recipe import Prompt as PromptSettings


class Prompter:
    """Renders the prompts of a form.

    Args:
        form: what shapes them.
        place: where the template stands, for errors.

    Raises:
        RecipeError: the template is broken.
    """

    def __init__(self, form: Form, place: str) -> None:
        self.form, self.place = form, place
        self.examples = form.examples
        self._template = _load_template(form.template, place)
        self._rendered: dict[bool, list[tuple[str, str]]] = {}

    @classmethod
    def of(cls, settings: PromptSettings, room: Path) -> Prompter:
        """Return the renderer of a recipe's prompts.

        Args:
            settings: the recipe's `prompt` section.
            room: the recipe's folder; the examples and a template of the user's own are found from it.

        Raises:
            RecipeError: the template or the examples are missing or broken.
        """
        text, place = _read_template(settings.template, room)
        examples = load_examples(room / settings.examples) if settings.examples else []
        shown = examples if settings.shots is None else examples[: settings.shots]
        return cls(Form(text, settings.system, settings.style, tuple(shown)), place)

    def ask(self, question: Askable, *, hint: bool = False, examples: bool = True) -> Prompt:
        """Render the prompt for one question.

        Args:
            question: what to ask.
            hint: show the answer, here and in the few-shot examples, in the template's hint form.
            examples: put the few-shot rationales before it, but for one of this very question: it would be copied.
        """
        shown = zip(self.examples, self._shots(hint), strict=True) if examples else ()
        shots = [turn for example, turn in shown if example.text != question.text]
        asked = self._question(question, hint)
        system = self.form.system if self.form.system is not None else self._call("system")
        if self.form.style == "completion":
            blocks = [system, *(f"Q: {q}\nA: {a}" for q, a in shots), f"Q: {asked}\nA:"]
            return Prompt("completion", ({"role": "user", "content": "\n\n".join(filter(None, blocks))},))
        turns = [{"role": "system", "content": system}] if system else []
        for q, a in shots:
            turns += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
        return Prompt("chat", (*turns, {"role": "user", "content": asked}))

    def _shots(self, hint: bool) -> list[tuple[str, str]]:
        if hint not in self._rendered:
            self._rendered[hint] = [
                (self._question(shot, hint), self._call("response", shot.rationale, shot)) for shot in self.examples
            ]
        return self._rendered[hint]

    def _question(self, question: Askable, hint: bool) -> str:
        return self._call("question", question if hint else Unanswered(question.text, question.choices), hint)

    def _call(self, macro: str, *arguments: Any) -> str:
        try:
            return str(getattr(self._template, macro)(*arguments)).strip()
        except Exception as error:  # a template is a program: it can divide by zero, too
            raise RecipeError(
                f"the template's macro `{macro}` failed: {error}",
                place=self.place,
                mend="A template defines system(), question(q, hint) and response(rationale, q).",
            ) from None


def _read_template(name: str, room: Path) -> tuple[str, str]:
    """Return a template's text, and where it stands."""
    own = room / name
    shipped = files("selftaught_builder.prompts") / f"{name}.jinja"
    if own.is_file():
        try:
            return own.read_text(encoding="utf-8"), str(own)
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot be read: {error}", place=own, mend="It must be a UTF-8 text file.") from None
    if "/" not in name and shipped.is_file():
        return shipped.read_text(encoding="utf-8"), name
    raise RecipeError(f"no template `{name}`", place=own, mend="Use star-cot, or the path of a Jinja file.")


def _load_template(text: str, place: str) -> jinja2.environment.TemplateModule:
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    try:
        return environment.from_string(text).make_module()
    except jinja2.TemplateSyntaxError as error:
        raise RecipeError(
            f"not a Jinja template: {error.message}", place=f"{place}:{error.lineno}", mend="Mend this line."
        ) from None
    except Exception as error:
        raise RecipeError(f"the template failed: {error}", place=place, mend="Define macros in it, no more.") from None
