"""What a prompt is, and all that shapes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol

from selftaught_builder.common.keys import form_hash, prompt_hash


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
