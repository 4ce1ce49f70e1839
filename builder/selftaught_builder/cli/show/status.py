"""How `selftaught status` shows what was paid: all of it fits into 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from selftaught_builder.audit.accounts import Accounts, Figures
from selftaught_builder.cli.show.terminal import console, plain
from selftaught_builder.selection.fates import FATES
from selftaught_builder.spending.costs import dollars

_NAMED = ("/* ", " */ ")
_PLACE = 30
_MEASURING = {"evaluated": "evaluations", "probed": "questions of verifiers"}


def show_accounts(accounts: Accounts) -> None:
    """Print what was paid, kept and wasted."""
    table = figures_table("Paid", "attempts", "tokens in", "tokens out", "money", left=("Paid",))
    _add(table, "paid", accounts.paid)
    _add(table, f"kept in {accounts.version}" if accounts.version else "kept: no version yet", accounts.kept)
    between = {
        "in earlier versions only": accounts.earlier,
        "for the next version": accounts.waiting,
        "to be verified": accounts.unjudged,
    }
    for label, figures in between.items():
        if figures.attempts:
            _add(table, label, figures)
    for fate, figures in accounts.measuring.items():
        _add(table, _MEASURING[fate], figures)
    _add(table, "wasted", accounts.wasted_in_all)
    for fate, figures in accounts.wasted.items():
        _add(table, f"  {FATES[fate]}", figures, style="dim")
    console.print(table)
    if accounts.paid.unpriced and accounts.paid.cost is not None:
        console.print(f"[dim]{accounts.paid.unpriced:,} attempts without a known price: +?[/]")
    if accounts.paid.uncounted:
        console.print(f"[dim]{accounts.paid.uncounted:,} attempts without a count of their tokens[/]")


def show_spending(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print attempts, tokens, money and seconds by round and kind, a table for each model."""
    for model in dict.fromkeys(row["model"] for row in rows):
        table = figures_table(
            "round", "kind", "asked", "came", "cut", "in", "out", "cached", "money", "seconds", title=model
        )
        for row in rows:
            if row["model"] == model:
                counts = [_short(row[name]) for name in ("attempts", "completions", "truncated")]
                tokens = [_short(row[name]) for name in ("tokens_in", "tokens_out", "tokens_cached")]
                seconds = _short(round(row["request_seconds"] or 0))
                table.add_row(str(row["round"]), row["kind"], *counts, *tokens, dollars(row["cost"]), seconds)
        console.print(table)


def show_endpoints(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what was asked of each endpoint, and how long half of its completions took at most."""
    table = figures_table("endpoint", "asked", "came", "failed", "in", "out", "money", "median s", left=("endpoint",))
    for row in rows:
        counts = [_short(row[name]) for name in ("attempts", "completions", "failed", "tokens_in", "tokens_out")]
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.2f}"
        table.add_row(plain(row["endpoint"], limit=_PLACE), *counts, dollars(row["cost"]), seconds)
    console.print(table)


def show_versions(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the dataset versions, with the name of the policy or the beginning of its SQL."""
    table = figures_table("version", "rows", "made", "policy", left=("version", "made", "policy"))
    for row in rows:
        policy = row["policy"]
        if policy.startswith(_NAMED[0]):
            policy = policy.removeprefix(_NAMED[0]).split(_NAMED[1], 1)[0]
        table.add_row(plain(row["version"]), f"{row['rows']:,}", row["made"], plain(policy, limit=33))
    console.print(table)


def figures_table(*names: str, title: str = "", left: Sequence[str] = ("kind",)) -> Table:
    """Return an empty table of these columns; those not to the `left` hold figures."""
    heading = plain(title, limit=78) if title else None
    if heading:
        heading.stylize("bold")
    table = Table(box=None, pad_edge=False, header_style="bold", title=heading, title_justify="left", title_style="")
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


def _add(table: Table, label: str, figures: Figures, style: str = "") -> None:
    money = dollars(figures.cost) + ("+?" if figures.unpriced and figures.cost is not None else "")
    unknown = figures.uncounted and not figures.tokens_in + figures.tokens_out
    tokens = ["?" if unknown else _long(count) for count in (figures.tokens_in, figures.tokens_out)]
    table.add_row(plain(label, lines=True), f"{figures.attempts:,}", *tokens, money, style=style)


def _long(count: int) -> str:
    """A count to the last token, as long as it fits."""
    return f"{count:,}" if count < 10**7 else _short(count)


def _short(count: int | None) -> str:
    """A count in at most five characters."""
    if count is None:
        return "?"
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= unit:
            scaled = count / (1000 if name == "k" else unit)
            return f"{scaled:.1f}{name}" if scaled < 100 else f"{scaled:.0f}{name}"
    return str(count)
