"""The stages, in the order in which data flows: sample, verify, rationalize, verify, export.

Each can be run by itself and again at any time; each does only what is not done yet.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

from selftaught_builder.endpoints import Endpoint, Identity, Reply, open_endpoint
from selftaught_builder.endpoints.probe import probe
from selftaught_builder.export.version import Version, export_version
from selftaught_builder.keys import weights_identity
from selftaught_builder.plans import Asking, Known, Plan, failed_questions, parameters_of
from selftaught_builder.policy import check_policy
from selftaught_builder.provenance import known_honours, record_questions, record_round, require_run
from selftaught_builder.room import Room
from selftaught_builder.sampler import Context, Sampler, Tally, Task
from selftaught_builder.store import Store
from selftaught_builder.verification import Verified, current_versions, find_verifiers, pending, verify

ROUND = 1


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
class Asked:
    """What a sampling stage did.

    Attributes:
        tally: counts of this invocation.
        planned: samples the stage is made of.
        reused: samples that were there already.
        interrupted: stopped by the user; running again continues.
    """

    tally: Tally
    planned: int
    reused: int
    interrupted: bool = False


def sample(room: Room, watcher: Watcher | None = None) -> Asked:
    """Get k samples of every question that lacks them.

    Raises:
        InputError: recipe, questions, policy or endpoint are wrong; nothing was asked.
        SelftaughtError: the endpoint or the disk gave up; everything so far is kept.
    """
    askings = [Asking(question) for question in room.questions.questions]
    return _ask(room, lambda store: askings, "sampled", room.recipe.sample.k, watcher or Silent())


def rationalize(room: Room, watcher: Watcher | None = None) -> Asked:
    """Ask again, with the answer as a hint, where no sample is kept. Raises what `sample` raises."""
    questions = room.questions.questions

    def failed(store: Store) -> list[Asking]:
        verify(store, room.recipe.verify)
        return failed_questions(store, room.recipe, questions)

    return _ask(room, failed, "rationalized", room.recipe.rationalize.k, watcher or Silent())


def verify_room(room: Room, watcher: Watcher | None = None) -> Verified:
    """Add the verdicts that the store lacks."""
    watcher = watcher or Silent()
    store = room.store()
    with store.writer(), watcher.stage("verify", pending(store, room.recipe.verify), None):
        return verify(store, room.recipe.verify, watcher.advance)


def export(room: Room) -> Version:
    """Write the dataset version that the policy selects; the same store and recipe give the same version.

    Raises:
        PolicyError: the policy is no SQL predicate.
        NothingKeptError: it keeps nothing.
    """
    check(room)
    store = room.store()
    require_run(store, room.run)
    with store.writer():
        verify(store, room.recipe.verify)
        return export_version(store, room.recipe, room.prompter, room.folder, room.run)


def check(room: Room) -> None:
    """Check all of a recipe that can be checked without asking anything: verifiers, policy, prompts."""
    find_verifiers(room.recipe.verify)
    _ = room.prompter
    with empty_schema() as connection:
        check_policy(connection, room.recipe.keep, current_versions(room.recipe.verify))


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


def _ask(room: Room, askings: Callable[[Store], list[Asking]], kind: str, k: int, watcher: Watcher) -> Asked:
    check(room)
    store = room.store(create=True)
    with store.writer():
        store.commit_journal()
        record_questions(store, room.run, room.recipe.name, room.questions)
        todo = askings(store) if k else []
        if not todo:
            return Asked(Tally(), 0, 0)
        return asyncio.run(_ask_endpoint(room, store, todo, kind, k, watcher))


async def _ask_endpoint(room: Room, store: Store, askings: list[Asking], kind: str, k: int, watcher: Watcher) -> Asked:
    recipe = room.recipe
    async with open_endpoint(recipe.endpoint, room.folder) as endpoint:
        identity = await _identify(endpoint, store)
        if identity.weights == "unknown":
            watcher.note(f"weights of {identity.model}: unknown; run `{room.run}` stands in for them")
        record_round(store, room.run, ROUND, recipe, identity)
        plan = _plan(room, store, askings, kind, k, identity)
        todo = sum(1 for _ in plan)
        context = Context(room.run, ROUND, identity, plan.parameters, recipe.endpoint.retries)
        wanted = recipe.sample.concurrency
        concurrency = endpoint.slots if wanted == "auto" else wanted
        sampler = Sampler(store, endpoint, context, concurrency, watcher.replied)
        if todo < plan.size:
            watcher.note(f"{plan.size - todo} of {plan.size} were there already")
        with _stopped_by_signals(sampler, watcher), watcher.stage(kind, todo, sampler.tally):
            await sampler.run(plan)
        return Asked(sampler.tally, plan.size, plan.size - todo, sampler.interrupted)


async def _identify(endpoint: Endpoint, store: Store) -> Identity:
    """Say who answers, with what a probe found: this one's, or an earlier round's of the same endpoint."""
    identity = await endpoint.identify()
    honours = known_honours(store, identity)
    return replace(identity, honours=await probe(endpoint) if honours is None else honours)


def _plan(room: Room, store: Store, askings: list[Asking], kind: str, k: int, identity: Identity) -> Plan:
    weights = weights_identity(identity.weights, run=room.run, round_number=ROUND, model=identity.model)
    known, parameters = Known.of(store, kind), parameters_of(room.recipe, kind=kind)
    return Plan(kind, askings, k, room.prompter, parameters, weights, known)


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
