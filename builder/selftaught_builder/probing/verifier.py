"""What an endpoint verifier is: the prompts it asks about an attempt, and the verdict that it makes of the replies."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from selftaught_builder.common.keys import attempt_key, weights_identity
from selftaught_builder.endpoints.base import Identity
from selftaught_builder.probing.options import ProbeOptions
from selftaught_builder.probing.subjects import Subject
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.recipe import Recipe
from selftaught_verifiers import Verdict


@dataclass(frozen=True)
class Probe:
    """One prompt about an attempt.

    Attributes:
        prompt: what is asked.
        count: how many replies to it.
        shared: it asks the same of all attempts at the question, and is about none of them.
    """

    prompt: Prompt
    count: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply."""

    completion: str
    finish_reason: str


Replies = Sequence[Sequence[Heard | None]]
"""The replies to each probe of an attempt; None where the endpoint gave none."""


class EndpointVerifier(ABC):
    """A verifier that asks a model.

    Args:
        recipe: how the questions were put, and the endpoint where the options name none.
        options: what the recipe says of this verifier.

    Attributes:
        name: a column of `attempts_wide`.
        version: of its code, its prompts, its options and whom it asks; not of which attempts are asked about.
        needs: verifiers whose versions are part of its own.
        options: its options.
        parameters: sampling parameters, as sent.
    """

    name: ClassVar[str]
    code_version: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, recipe: Recipe, options: ProbeOptions, parameters: Mapping[str, Any], shaping: Any) -> None:
        self.options, self.settings = options, options.endpoint
        asked = self.settings or recipe.endpoint
        self.parameters = {"temperature": options.temperature, "top_p": 1.0, **parameters, **asked.extra_body}
        self._with_reasoning = recipe.export.reasoning == "think_tags"
        whom = [self.settings.kind, self.settings.model, self.settings.base_url] if self.settings else "author"
        shaped_by = json.dumps([whom, self.parameters, self._with_reasoning, shaping], sort_keys=True)
        self.version = f"{self.code_version}+{hashlib.sha256(shaped_by.encode()).hexdigest()[:12]}"

    @property
    def place(self) -> str:
        """Where its predicate stands in the recipe."""
        return f"verifiers.{self.name}.of"

    @abstractmethod
    def probes(self, subject: Subject) -> list[Probe]:
        """Return what is asked about an attempt; raises RecipeError where a prompt cannot be rendered."""

    @abstractmethod
    def verdict(self, subject: Subject, replies: Replies) -> Verdict:
        """Return the verdict; the replies are model text, and hostile."""

    @abstractmethod
    def most(self, attempts: int, questions: int) -> int:
        """Return how many replies it may ask for, at most, about so many attempts at so many questions."""

    def keys(self, subject: Subject, asked: str) -> Iterator[tuple[Probe, int, str]]:
        """Yield each reply's probe, index and attempt key.

        Args:
            subject: the attempt asked about.
            asked: what stands for the weights that are asked.
        """
        for probe in self.probes(subject):
            for index in range(probe.count):
                key = attempt_key("probed", subject.question.hash, probe.prompt.hash, self.parameters, index, asked)
                yield probe, index, key

    def rationale(self, subject: Subject) -> str:
        """Return the rationale as it would be trained on."""
        reasoning = subject.reasoning if self._with_reasoning else ""
        return "\n".join(filter(None, (reasoning.strip(), subject.completion.strip())))


def judge_identity(identity: Identity) -> str:
    """Return what stands for the weights of a model that only judges: no run or round is part of it."""
    place = f"{identity.endpoint} {identity.model}"
    return weights_identity(identity.weights, run="", round_number=0, model=place)


def author_identity(identity: Identity, run: str, round_number: int) -> str:
    """Return what stands for the weights that answer in a round, as `Subject.author` does for those that wrote."""
    return weights_identity(identity.weights, run=run, round_number=round_number, model=identity.model)
