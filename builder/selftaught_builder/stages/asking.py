"""Asking: what the stages that sample have in common. They get what a plan lacks from whoever answers in the round."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from selftaught_builder.common.errors import BudgetStop, Stopped, UserStop
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS, weights_identity
from selftaught_builder.concurrency import Dispatch, Lane
from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.restore import restore_prompts
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.lanes import Terms, reach
from selftaught_builder.sampling.plan import Asking, Known, Plan
from selftaught_builder.sampling.provenance import record_questions, record_round, weights_of_round
from selftaught_builder.sampling.sampler import Sampler
from selftaught_builder.sampling.task import SamplingContext, Task
from selftaught_builder.scope.asked_prompts import prompt_hashes, record_prompts
from selftaught_builder.serving.pool import Opened
from selftaught_builder.spending.budget import Budget, check_priceable
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import Asked, StageResult
from selftaught_builder.stages.watcher import Watcher


@dataclass(frozen=True)
class Part:
    """What a stage asks: some questions k times, under one set of parameters.

    Attributes:
        kind: `sampled`, `rationalized` or `evaluated`.
        askings: finds the questions; called once the run is recorded.
        k: samples for each.
        parameters: sampling parameters, as sent.
        title: what a person is told of it; the kind if "".
    """

    kind: str
    askings: Callable[[], list[Asking]]
    k: int
    parameters: Mapping[str, Any]
    title: str = ""


def ask(context: RoundContext, parts: Sequence[Part]) -> StageResult:
    """Ask the round's endpoint for what the store lacks of these parts. Raises what `sample` raises."""
    room = context.room
    _ = context.filter  # a wrong recipe is told before anything is made
    check_priceable(room.recipe.sample.budget, room.recipe.endpoint)
    store = context.workspace.create_store()
    with store.writer():
        store.commit_journal()
        record_questions(store, room.run, room.recipe.name, room.divided)
        record_prompts(store, room.run, room.prompter)
        restore_prompts(store, ("sampled", "rationalized", "evaluated"), _prompts(room))
        todo = [(part, askings) for part in parts if part.k and (askings := part.askings())]
        if not todo:
            return StageResult(Asked())
        answering = context.open()  # before there is an event loop: a server's start can then be interrupted
        return asyncio.run(_ask_endpoint(context, todo, answering))


def _prompts(room: Room) -> Iterator[Prompt]:
    """Render every prompt that a room's questions can be asked under."""
    divided = room.divided
    for question in (*divided.training.questions, *divided.validate, *divided.evaluate):
        for hint in (False, True):
            yield room.prompter.ask(question, hint=hint)


async def _ask_endpoint(
    context: RoundContext,
    todo: Sequence[tuple[Part, list[Asking]]],
    answering: AbstractAsyncContextManager[Opened],
) -> StageResult:
    room, store, watcher = context.room, context.workspace.store, context.watcher
    recipe, settings = room.recipe, room.recipe.endpoint
    limits = recipe.sample.budget
    terms = Terms(settings, recipe.sample.concurrency, recipe.sample, limits, probed=True)
    result = StageResult(Asked())
    async with answering as opened:
        lanes = await reach(opened, store, terms, watcher.note)
        _record_answerers(context, lanes, asks=any(part.kind != "evaluated" for part, _ in todo))
        identity = lanes[0].identity
        dispatch = Dispatch(lanes)
        budget = Budget.of(store, room.run, context.round, limits, dearest([lane.prices for lane in lanes]))
        for part, askings in todo:
            weights = weights_identity(identity.weights, run=room.run, round_number=context.round, model=identity.model)
            known = Known.of(store, part.kind)
            hashes = prompt_hashes(store, room.prompter.form.hash, hint=part.kind == "rationalized")
            plan = Plan(part.kind, askings, part.k, room.prompter, dict(part.parameters), weights, known, hashes)
            common = SamplingContext(room.run, context.round, plan.parameters, settings.retries, recipe.hash)
            tally = result.asked.tally if result.asked else None
            sampler = Sampler(store, dispatch, common, watcher.replied, tally, budget, watcher.note)
            result = await work_through(plan, part.title or part.kind, sampler, watcher, result)
            if result.stop:
                break
        note_lanes(lanes, watcher)
    return result


def _record_answerers(context: RoundContext, lanes: Sequence[Lane], *, asks: bool) -> None:
    """Record who answers in a round that asks questions to train on, and say what is worth knowing of the weights."""
    room, store, note = context.room, context.workspace.store, context.watcher.note
    identity = lanes[0].identity
    if identity.weights == UNKNOWN_WEIGHTS:
        note(f"weights of {identity.model}: unknown; run `{room.run}` and the round stand in for them")
    if not asks:
        return
    before = weights_of_round(store, room.run, context.round)
    if before and identity.weights not in before:
        note(
            f"round {context.round} was begun with weights {', '.join(before)}, and {identity.weights} answer now: "
            "it is asked anew, and what is there stays"
        )
    who = [lane.identity for lane in lanes]
    record_round(store, room.run, context.round, room.recipe, who, room.prompter.form.hash)


def note_lanes(lanes: Sequence[Lane], watcher: Watcher) -> None:
    """Say who of several answered what."""
    if len(lanes) > 1 and any(lane.asked for lane in lanes):
        counts = (f"{lane.identity.endpoint}: {lane.completions} of {lane.asked}" for lane in lanes)
        watcher.note(f"completions by endpoint: {'; '.join(counts)}")


class Planned(Protocol):
    """The tasks of a stage; iterating yields those that are still to do."""

    @property
    def size(self) -> int:
        """How many there are, done ones included."""
        ...

    @property
    def lacking(self) -> int:
        """How many of them are still to do."""
        ...

    def __iter__(self) -> Iterator[Task]: ...


async def work_through(
    plan: Planned, title: str, sampler: Sampler, watcher: Watcher, before: StageResult
) -> StageResult:
    """Get what a plan lacks; return what was asked before with this added, and what has stopped it."""
    lacking, done = plan.lacking, before.asked or Asked()
    if lacking < plan.size:
        watcher.note(f"{plan.size - lacking:,} of {plan.size:,} were there already")
    started, withheld = time.monotonic(), sampler.tally.withheld
    stop: Stopped | None = None
    with _stopped_by_signals(sampler, watcher), watcher.stage(title, lacking, sampler.tally):
        try:
            await sampler.run(plan)
        except BudgetStop as error:
            stop = error
    if withheld := sampler.tally.withheld - withheld:
        watcher.note(
            f"{withheld} samples were not asked for: `sample.budget.per_question` is spent for their questions"
        )
    if stop is None and sampler.interrupted:
        stop = UserStop()
    asked = Asked(
        sampler.tally,
        done.planned + plan.size,
        done.reused + plan.size - lacking,
        sampler.interrupted,
        done.seconds + time.monotonic() - started,
        sampler.dispatch.lanes[0].identity,
    )
    return StageResult(asked, stop)


@contextmanager
def _stopped_by_signals(sampler: Sampler, watcher: Watcher) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks for nothing more and waits for what is in flight; the second does not wait."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if sampler.interrupted:
            sampler.abandon()
            return
        sampler.interrupt()
        watcher.note(f"stopping: waiting for {sampler.tally.in_flight} requests in flight (Ctrl-C again drops them)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
