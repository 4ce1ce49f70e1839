"""Writing down what was asked and what came of it, the moment it arrives."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from selftaught_builder.common.keys import attempt_id, seed_of
from selftaught_builder.concurrency import Lane
from selftaught_builder.endpoints.base import Reply
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.recipe.parameters import stored_form
from selftaught_builder.sampling.task import SamplingContext, Task
from selftaught_builder.store.journal import Journal
from selftaught_builder.store.rows import AttemptRow, PromptRow, record_of


class Recorder:
    """Journals prompts and attempts.

    Args:
        journal: where they go.
        context: what the attempts have in common.
        remembered: how many prompts to remember at most as journalled already.
    """

    def __init__(self, journal: Journal, context: SamplingContext, remembered: int) -> None:
        self._journal, self._context, self._most = journal, context, remembered
        self._parameters = stored_form(context.parameters)
        self._prompts: set[str] = set()

    def prompt(self, prompt: Prompt) -> None:
        """Journal a prompt once; the samples of one question follow each other, so that the last few suffice."""
        if prompt.hash in self._prompts:
            return
        if len(self._prompts) > self._most:
            self._prompts.clear()
        self._prompts.add(prompt.hash)
        messages = orjson.dumps(prompt.messages).decode()
        self._journal.append(record_of(PromptRow(hash=prompt.hash, style=prompt.style, messages=messages)))

    def attempt(self, task: Task, lane: Lane, reply: Reply, number: int) -> None:
        """Journal a try.

        Args:
            task: the sample.
            lane: who was asked.
            reply: what came of it.
            number: the try's number, those of earlier runs included.
        """
        identity = lane.identity
        named = {"asked_as": lane.asked_as} if lane.asked_as else {}
        row = AttemptRow(
            id=attempt_id(task.key, number),
            key=task.key,
            try_=number,
            run=self._context.run,
            round=self._context.round_number,
            question=task.question.hash,
            kind=task.kind,
            sample_index=task.sample_index,
            parent=task.parent,
            prompt=task.prompt.hash,
            completion=reply.completion,
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
            endpoint=identity.endpoint,
            model=identity.model,
            model_replied=reply.model,
            weights=identity.weights,
            parameters=self._parameters,
            seed=seed_of(task.key),
            seed_honoured=identity.honours.get("seed"),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            tokens_cached=reply.tokens_cached,
            cost=reply.cost,
            price_source=reply.price_source,
            latency=reply.latency,
            error=reply.error,
            error_text=reply.error_text,
            provider=orjson.dumps({**reply.provider, **named}).decode(),
            created_at=datetime.now(UTC).isoformat(),
            recipe=self._context.recipe,
        )
        self._journal.append(record_of(row))
