"""What a run has cost in all, and what that is for each row of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from selftaught_builder.budget import REFUSALS
from selftaught_builder.store import Store

_COST = f"""
SELECT sum(cost), count(*) FILTER (cost IS NULL AND (error IS NULL OR error NOT IN {REFUSALS})), count(*)
FROM attempts WHERE run = ?"""


@dataclass(frozen=True)
class Cost:
    """What a run has cost so far, whatever its recipe said at the time, and whatever came of it.

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


def cost_of(store: Store, run: str) -> Cost:
    """Return what a run has cost so far."""
    with store.read() as connection:
        ((usd, unpriced, attempts),) = connection.execute(_COST, [run]).fetchall()
    return Cost(usd, unpriced, attempts)


def dollars(cost: float | None) -> str:
    """Return dollars as text; a cost that nobody knows is said to be unknown."""
    return "unknown" if cost is None else f"${cost:,.2f}" if cost >= 100 else f"${cost:.4f}"
