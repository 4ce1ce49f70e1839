"""The stage `verify`: add the verdicts that nobody is asked for, ask what the endpoint verifiers lack, and add theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import chain

from selftaught_builder.common.errors import BudgetStop
from selftaught_builder.concurrency import Dispatch
from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.probing.asked import last_asked, record_asked
from selftaught_builder.probing.plan import ProbePlan, WhomOf
from selftaught_builder.probing.subjects import Subject, targets
from selftaught_builder.probing.verifier import author_identity, judge_identity
from selftaught_builder.prompts.restore import restore_prompts
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.lanes import Terms, reach
from selftaught_builder.sampling.plan import Known
from selftaught_builder.sampling.provenance import require_run
from selftaught_builder.sampling.sampler import Context, Sampler, Tally
from selftaught_builder.scope.scope import Scope, scope_of
from selftaught_builder.serving.pool import Opened, open_pool
from selftaught_builder.spending.budget import Budget, check_priceable
from selftaught_builder.stages.pipeline import Asked, Silent, Turn, Watcher, note_lanes, work_through
from selftaught_builder.store import Store
from selftaught_builder.verification import Verified, broken_verifiers, chosen_verifiers, pending, verify, versions_of


def verify_room(room: Room, watcher: Watcher | None = None, turn: Turn | None = None) -> tuple[Asked, Verified]:
    """Add the verdicts that the store lacks; where that takes a model, ask it first.

    Without an endpoint verifier in the recipe, or where none of them lacks anything, no endpoint is opened.

    Raises:
        InputError: recipe or endpoint are wrong, or the store has no such run.
        BudgetStop: a budget is spent; everything so far is kept.
        SelftaughtError: the endpoint or the disk gave up; everything so far is kept.
    """
    watcher, store = watcher or Silent(), room.store()
    scope = turn.scope(store, room) if turn else scope_of(store, room)
    turn = turn or Turn()
    with store.writer():
        with watcher.stage("verify", pending(store, room.recipe, scope), None):
            verified = verify(store, room.recipe, scope, watcher.advance, watcher.note)
        for one in broken_verifiers(store, room.recipe, scope):
            watcher.note(one.line)
        try:
            asked = _ask(room, store, scope, watcher, turn) if asks(room) else Asked(Tally(), 0, 0)
        except BudgetStop as stop:
            stop.verified = verified
            raise
        if asked.identity and not asked.interrupted:
            for name, counts in verify(store, room.recipe, scope).outcomes.items():
                verified.outcomes[name] += counts
        return asked, verified


def asks(room: Room) -> bool:
    """Whether the recipe has a verifier that asks a model."""
    return any(one.endpoint for one in chosen_verifiers(room.recipe))


def _ask(room: Room, store: Store, scope: Scope, watcher: Watcher, turn: Turn) -> Asked:
    """Ask the round's model for the verifiers that have no endpoint of their own, then each of the others'."""
    require_run(store, room.run)
    authors: list[ProbePlan] = []
    others: list[ProbePlan] = []
    done = Asked(Tally(), 0, 0)
    for plan in _plans(room, store, scope):
        if next(iter(plan), None) is None:
            done = replace(done, planned=done.planned + plan.size, reused=done.reused + plan.size)
        else:
            (others if plan.verifier.settings else authors).append(plan)
    for plans in [authors] * bool(authors) + [[plan] for plan in others]:
        settings = plans[0].verifier.settings
        check_priceable(room.recipe.sample.budget, settings or room.recipe.endpoint)
        # Before there is an event loop: a server's start can then be interrupted.
        answering = open_pool(settings, room.folder) if settings else turn.open(room)
        done = asyncio.run(_ask_endpoint(room, plans, watcher, turn, answering, done))
        if done.interrupted:
            break
    return done


def _plans(room: Room, store: Store, scope: Scope) -> list[ProbePlan]:
    """What there is to ask as far as can be said before it is known who answers."""
    store.commit_journal()
    versions, known = versions_of(room.recipe), Known.of(store, "probed")
    plans = []
    for verifier in (one.endpoint for one in chosen_verifiers(room.recipe) if one.endpoint):
        options = verifier.options
        attempts = targets(store, verifier.place, options.of, options.sample, versions, scope)
        whom = _always(last_asked(store, verifier) or "nobody yet") if verifier.settings else _author
        plans.append(ProbePlan(store, verifier, attempts, whom, known))
    restore_prompts(store, ("probed",), chain.from_iterable(plan.prompts() for plan in plans))
    return plans


async def _ask_endpoint(
    room: Room,
    plans: Sequence[ProbePlan],
    watcher: Watcher,
    turn: Turn,
    answering: AbstractAsyncContextManager[Opened],
    done: Asked,
) -> Asked:
    sample, of_plans = room.recipe.sample, plans[0].verifier
    own, store = of_plans.settings, plans[0].store
    settings = own or room.recipe.endpoint
    wanted = of_plans.options.concurrency if own else sample.concurrency
    terms = Terms(settings, wanted, None if own else sample, sample.budget)
    async with answering as opened:
        lanes = await reach(opened, store, terms, watcher.note)
        dispatch, identity = Dispatch(lanes), lanes[0].identity
        here = author_identity(identity, room.run, turn.number)
        for plan in plans:
            verifier = plan.verifier
            record_asked(store, verifier, identity)
            plan = replace(plan, whom=_always(judge_identity(identity)) if own else _only(here))
            _note_out_of_reach(plan, watcher)
            budget = Budget.of(store, room.run, turn.number, sample.budget, dearest([lane.prices for lane in lanes]))
            context = Context(room.run, turn.number, verifier.parameters, settings.retries, room.recipe.hash)
            sampler = Sampler(store, dispatch, context, watcher.replied, done.tally, budget, watcher.note)
            done = await work_through(plan, verifier.name, sampler, watcher, done)
            if done.interrupted:
                break
        note_lanes(lanes, watcher)
    return done


def _note_out_of_reach(plan: ProbePlan, watcher: Watcher) -> None:
    if plan.out_of_reach:
        watcher.note(
            f"{plan.verifier.name}: {plan.out_of_reach} attempts are of other weights than those that answer now, and are "
            "not asked about"
        )


def _author(subject: Subject) -> str:
    return subject.author


def _always(whom: str) -> WhomOf:
    return lambda subject: whom


def _only(author: str) -> WhomOf:
    return lambda subject: author if subject.author == author else None
