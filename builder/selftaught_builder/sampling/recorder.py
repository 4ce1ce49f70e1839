"""Makes attempts of replies, and journals them: a reply is safe the moment that its try is over."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from selftaught_builder.common.keys import attempt_id, seed_of
from selftaught_builder.concurrency import Lane
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.row import prompt_row
from selftaught_builder.recipe.parameters import stored_form
from selftaught_builder.sampling.task import SamplingContext, Task
from selftaught_builder.store.journal import Journal
from selftaught_builder.store.rows import AttemptRow


class Recorder:
    """Writes to the journal.

    Args:
        journal: the store's.
        context: what the attempts have in common.
        remembered: how many prompts are known to be journalled already; the samples of one question follow each other, so
            that the last few suffice.
    """

    def __init__(self, journal: Journal, context: SamplingContext, remembered: int) -> None:
        self._journal, self._context, self._remembered = journal, context, remembered
        self._parameters = stored_form(context.parameters)
        self._prompts: set[str] = set()

    def prompt(self, prompt: Prompt) -> None:
        """Journal a prompt, once for all its attempts; raises JournalError where it cannot be written."""
        if prompt.hash in self._prompts:
            return
        if len(self._prompts) > self._remembered:
            self._prompts.clear()
        self._prompts.add(prompt.hash)
        self._journal.append(prompt_row(prompt))

    def attempt(self, task: Task, lane: Lane, reply: Reply, number: int) -> None:
        """Journal a try.

        Args:
            task: what was asked for.
            lane: who was asked.
            reply: what came of it.
            number: of all tries of the task's key, from 1.

        Raises:
            JournalError: it cannot be written.
        """
        self._journal.append(self._row(task, lane, reply, number))

    def _row(self, task: Task, lane: Lane, reply: Reply, number: int) -> AttemptRow:
        context, identity = self._context, lane.identity
        named = {"asked_as": lane.asked_as} if lane.asked_as else {}
        return {
            "table": "attempts",
            "id": attempt_id(task.key, number),
            "key": task.key,
            "try": number,
            "run": context.run,
            "round": context.round_number,
            "question": task.question.hash,
            "kind": task.kind,
            "sample_index": task.sample_index,
            "parent": task.parent,
            "prompt": task.prompt.hash,
            "completion": reply.completion,
            "reasoning": reply.reasoning,
            "finish_reason": reply.finish_reason,
            "endpoint": identity.endpoint,
            "model": identity.model,
            "model_replied": reply.model,
            "weights": identity.weights,
            "parameters": self._parameters,
            "seed": seed_of(task.key),
            "seed_honoured": identity.honours.get("seed"),
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "tokens_cached": reply.tokens_cached,
            "cost": reply.cost,
            "price_source": reply.price_source,
            "latency": reply.latency,
            "error": reply.error,
            "error_text": reply.error_text,
            "provider": orjson.dumps({**reply.provider, **named}).decode(),
            "created_at": datetime.now(UTC).isoformat(),
            "recipe": context.recipe,
        }
