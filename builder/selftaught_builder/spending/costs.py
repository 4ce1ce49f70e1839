"""What a dataset has cost in all, and what that is for each of its rows."""

from __future__ import annotations

from dataclasses import dataclass

from selftaught_builder.scope.scope import Scope
from selftaught_builder.scope.table import scoped
from selftaught_builder.spending.budget import REFUSALS
from selftaught_builder.store import Connection, Store

_COST = f"""
SELECT sum(cost), count(*) FILTER (cost IS NULL AND (error IS NULL OR error NOT IN {REFUSALS})), count(*)
FROM attempts WHERE run = $run"""
# Who draws on the whole store draws on what other runs have paid for.
_OF_ALL_RUNS = " OR run IN (SELECT run FROM attempts JOIN scoped ON scoped.attempt = attempts.id)"


@dataclass(frozen=True)
class Cost:
    """What was paid so far, whatever the recipe said at the time, and whatever came of it.

    Attributes:
        usd: US dollars, as far as they are known; None if no price is.
        unpriced: attempts of unknown cost. A request that was refused or reached no server cost nothing.
        attempts: tries of every kind, failed ones included.
    """

    usd: float | None
    unpriced: int
    attempts: int

    def per_row(self, rows: int) -> float | None:
        """Return US dollars for each of `rows` rows; None if that is not known."""
        return None if self.usd is None or not rows else self.usd / rows


def cost_line(cost: Cost, per_row: float | None) -> str:
    """Return a run's cost in all, and for each kept row if that is known, as a line."""
    more = f", and {cost.unpriced:,} attempts of unknown price" if cost.unpriced and cost.usd is not None else ""
    each = "" if per_row is None else f"; per kept row: {dollars(per_row)}"
    return f"Cost in all: {dollars(cost.usd)}{more}{each}"


def cost_of(store: Store, scope: Scope) -> Cost:
    """Return what the run of a scope has cost so far; under `draw_on: store`, what all runs that it draws on have cost."""
    if scope.draw_on != "store":
        with store.read() as connection:
            return _cost(connection.execute(_COST, {"run": scope.run}))
    with scoped(store, scope) as connection:
        return _cost(connection.execute(_COST + _OF_ALL_RUNS, {"run": scope.run}))


def _cost(found: Connection) -> Cost:
    ((usd, unpriced, attempts),) = found.fetchall()
    return Cost(usd, unpriced, attempts)


def dollars(cost: float | None) -> str:
    """Return dollars as text; a cost that nobody knows is said to be unknown."""
    if cost is None:
        return "unknown"
    return f"${cost:,.2f}" if cost >= 100 else f"${cost:.6f}" if 0 < cost < 0.0001 else f"${cost:.4f}"
