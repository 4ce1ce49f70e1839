"""The stages, in the order in which data flows: sample, verify (`probing.asking`), rationalize, verify, export; and evaluate.

Each can be run by itself and again at any time; each does only what is not done yet.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from selftaught_builder.common.errors import BudgetStop
from selftaught_builder.common.keys import weights_identity
from selftaught_builder.concurrency import Dispatch, Lane
from selftaught_builder.endpoints import Identity, Reply
from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.export.version import Version, export_version
from selftaught_builder.probing.subjects import check_predicate
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.restore import restore_prompts
from selftaught_builder.recipe.parameters import parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.lanes import Terms, reach
from selftaught_builder.sampling.plan import Asking, Known, Plan
from selftaught_builder.sampling.provenance import record_questions, record_round, require_run, weights_of_round
from selftaught_builder.sampling.sampler import Context, Sampler, Tally, Task
from selftaught_builder.scope.asked_prompts import record_prompts, recover_prompts
from selftaught_builder.scope.scope import Scope, scope_of
from selftaught_builder.selection.failed import failed_questions
from selftaught_builder.selection.policy import check_policy
from selftaught_builder.serving.pool import Opened, open_pool
from selftaught_builder.spending.budget import Budget, check_priceable
from selftaught_builder.store import Store
from selftaught_builder.store.predicates import check_repeatable
from selftaught_builder.verification import chosen_verifiers, verify


class Watcher(Protocol):
    """Who is told how a stage goes; the command line shows it."""

    def stage(self, title: str, total: int, tally: Tally | None) -> AbstractContextManager[None]:
        """A stage of `total` steps begins; it is over when the context is left."""
        ...

    def replied(self, task: Task, reply: Reply) -> None:
        """A task has got its last reply."""
        ...

    def advance(self, steps: int) -> None:
        """Some steps of the stage are done."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...


class Silent:
    """A watcher that shows nothing."""

    def stage(self, title: str, total: int, tally: Tally | None) -> AbstractContextManager[None]:
        """Show nothing."""
        return nullcontext()

    def replied(self, task: Task, reply: Reply) -> None:
        """Show nothing."""

    def advance(self, steps: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Turn:
    """The round that a stage belongs to.

    Attributes:
        number: the round, counted from 1; 0 evaluates the base model.
        client: opens the pool that answers; if None, each stage starts and stops the recipe's own.
    """

    number: int = 1
    client: Callable[[], AbstractAsyncContextManager[Opened]] | None = None

    def scope(self, store: Store, room: Room) -> Scope:
        """Return the attempts that this round draws on."""
        return scope_of(store, room).of_round(self.number)

    def open(self, room: Room) -> AbstractAsyncContextManager[Opened]:
        """Return the pool that answers in this round, to be entered."""
        return self.client() if self.client else open_pool(room.recipe.endpoint, room.folder)


@dataclass(frozen=True)
class Asked:
    """What a sampling stage did.

    Attributes:
        tally: counts of this invocation.
        planned: samples the stage is made of.
        reused: samples that were there already.
        interrupted: stopped by the user; running again continues.
        seconds: wall time in which the model generated.
        identity: who answered; None where there was nothing to ask.
    """

    tally: Tally
    planned: int
    reused: int
    interrupted: bool = False
    seconds: float = 0.0
    identity: Identity | None = None

    @property
    def counts(self) -> dict[str, Any]:
        """What was asked and what came of it, as it is written down and printed."""
        tally = self.tally
        return {
            "planned": self.planned,
            "reused": self.reused,
            "completions": tally.completions,
            "failed": tally.failed,
            "truncated": tally.truncated,
            "tokens_in": tally.tokens_in,
            "tokens_out": tally.tokens_out,
            "cost": tally.cost,
        }


def sample(room: Room, watcher: Watcher | None = None, turn: Turn = Turn()) -> Asked:
    """Get k samples of every question that lacks them.

    Raises:
        InputError: recipe, questions, policy or endpoint are wrong; nothing was asked.
        BudgetStop: a budget is spent; everything so far is kept.
        SelftaughtError: the endpoint or the disk gave up; everything so far is kept.
    """
    askings = [Asking(question) for question in room.questions.questions]
    parameters = parameters_of(room.recipe, kind="sampled")
    part = Part("sampled", lambda store: askings, room.recipe.sample.k, parameters)
    return ask(room, [part], watcher or Silent(), turn)


def rationalize(room: Room, watcher: Watcher | None = None, turn: Turn = Turn()) -> Asked:
    """Ask again, with the answer as a hint, where no sample is kept. Raises what `sample` raises."""
    questions = room.questions.questions

    def failed(store: Store) -> list[Asking]:
        scope = turn.scope(store, room)
        verify(store, room.recipe, scope)
        return failed_questions(store, room.recipe, questions, scope)

    parameters = parameters_of(room.recipe, kind="rationalized")
    part = Part("rationalized", failed, room.recipe.rationalize.k, parameters)
    return ask(room, [part], watcher or Silent(), turn)


def export(room: Room, turn: Turn | None = None) -> Version:
    """Write the dataset version that the policy selects; the same store and recipe give the same version.

    Args:
        room: the room.
        turn: the round; the newest that has begun if None.

    Raises:
        PolicyError: the policy is no SQL predicate.
        NothingKeptError: it keeps nothing.
    """
    check(room)
    store = room.store()
    require_run(store, room.run)
    with store.writer():
        record_prompts(store, room.run, room.prompter)
        scope = scope_of(store, room)
        if scope.draw_on != "recipe":
            recover_prompts(store, room)
        scope = scope.of_round(turn.number if turn else scope.last)
        verify(store, room.recipe, scope)
        return export_version(store, room.recipe, room.prompter, room.folder, scope)


def check(room: Room) -> None:
    """Check all of a recipe that can be checked without asking anything: verifiers, policy, prompts."""
    chosen = chosen_verifiers(room.recipe)
    versions = {one.name: one.version for one in chosen}
    _ = room.prompter
    with empty_schema() as connection:
        check_policy(connection, room.recipe.keep, versions)
        for one in chosen:
            if one.query:
                check_repeatable(connection, one.query, f"verifiers.{one.name}")
            if one.endpoint:
                check_predicate(connection, one.endpoint.place, one.endpoint.options.of, versions)


@contextmanager
def empty_schema() -> Iterator:
    """Yield an in-memory database with the newest schema, to check a policy against."""
    import duckdb

    from selftaught_builder.store.schema import migrate

    connection = duckdb.connect()
    try:
        migrate(connection, "memory")
        connection.execute("SET enable_external_access = false")
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True)
class Part:
    """What a stage asks: some questions k times, under one set of parameters.

    Attributes:
        kind: `sampled`, `rationalized` or `evaluated`.
        askings: the questions, given the store.
        k: samples for each.
        parameters: sampling parameters, as sent.
        title: what a person is told of it; the kind where "".
    """

    kind: str
    askings: Callable[[Store], list[Asking]]
    k: int
    parameters: Mapping[str, Any]
    title: str = ""


