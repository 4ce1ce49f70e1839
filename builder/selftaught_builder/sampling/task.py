"""What there is to sample, what the samples of a stage have in common, and what has come of them so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught_builder.endpoints.base import Reply
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.questions import Question


@dataclass(frozen=True, slots=True)
class Task:
    """One sample to get.

    Attributes:
        question: the question it answers.
        prompt: the rendered prompt.
        kind: `sampled`, `rationalized`, `evaluated` or `probed`.
        sample_index: 0 for the question's first.
        key: the attempt key.
        tries: tries of this key that earlier runs have stored.
        parent: the failed attempt that a rationalization answers, or the attempt that a verifier asks about.
    """

    question: Question
    prompt: Prompt
    kind: str
    sample_index: int
    key: str
    tries: int = 0
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class SamplingContext:
    """What all attempts of a stage have in common.

    Attributes:
        run: the run's name.
        round_number: 0 is the base model.
        parameters: sampling parameters, as sent.
        retries: how many more tries a failed one has.
        recipe: the recipe's hash.
    """

    run: str
    round_number: int
    parameters: Mapping[str, Any]
    retries: int
    recipe: str


@dataclass(slots=True)
class Tally:
    """What a stage has done so far; the progress display reads it."""

    requests: int = 0
    completions: int = 0
    failed: int = 0
    truncated: int = 0
    retries: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    in_flight: int = 0
    withheld: int = 0
    """Samples not asked for, since their question has spent its budget."""

    def count(self, reply: Reply, number: int) -> None:
        """Take note of a reply to try `number` of a task, from 1."""
        self.requests += 1
        self.retries += number > 1
        self.completions += reply.error is None
        self.truncated += reply.finish_reason == "length"
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += reply.tokens_out or 0
        if reply.cost is not None:
            self.cost = (self.cost or 0.0) + reply.cost
