"""Plans: which samples a stage still has to get.

A plan is lazy and knows what is there: a key with a success is passed over, whichever run got it. So running again continues,
raising k asks only for what is new, and two runs share what they have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from selftaught_builder.common.keys import attempt_key
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.questions import Question
from selftaught_builder.sampling.task import Task
from selftaught_builder.store import Store


@dataclass(frozen=True)
class Known:
    """The keys that a store has, of one kind of attempt.

    Attributes:
        done: keys with a success.
        tries: tries so far of keys without one.
    """

    done: frozenset[str]
    tries: dict[str, int]

    @classmethod
    def of(cls, store: Store, kind: str) -> Known:
        """Read them from the store."""
        with store.read() as connection:
            rows = connection.execute(
                "SELECT key, bool_or(error IS NULL), max(try) FROM attempts WHERE kind = ? GROUP BY key", [kind]
            ).fetchall()
        return cls(
            frozenset(key for key, success, _ in rows if success), {key: n for key, success, n in rows if not success}
        )


@dataclass(frozen=True)
class Asking:
    """One question to be asked k times in one form.

    Attributes:
        question: what to ask.
        parent: the failed attempt that this answers, where it is a rationalization.
    """

    question: Question
    parent: str | None = None


@dataclass(frozen=True)
class Plan:
    """The samples of one stage; iterating yields the tasks still to do.

    They come in the questions' order, those that have failed before last: what fails each time must not keep a run from
    the rest.

    Attributes:
        kind: `sampled`, `rationalized` or `evaluated`; a rationalized prompt shows the answer.
        askings: the questions.
        k: samples for each.
        prompter: renders the prompts.
        parameters: sampling parameters, as sent.
        weights: see `keys.weights_identity`.
        known: what the store has.
        hashes: each question's hash to its prompt's, as the store recorded them: such a prompt is rendered only to be sent.
    """

    kind: str
    askings: Sequence[Asking]
    k: int
    prompter: Prompter
    parameters: dict[str, Any]
    weights: str
    known: Known
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many samples the stage is made of, done ones included."""
        return len(self.askings) * self.k

    def keys(self) -> dict[str, list[str]]:
        """Return each question's attempt keys by its hash, done ones included."""
        return {asking.question.hash: list(self._keys(asking)) for asking in self.askings}

    @property
    def lacking(self) -> int:
        """How many samples are still to do."""
        return sum(key not in self.known.done for asking in self.askings for key in self._keys(asking))

    def __iter__(self) -> Iterator[Task]:
        yield from self._tasks(tried=False)
        if self.known.tries:
            yield from self._tasks(tried=True)

    def _tasks(self, *, tried: bool) -> Iterator[Task]:
        for asking in self.askings:
            prompt: Prompt | None = None
            for index, key in enumerate(self._keys(asking)):
                tries = self.known.tries.get(key, 0)
                if key not in self.known.done and tried == bool(tries):
                    prompt = prompt or self._prompt(asking)
                    yield Task(asking.question, prompt, self.kind, index, key, tries, asking.parent)

    @cached_property
    def _unrecorded(self) -> dict[str, Prompt]:
        """The prompts whose hashes nobody recorded, once they are rendered: those of held-out questions."""
        return {}

    def _prompt(self, asking: Asking) -> Prompt:
        question = asking.question
        if question.hash in self.hashes:
            return self.prompter.ask(question, hint=self.kind == "rationalized")
        if question.hash not in self._unrecorded:
            self._unrecorded[question.hash] = self.prompter.ask(question, hint=self.kind == "rationalized")
        return self._unrecorded[question.hash]

    def _keys(self, asking: Asking) -> Iterator[str]:
        question = asking.question.hash
        prompt = self.hashes.get(question) or self._prompt(asking).hash
        for index in range(self.k):
            yield attempt_key(self.kind, question, prompt, self.parameters, index, self.weights)
