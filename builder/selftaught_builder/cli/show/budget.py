"""How a budget is shown: what is spent of each limit and, before a run, what it may still need. It fits into 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from selftaught_builder.cli.show.status import figures_table
from selftaught_builder.cli.show.terminal import console, plain
from selftaught_builder.common.errors import InputError
from selftaught_builder.loop.outlook import Outlook
from selftaught_builder.room.room import Room
from selftaught_builder.spending.budget import LimitScope
from selftaught_builder.spending.costs import dollars
from selftaught_builder.spending.spent import OfLimit, Spent, spent

_UNITS = {"usd": "US dollars", "tokens": "tokens", "attempts": "attempts", "seconds": "seconds"}
_OF = {LimitScope.QUESTION: "dearest question"}
_VERDICTS = {True: Text("suffices"), False: Text("may not suffice", style="yellow"), None: Text("unknown")}


def budget_of(room: Room) -> Spent | str | None:
    """Return what is spent of a room's budget, None where nothing is limited; where nobody can tell, why."""
    try:
        found = spent(room)
    except InputError as error:
        return str(error)
    return found if found and found.limits else None


def budget_data(of: Spent | str | None) -> dict[str, Any] | None:
    """Return a budget as a script reads it."""
    if of is None or isinstance(of, str):
        return of if of is None else {"problem": of}
    return {"limits": [{**asdict(limit), "left": limit.left} for limit in of.limits], "at_most": of.at_most}


def show_budget(of: Spent | str | None) -> None:
    """Print what is allowed, spent and left; nothing where nothing is limited."""
    if isinstance(of, str):
        console.print("[bold]Budget[/]")
        console.print(plain(of, lines=True))
        return
    if of is None:
        return
    table = figures_table("Budget", "allowed", "spent", "left", left=("Budget",))
    for limit in of.limits:
        figures = [figure(limit.unit, amount) for amount in (limit.allowed, limit.spent, limit.left)]
        table.add_row(_label(limit), *figures, style="" if limit.left else "yellow")
    console.print(table)
    if of.at_most:
        console.print(
            f"[dim]{of.at_most:,} attempts of which nobody knows the tokens count at the most they may have[/]"
        )


def show_outlook(budget: Sequence[Outlook]) -> None:
    """Print what is left of each limit, what the steps to do may need, and whether it suffices."""
    if not budget:
        return
    table = figures_table("Budget", "left", "may need", "", left=("Budget", ""))
    for one in budget:
        unit, needed = one.limit.unit, "?" if one.needed is None else figure(one.limit.unit, one.needed)
        table.add_row(_label(one.limit), figure(unit, one.limit.left), needed, _VERDICTS[one.suffices])
    console.print()
    console.print(table)
    if any(one.suffices for one in budget):
        console.print("[dim]tries of requests that fail come on top[/]")


def _label(limit: OfLimit) -> Text:
    return Text(f"{_OF.get(limit.of, limit.of)}: {_UNITS[limit.unit]}")


def figure(unit: str, amount: float) -> str:
    """Return an amount of dollars, tokens, attempts or seconds, as short as a table needs it."""
    if unit == "usd":
        return dollars(amount)
    return f"{amount:,.1f}" if unit == "seconds" and amount < 100 else f"{amount:,.0f}"
