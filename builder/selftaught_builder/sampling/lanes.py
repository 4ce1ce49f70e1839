"""Who answers a stage: every endpoint of the model reached, identified, and put behind its gate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.concurrency import Gate, Lane
from selftaught_builder.concurrency.breaker import AILMENTS, TRANSPORT
from selftaught_builder.concurrency.gate import limits_of
from selftaught_builder.endpoints.base import Identity
from selftaught_builder.endpoints.probe import probe
from selftaught_builder.recipe import Budget, EndpointSettings, Sample
from selftaught_builder.sampling.provenance import known_honours
from selftaught_builder.serving.pool import Member, Opened
from selftaught_builder.spending.budget import prices_of
from selftaught_builder.store import Store

SILENCE = 5.0
"""Seconds after which it is said who is waited for."""
BEGINNING = 60.0
"""Seconds in which one of several endpoints has to say who it is, and to be probed: the others are ready to begin."""


@dataclass(frozen=True)
class Terms:
    """On which terms endpoints are asked.

    Attributes:
        settings: the endpoint with its replicas.
        concurrency: requests at once.
        sample: holds the limits by the minute, where there are any.
        budget: what may be spent.
        probed: whether to find out which parameters each honours, where that is not known yet.
    """

    settings: EndpointSettings
    concurrency: int | Literal["auto"]
    sample: Sample | None = None
    budget: Budget | None = None
    probed: bool = False


async def reach(opened: Opened, store: Store, terms: Terms, note: Callable[[str], None]) -> list[Lane]:
    """Return the endpoints that can be asked; of several those that cannot are left out for this stage, and noted.

    Raises:
        EndpointError: none can be reached, or they serve different weights.
    """
    patience = BEGINNING if len(opened.members) > 1 else None
    found = await asyncio.gather(*(_identify(member, patience, note) for member in opened.members))
    there = [(member, who) for member, who in zip(opened.members, found, strict=True) if isinstance(who, Identity)]
    problems = [*opened.problems, *(one for one in found if isinstance(one, EndpointError))]
    if not there:
        raise _nobody(problems)
    for problem in problems:
        note(
            f"going on without one of the endpoints: {problem.place}: {problem.message}. {problem.mend or ''}".rstrip()
        )
    there = [(member, _recorded(member, who, terms.settings.model)) for member, who in there]
    _check_same([who for _, who in there])
    lanes = [_lane(member, who, terms, note) for member, who in there]
    for lane in lanes:  # one after the other, since a probe compares what a server says when it has nothing else to do
        try:
            async with asyncio.timeout(BEGINNING if len(lanes) > 1 else None):
                honours = await _honours(lane, store, terms)
        except TimeoutError:
            note(f"{lane.identity.endpoint}: which parameters it honours is not found out in {BEGINNING:g} s")
        else:
            lane.identity = replace(lane.identity, honours=honours)
    return lanes


def _nobody(problems: Sequence[EndpointError]) -> EndpointError:
    """Return the error of the first endpoint, and that the others are no better."""
    first, *others = problems
    if not others:
        return first
    mend = f"{first.mend or ''} None of the others can be asked either: `selftaught doctor` says why.".strip()
    return EndpointError(first.message, place=first.place, mend=mend)


async def _identify(member: Member, patience: float | None, note: Callable[[str], None]) -> Identity | EndpointError:
    place = member.settings.base_url or member.settings.model
    told = asyncio.get_running_loop().call_later(SILENCE, note, f"waiting for {place} to say who it is")
    try:
        async with asyncio.timeout(patience):
            return await member.endpoint.identify()
    except EndpointError as error:
        return error
    except TimeoutError:
        return EndpointError(f"does not say within {patience:g} s who it is", place=place)
    finally:
        told.cancel()


def _recorded(member: Member, who: Identity, model: str) -> Identity:
    """A replica's attempts are those of the model, whatever its name there.

    Where two have no address of their own, as providers behind litellm, the name there is part of the place.
    """
    if member.settings.model == model:
        return who
    return replace(who, model=model, endpoint=f"{who.endpoint} {member.settings.model}")


def _check_same(found: Sequence[Identity]) -> None:
    if len({who.weights for who in found}) > 1:
        said = "; ".join(f"{who.endpoint}: {who.weights}" for who in found)
        raise EndpointError(
            f"the replicas do not serve the same weights ({said})",
            place="endpoint.replicas",
            mend="Serve the same checkpoint everywhere, or take out those that serve another, or do not say what they serve.",
        )


def _lane(member: Member, who: Identity, terms: Terms, note: Callable[[str], None]) -> Lane:
    settings, own, shared = member.settings, member.limits, terms.sample or Sample()
    alone = not terms.settings.replicas
    wanted = own.concurrency or terms.concurrency
    limit, most = limits_of(member.endpoint.slots, wanted, adapts=settings.kind != "local")
    gate = Gate(
        limit,
        most,
        requests_per_minute=own.requests_per_minute or shared.requests_per_minute,
        tokens_per_minute=own.tokens_per_minute or shared.tokens_per_minute,
        probes=settings.retries + 1,
        ailments=TRANSPORT if alone else AILMENTS,
        patience=settings.timeout / 2,
        name="the endpoint" if alone else who.endpoint,
        note=note,
    )
    asked_as = settings.model if settings.model != terms.settings.model else None
    return Lane(member.endpoint, who, gate, settings.share, prices_of(terms.budget, settings, who.prices), asked_as)


async def _honours(lane: Lane, store: Store, terms: Terms) -> Mapping[str, bool | None]:
    """What a probe found: this one's, or an earlier round's of the same endpoint."""
    known = known_honours(store, lane.identity)
    if known is None and terms.probed:
        return await probe(lane.endpoint)
    return known or {}
