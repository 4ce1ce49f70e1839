"""The stage `verify`: add the verdicts that nobody is asked for, ask what the endpoint verifiers lack, and add theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import chain

from selftaught_builder.concurrency import Dispatch
from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.probing import ENDPOINT_VERIFIERS
from selftaught_builder.probing.asked import last_asked, record_asked
from selftaught_builder.probing.plan import ProbePlan, WhomOf
from selftaught_builder.probing.subjects import Subject, targets
from selftaught_builder.probing.verifier import author_identity, judge_identity
from selftaught_builder.prompts.restore import restore_prompts
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.parameters import stored_form
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.lanes import Terms, reach
from selftaught_builder.sampling.plan import Known
from selftaught_builder.sampling.provenance import require_run
from selftaught_builder.sampling.sampler import Sampler
from selftaught_builder.sampling.task import SamplingContext
from selftaught_builder.scope.scope import Scope
from selftaught_builder.serving.pool import Opened, open_pool
from selftaught_builder.spending.budget import Budget, check_priceable
from selftaught_builder.stages.asking import note_lanes, work_through
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge, expect_requests, together
from selftaught_builder.stages.result import Asked, StageResult
from selftaught_builder.stages.stage import Answerer, Stage
from selftaught_builder.stages.watcher import Watcher
from selftaught_builder.verification import broken_verifiers, pending, verify


def verify_room(context: RoundContext) -> StageResult:
    """Add the verdicts that the store lacks; if that takes a model, ask it first.

    Without an endpoint verifier in the recipe, or if none of them lacks anything, no endpoint is opened.

    Raises:
        InputError: recipe or endpoint are wrong, or the store has no such run.
        SelftaughtError: the endpoint or the disk gave up; everything so far is kept.
    """
    store, watcher, filter = context.workspace.store, context.watcher, context.filter
    scope = context.workspace.scope() if context.number is None else context.scope()
    with store.writer():
        with watcher.stage("verify", pending(store, filter.verifiers, scope), None):
            verified = verify(store, filter.verifiers, scope, watcher.advance, watcher.note)
        for one in broken_verifiers(store, filter.versions, scope):
            watcher.note(one.line)
        result = _ask(context, scope) if asks_a_model(context.room.recipe) else StageResult()
        if result.asked and result.asked.identity and not result.stop:
            for name, counts in verify(store, filter.verifiers, scope).outcomes.items():
                verified.outcomes[name] += counts
        return replace(result, verified=verified, facts={"verdicts": verified.verdicts})


def asks_a_model(recipe: Recipe) -> bool:
    """Whether the recipe has a verifier that asks a model."""
    return any(name in ENDPOINT_VERIFIERS for name in recipe.verify)


def _ask(context: RoundContext, scope: Scope) -> StageResult:
    """Ask the round's model for the verifiers that have no endpoint of their own, then each of the others'."""
    room = context.room
    require_run(context.workspace.store, room.run)
    authors: list[ProbePlan] = []
    others: list[ProbePlan] = []
    done = Asked()
    for plan in _plans(context, scope):
        if next(iter(plan), None) is None:
            done = replace(done, planned=done.planned + plan.size, reused=done.reused + plan.size)
        else:
            (others if plan.verifier.settings else authors).append(plan)
    result = StageResult(done)
    for plans in [authors] * bool(authors) + [[plan] for plan in others]:
        settings = plans[0].verifier.settings
        check_priceable(room.recipe.sample.budget, settings or room.recipe.endpoint)
        # Before there is an event loop: a server's start can then be interrupted.
        answering = open_pool(settings, room.folder) if settings else context.open()
        result = asyncio.run(_ask_endpoint(context, plans, answering, result))
        if result.stop:
            break
    return result


def _plans(context: RoundContext, scope: Scope) -> list[ProbePlan]:
    """What there is to ask as far as can be said before it is known who answers."""
    store = context.workspace.store
    store.commit_journal()
    versions, known = context.filter.versions, Known.of(store, "probed")
    plans = []
    for verifier in (one.endpoint for one in context.filter.verifiers if one.endpoint):
        options = verifier.options
        attempts = targets(store, verifier.place, options.of, options.sample, versions, scope)
        whom = _always(last_asked(store, verifier) or "nobody yet") if verifier.settings else _author
        plans.append(ProbePlan(store, verifier, attempts, whom, known))
    restore_prompts(store, ("probed",), chain.from_iterable(plan.prompts() for plan in plans))
    return plans


async def _ask_endpoint(
    context: RoundContext,
    plans: Sequence[ProbePlan],
    answering: AbstractAsyncContextManager[Opened],
    result: StageResult,
) -> StageResult:
    room, watcher = context.room, context.watcher
    sample, of_plans = room.recipe.sample, plans[0].verifier
    own, store = of_plans.settings, plans[0].store
    settings = own or room.recipe.endpoint
    wanted = of_plans.options.concurrency if own else sample.concurrency
    terms = Terms(settings, wanted, None if own else sample, sample.budget)
    async with answering as opened:
        lanes = await reach(opened, store, terms, watcher.note)
        dispatch, identity = Dispatch(lanes), lanes[0].identity
        here = author_identity(identity, room.run, context.round)
        for plan in plans:
            verifier = plan.verifier
            record_asked(store, verifier, identity)
            plan = replace(plan, whom=_always(judge_identity(identity)) if own else _only(here))
            _note_out_of_reach(plan, watcher)
            budget = Budget.of(store, room.run, context.round, sample.budget, dearest([lane.prices for lane in lanes]))
            common = SamplingContext(room.run, context.round, verifier.parameters, settings.retries, room.recipe.hash)
            tally = result.asked.tally if result.asked else None
            sampler = Sampler(store, dispatch, common, watcher.replied, tally, budget, watcher.note)
            result = await work_through(plan, verifier.name, sampler, watcher, result)
            if result.stop:
                break
        note_lanes(lanes, watcher)
    return result


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


def expects(room: Room, number: int, known: StoreKnowledge, *, samples: int) -> Expected:
    """Return what the endpoint verifiers would ask: about every attempt at most, since all may meet their predicate."""
    questions = len(room.divided.training.questions)
    parts = []
    for verifier in (one.endpoint for one in known.verifiers if one.endpoint):
        attempts = questions * samples
        about = min(attempts, verifier.options.sample or attempts)
        asked = stored_form(verifier.parameters)
        requests = known.lacking(number, asked, verifier.most(about, questions))
        most = int(verifier.parameters.get("max_tokens", 0))
        settings = verifier.settings or room.recipe.endpoint
        parts.append(expect_requests(settings, requests, most, known.mean("probed", asked)))
    return together(parts)


def _of_samples(room: Room, number: int, known: StoreKnowledge) -> Expected:
    return expects(room, number, known, samples=room.recipe.sample.k)


def _of_rationalized(room: Room, number: int, known: StoreKnowledge) -> Expected:
    return expects(room, number, known, samples=room.recipe.rationalize.k)


def _answerer(room: Room) -> Answerer | None:
    """The round's checkpoint has to be there only if somebody asks it."""
    return Answerer.ROUND_BEFORE if asks_a_model(room.recipe) else None


def _rationalizes(recipe: Recipe) -> bool:
    return bool(recipe.rationalize.k)


STAGE = Stage("verify", verify_room, judges="sampled", answerer=_answerer, expects=_of_samples)
STAGE_RATIONALIZED = replace(
    STAGE, name="verify_rationalized", judges="rationalized", belongs=_rationalizes, expects=_of_rationalized
)
