"""Whether a budget suffices for what a dry run foresees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selftaught_builder.spending.budget import LimitScope
from selftaught_builder.spending.spent import OfLimit, Spent


@dataclass(frozen=True)
class StepForecast:
    """What one step would do.

    Attributes:
        step: `2/sample`.
        requests, tokens_in, tokens_out, cost, rows: see `expected.Expected`.
    """

    step: str
    requests: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    rows: int = 0


@dataclass(frozen=True)
class Outlook:
    """One limit, and what may still be needed of it.

    Attributes:
        limit: what is allowed and spent; of a round, of the first round still to do.
        needed: about the most that the steps to do need, of a round the one that needs the most; None where nobody knows.
        suffices: whether that is left, in every round where it is a round's; None where nobody knows.
    """

    limit: OfLimit
    needed: float | None
    suffices: bool | None


def look_out(spent: Spent | None, steps: Sequence[StepForecast]) -> list[Outlook]:
    """Return what the steps may need of each limit of the run and of its rounds; a question's never stops a run."""
    return [_of(limit, steps) for limit in (spent.limits if spent else ()) if limit.of != LimitScope.QUESTION]


def _of(limit: OfLimit, steps: Sequence[StepForecast]) -> Outlook:
    if limit.of == LimitScope.RUN:
        needed = _needed(limit.unit, steps)
        return Outlook(limit, needed, None if needed is None else needed <= limit.left)
    rounds = list(dict.fromkeys(step.step.split("/")[0] for step in steps))
    needs = [_needed(limit.unit, [step for step in steps if step.step.split("/")[0] == one]) for one in rounds]
    known = [need for need in needs if need is not None]
    if len(known) < len(needs):
        return Outlook(limit, None, None)
    left = [limit.left, *(limit.allowed for _ in rounds[1:])]
    return Outlook(limit, max(known, default=0), all(need <= has for need, has in zip(known, left, strict=False)))


def _needed(unit: str, steps: Sequence[StepForecast]) -> float | None:
    """The most that steps need of something; None where nobody knows it of one of them."""
    asking = [step for step in steps if step.requests]
    amounts = [_amount(unit, step) for step in asking]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _amount(unit: str, step: StepForecast) -> float | None:
    if unit == "attempts":
        return step.requests
    if unit == "usd":
        return step.cost
    if unit == "tokens" and step.tokens_in is not None:
        return step.tokens_in + (step.tokens_out or 0)
    return None
