"""What is spent of a run's budget, limit by limit: the accounts that hold back the next request, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.endpoints.prices import dearest
from selftaught_builder.recipe import Budget, EndpointSettings, Prices
from selftaught_builder.room.room import Room
from selftaught_builder.spending.budget import REFUSALS, check_priceable, prices_of
from selftaught_builder.spending.budget import Budget as Accounts
from selftaught_builder.store import Store

_NEWEST_ROUND = "SELECT max(round) FROM attempts WHERE run = $run"
_UNSAID = f"""
    SELECT count(*) FILTER (cost IS NULL OR $tokens) FROM attempts
    WHERE run = $run AND (tokens_in IS NULL OR tokens_out IS NULL) AND (error IS NULL OR error NOT IN {REFUSALS})"""


@dataclass(frozen=True)
class OfLimit:
    """What is spent of one limit.

    Attributes:
        key: where it stands in the recipe, such as `sample.budget.per_round.usd`.
        of: what it limits: `the run`, `round 2`, or `a question`.
        unit: `usd`, `tokens`, `attempts` or `seconds`.
        allowed: how much there may be.
        spent: how much there is; of a question, of the one that has spent the most.
    """

    key: str
    of: str
    unit: str
    allowed: float
    spent: float

    @property
    def left(self) -> float:
        """How much there is left."""
        return max(0.0, self.allowed - self.spent)


@dataclass(frozen=True)
class Spent:
    """What is spent of a budget.

    Attributes:
        limits: the limits that are set: the run's, the round's, then a question's.
        at_most: attempts of which nobody knows what they took; they count at the most they may have.
    """

    limits: list[OfLimit]
    at_most: int


def spent(room: Room, round_number: int | None = None) -> Spent | None:
    """Return what a room's run has spent of its budget so far, None where the recipe has none. No store is made.

    Args:
        room: the room.
        round_number: the round that `per_round` is about; the newest one that has attempts where None.

    Raises:
        InputError: dollars are limited, and nobody will know what the endpoint charges.
    """
    limits, settings = room.recipe.sample.budget, room.recipe.endpoint
    check_priceable(limits, settings)
    prices = dearest([_prices(limits, door) for door in settings.doors])
    store = room.store() if room.store_path.exists() else None
    at = round_number if round_number is not None else _count(store, _NEWEST_ROUND, run=room.run) or 1
    budget = Accounts.of(store, room.run, at, limits, prices)
    if budget is None:
        return None
    alike = [[account] for account in budget.accounts] + [budget.questions] * bool(budget.questions)
    spent_of = [
        OfLimit(
            f"{accounts[0].key}.{unit}", accounts[0].title, unit, allowed, max(one.amount(unit) for one in accounts)
        )
        for accounts in alike
        for unit, allowed in accounts[0].limits.items()
    ]
    units = {limit.unit for limit in spent_of}
    known = {"usd", "tokens"} if prices else {"tokens"}
    unsaid = _count(store, _UNSAID, run=room.run, tokens="tokens" in units) if units & known else 0
    return Spent(spent_of, unsaid or 0)


def _prices(limits: Budget | None, settings: EndpointSettings) -> Prices | None:
    """What an endpoint charges; None where only the server can say so."""
    try:
        return prices_of(limits, settings)
    except InputError:
        return None


def _count(store: Store | None, query: str, **at: Any) -> int | None:
    """The one number that a query finds; None where there is no store yet."""
    if store is None:
        return None
    with store.read() as connection:
        return connection.execute(query, at).fetchall()[0][0]
