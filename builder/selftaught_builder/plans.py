"""Plans: which samples a stage still has to get.

A plan is lazy and knows what is there: a key with a success is passed over, whichever run got it. So running again continues,
raising k asks only for what is new, and two runs share what they have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.keys import attempt_key
from selftaught_builder.policy import policy_of
from selftaught_builder.prompts import Prompter
from selftaught_builder.questions import Question
from selftaught_builder.recipe import Recipe
from selftaught_builder.sampler import Task
from selftaught_builder.store import Store
from selftaught_builder.verification import current_versions


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
        kind: `sampled` or `rationalized`; a rationalized prompt shows the answer.
        askings: the questions.
        k: samples for each.
        prompter: renders the prompts.
        parameters: sampling parameters, as sent.
        weights: see `keys.weights_identity`.
        known: what the store has.
    """

    kind: str
    askings: Sequence[Asking]
    k: int
    prompter: Prompter
    parameters: dict[str, Any]
    weights: str
    known: Known

    @property
    def size(self) -> int:
        """How many samples the stage is made of, done ones included."""
        return len(self.askings) * self.k

    def __iter__(self) -> Iterator[Task]:
        yield from self._tasks(tried=False)
        if self.known.tries:
            yield from self._tasks(tried=True)

    def _tasks(self, *, tried: bool) -> Iterator[Task]:
        hint = self.kind == "rationalized"
        for asking in self.askings:
            prompt = self.prompter.ask(asking.question, hint=hint)
            for index in range(self.k):
                key = attempt_key(self.kind, asking.question.hash, prompt.hash, self.parameters, index, self.weights)
                tries = self.known.tries.get(key, 0)
                if key not in self.known.done and tried == bool(tries):
                    yield Task(asking.question, prompt, self.kind, index, key, tries, asking.parent)


def parameters_of(recipe: Recipe, *, kind: str) -> dict[str, Any]:
    """Return the sampling parameters of a stage, in OpenAI's names."""
    sample, temperature = recipe.sample, recipe.sample.temperature
    if kind == "rationalized" and recipe.rationalize.temperature is not None:
        temperature = recipe.rationalize.temperature
    parameters: dict[str, Any] = {"temperature": temperature, "top_p": sample.top_p, "max_tokens": sample.max_tokens}
    if sample.stop:
        parameters["stop"] = list(sample.stop)
    return {**parameters, **recipe.endpoint.extra_body}


def failed_questions(store: Store, recipe: Recipe, questions: Sequence[Question]) -> list[Asking]:
    """Return the questions without a kept sampled attempt, each with its first failed attempt as the parent.

    The caller has verified the store. A question without any completion is none: there is nothing to rationalize yet.
    """
    kept = policy_of(recipe, current_versions(recipe.verify))
    query = f"""
        SELECT a.question, arg_min(a.id, (a.sample_index, a.key, a.try)) FROM attempts a
        WHERE a.kind = 'sampled' AND a.error IS NULL
          AND a.question NOT IN (SELECT question FROM ({kept}) WHERE kind = 'sampled')
        GROUP BY a.question"""
    parents = dict(store.sql(query).iter_rows())
    return [Asking(question, parents[question.hash]) for question in questions if question.hash in parents]
