"""Accounts: what a run paid for, and what of it is in the newest dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from selftaught_builder.room.room import Room
from selftaught_builder.selection.fates import EXPORTED, FATES
from selftaught_builder.selection.newest import newest_version
from selftaught_builder.store import Store

MEASURING = ("evaluated", "probed")
"""The fates of attempts that were never meant for a dataset."""
UNJUDGED = "unverified"
"""The fate of which nobody knows yet what comes of it."""

_ENDPOINTS = """
    SELECT endpoint, count(*) AS attempts, count(*) FILTER (error IS NULL) AS completions,
        count(*) FILTER (error IS NOT NULL) AS failed,
        sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out, sum(cost) AS cost,
        median(latency) FILTER (error IS NULL) AS seconds
    FROM attempts WHERE run = ? GROUP BY endpoint ORDER BY attempts DESC, endpoint"""


@dataclass(frozen=True)
class Figures:
    """What some attempts cost.

    Attributes:
        attempts: tries, failed ones included.
        tokens_in, tokens_out: tokens, as far as they are known.
        cost: US dollars, as far as they are known; None where no price is.
        uncounted: attempts of which the tokens are not known.
        unpriced: attempts of which the cost is not known. What was refused or reached nobody took nothing, and is in neither.
    """

    attempts: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    uncounted: int = 0
    unpriced: int = 0


@dataclass(frozen=True)
class Accounts:
    """What became of what a run paid for; `paid` is the sum of all the others.

    Attributes:
        version: the newest version; "" where there is none yet.
        paid: every try of the run, of any kind.
        kept: what is in the newest version.
        earlier: what was in an earlier version only.
        waiting: what an export would take now, and what came since the newest version.
        unjudged: completions without an answer verdict yet: `verify` says what they are worth.
        measuring: evaluations and the questions of endpoint verifiers, by `evaluated` and `probed`.
        wasted: the rest, by fate (`fates.FATES`), those that came furthest first.
        wasted_in_all: the sum of `wasted`.
    """

    version: str
    paid: Figures
    kept: Figures
    earlier: Figures
    waiting: Figures
    unjudged: Figures
    measuring: Mapping[str, Figures]
    wasted: Mapping[str, Figures]
    wasted_in_all: Figures


def count_accounts(store: Store, room: Room, fates: pl.DataFrame) -> Accounts:
    """Count what a run paid for.

    Args:
        store: the store, verified.
        room: its run and recipe.
        fates: what `fates.fates_of` returns for the newest scope.
    """
    newest = newest_version(store, room)
    fates = fates.filter(pl.col("run") == room.run)
    within, earlier = (pl.col("attempt").is_in(list(part)) for part in (newest.attempts, newest.earlier))
    place = (
        pl.when(within)
        .then(pl.lit("kept"))
        .when(earlier)
        .then(pl.lit("earlier"))
        .when(pl.col("fate") == EXPORTED)
        .then(pl.lit("waiting"))
        .when(pl.col("fate").is_in(MEASURING))
        .then(pl.lit("measuring"))
        .when(pl.col("fate") == UNJUDGED)
        .then(pl.lit("unjudged"))
        .otherwise(pl.lit("wasted"))
    )
    placed = fates.with_columns(place.alias("place"))

    def of(name: str) -> pl.DataFrame:
        return placed.filter(pl.col("place") == name)

    def by_fate(name: str) -> dict[str, Figures]:
        part = of(name)
        return {fate: _sum(part.filter(pl.col("fate") == fate)) for fate in FATES if (part["fate"] == fate).any()}

    return Accounts(
        version=newest.name,
        paid=_sum(placed),
        kept=_sum(of("kept")),
        earlier=_sum(of("earlier")),
        waiting=_sum(of("waiting")),
        unjudged=_sum(of("unjudged")),
        measuring=by_fate("measuring"),
        wasted=by_fate("wasted"),
        wasted_in_all=_sum(of("wasted")),
    )


def count_endpoints(store: Store, run: str) -> pl.DataFrame:
    """Count what a run asked of each endpoint: a row each, with what came of it, and the seconds of the median completion."""
    return store.sql(_ENDPOINTS, [run])


def _sum(attempts: pl.DataFrame) -> Figures:
    priced = attempts["cost"].drop_nulls()
    unknown = attempts.filter(~pl.col("refused"))
    unpriced = unknown["cost"].null_count()
    return Figures(
        attempts=attempts.height,
        tokens_in=int(attempts["tokens_in"].sum()),
        tokens_out=int(attempts["tokens_out"].sum()),
        cost=float(priced.sum()) if priced.len() or not unpriced else None,
        uncounted=unknown.filter(pl.any_horizontal(pl.col("tokens_in", "tokens_out").is_null())).height,
        unpriced=unpriced,
    )