def ask(room: Room, parts: Sequence[Part], watcher: Watcher, turn: Turn) -> Asked:
    """Ask the round's endpoint for what the store lacks of these parts. Raises what `sample` raises."""
    check(room)
    check_priceable(room.recipe.sample.budget, room.recipe.endpoint)
    store = room.store(create=True)
    with store.writer():
        store.commit_journal()
        record_questions(store, room.run, room.recipe.name, room.divided)
        record_prompts(store, room.run, room.prompter)
        restore_prompts(store, ("sampled", "rationalized", "evaluated"), _prompts(room))
        todo = [(part, askings) for part in parts if part.k and (askings := part.askings(store))]
        if not todo:
            return Asked(Tally(), 0, 0)
        answering = turn.open(room)  # before there is an event loop: a server's start can then be interrupted
        return asyncio.run(_ask_endpoint(room, store, todo, watcher, turn, answering))


def _prompts(room: Room) -> Iterator[Prompt]:
    """Render every prompt that a room's questions can be asked under."""
    divided = room.divided
    for question in (*divided.training.questions, *divided.validate, *divided.evaluate):
        for hint in (False, True):
            yield room.prompter.ask(question, hint=hint)


async def _ask_endpoint(
    room: Room,
    store: Store,
    todo: Sequence[tuple[Part, list[Asking]]],
    watcher: Watcher,
    turn: Turn,
    answering: AbstractAsyncContextManager[Opened],
) -> Asked:
    recipe, settings = room.recipe, room.recipe.endpoint
    limits = recipe.sample.budget
    terms = Terms(settings, recipe.sample.concurrency, recipe.sample, limits, probed=True)
    done = Asked(Tally(), 0, 0)
    async with answering as opened:
        lanes = await reach(opened, store, terms, watcher.note)
        identity = lanes[0].identity
        if identity.weights == "unknown":
            watcher.note(f"weights of {identity.model}: unknown; run `{room.run}` and the round stand in for them")
        if any(part.kind != "evaluated" for part, _ in todo):
            before = weights_of_round(store, room.run, turn.number)
            if before and identity.weights not in before:
                watcher.note(
                    f"round {turn.number} was begun with weights {', '.join(before)}, and {identity.weights} answer now: "
                    "it is asked anew, and what is there stays"
                )
            who = [lane.identity for lane in lanes]
            record_round(store, room.run, turn.number, recipe, who, room.prompter.form.hash)
        dispatch = Dispatch(lanes)
        budget = Budget.of(store, room.run, turn.number, limits, dearest([lane.prices for lane in lanes]))
        for part, askings in todo:
            weights = weights_identity(identity.weights, run=room.run, round_number=turn.number, model=identity.model)
            known = Known.of(store, part.kind)
            plan = Plan(part.kind, askings, part.k, room.prompter, dict(part.parameters), weights, known)
            context = Context(room.run, turn.number, plan.parameters, settings.retries, recipe.hash)
            sampler = Sampler(store, dispatch, context, watcher.replied, done.tally, budget, watcher.note)
            done = await work_through(plan, part.title or part.kind, sampler, watcher, done)
            if done.interrupted:
                break
        note_lanes(lanes, watcher)
    return done


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

    def __iter__(self) -> Iterator[Task]: ...


async def work_through(plan: Planned, title: str, sampler: Sampler, watcher: Watcher, done: Asked) -> Asked:
    """Get what a plan lacks; returns what was done before with this added, or raises BudgetStop with it."""
    lacking = sum(1 for _ in plan)
    if lacking < plan.size:
        watcher.note(f"{plan.size - lacking:,} of {plan.size:,} were there already")
    started, withheld = time.monotonic(), sampler.tally.withheld
    stop: BudgetStop | None = None
    with _stopped_by_signals(sampler, watcher), watcher.stage(title, lacking, sampler.tally):
        try:
            await sampler.run(plan)
        except BudgetStop as error:
            stop = error
    if withheld := sampler.tally.withheld - withheld:
        watcher.note(
            f"{withheld} samples were not asked for: `sample.budget.per_question` is spent for their questions"
        )
    asked = Asked(
        sampler.tally,
        done.planned + plan.size,
        done.reused + plan.size - lacking,
        sampler.interrupted,
        done.seconds + time.monotonic() - started,
        sampler.dispatch.lanes[0].identity,
    )
    if stop:
        stop.asked = asked
        raise stop
    return asked


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
