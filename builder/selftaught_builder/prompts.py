"""Prompts: a question, plain or with its answer as a hint, between few-shot rationales.

A template is a Jinja file with three macros (`system`, `question`, `response`); the hint form belongs to it. The exported
prompt is the same template rendered without the hint, so a hint cannot travel into training data with the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from selftaught_builder.errors import RecipeError
from selftaught_builder.keys import form_hash, prompt_hash
from selftaught_builder.questions.rows import RowProblem
from selftaught_builder.questions.values import as_text
from selftaught_builder.recipe import Prompt as PromptSettings
from selftaught_builder.recipe import read_yaml


class Askable(Protocol):
    """What a template sees of a question."""

    @property
    def text(self) -> str:
        """The question."""
        ...

    @property
    def gold(self) -> str:
        """The known answer."""
        ...

    @property
    def choices(self) -> Mapping[str, str]:
        """Letter to text; empty where there are none."""
        ...


@dataclass(frozen=True)
class Example:
    """A few-shot rationale, written by a person."""

    text: str
    gold: str
    rationale: str
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unanswered:
    """A question without its answer: all that a template sees where no hint is due, so that none can show."""

    text: str
    choices: Mapping[str, str]


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt.

    Attributes:
        style: `chat`, or `completion` for one plain text.
        messages: the turns; for `completion` one user message that holds the text.
    """

    style: str
    messages: tuple[dict[str, str], ...]

    @cached_property
    def hash(self) -> str:
        """The prompt's identity, 32 hex digits."""
        return prompt_hash(self.style, self.messages)


@dataclass(frozen=True)
class Form:
    """All that shapes a recipe's prompts, files included: what a store records of them.

    Attributes:
        template: the template's text.
        system: the system text; None leaves it to the template.
        style: `chat` or `completion`.
        examples: the few-shot rationales in use.
    """

    template: str
    system: str | None
    style: str
    examples: tuple[Example, ...]

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Form:
        """Return the form that `data` describes; raises KeyError or TypeError if it describes none."""
        examples = tuple(
            Example(one["text"], one["gold"], one["rationale"], dict(one["choices"])) for one in data["examples"]
        )
        return cls(data["template"], data["system"], data["style"], examples)

    @property
    def data(self) -> dict[str, Any]:
        """The form as JSON has it. Choices are pairs: their order shows in the prompt."""
        data = asdict(self)
        data["examples"] = [
            {**one, "choices": [list(pair) for pair in one["choices"].items()]} for one in data["examples"]
        ]
        return data

    @cached_property
    def hash(self) -> str:
        """The form's identity, 32 hex digits: prompts of equal forms are equal."""
        return form_hash(self.data)


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


def _read_template(name: str, room: Path) -> tuple[str, str]:
    """Return a template's text, and where it stands."""
    own = room / name
    shipped = files("selftaught_builder") / "templates" / f"{name}.jinja"
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
