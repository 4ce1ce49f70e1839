"""How `selftaught audit ROOM why` is shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from selftaught_builder.audit.why import Tried, Why
from selftaught_builder.cli.show.terminal import console, plain
from selftaught_builder.selection.fates import FATES

_CLIP = 240
_PROBED = "probed"


def why_data(why: Why) -> dict[str, Any]:
    """Return it as JSON can hold it."""
    return asdict(why)


def show_why(why: Why) -> None:
    """Print what became of a question, attempt by attempt; the one that was asked for in full."""
    name = plain(why.id, limit=60) if why.id else Text(f"in row {why.row}")
    console.print(Text.assemble(("question ", "bold"), name), _where(why))
    lines = _lines()
    if why.text:
        lines.add_row("question", plain(why.text, limit=_CLIP))
        lines.add_row("known answer", plain(why.gold, limit=60))
    within = sum(tried.exported for tried in why.attempts)
    held = f" ({within} of {len(why.attempts)} attempts in {why.version})" if why.version and why.attempts else ""
    lines.add_row(
        "became", Text.assemble((plain(why.reason).plain, "green" if within else "yellow"), plain(held, lines=True))
    )
    if why.attempts:
        lines.add_row("policy", plain(why.policy, limit=400))
    console.print(lines)
    for note in why.notes:
        console.print(plain(note), style="yellow")
    runs = {tried.run for tried in why.attempts}
    for tried in why.attempts:
        if tried.kind != _PROBED or tried.asked:
            _show_attempt(tried, why.version, run=len(runs) > 1)
    probes = sum(tried.kind == _PROBED and not tried.asked for tried in why.attempts)
    if probes:
        console.print(f"\nand {probes} questions that verifiers asked about these; --json lists them", style="dim")


def _show_attempt(tried: Tried, version: str, *, run: bool) -> None:
    console.print()
    facts = [f"run {tried.run}"] if run else []
    facts += [tried.kind, f"round {tried.round}", f"sample {tried.sample_index}"]
    facts += [tried.finish_reason] if tried.finish_reason else []
    facts += [f"{tried.tokens_out} tokens"] if tried.tokens_out is not None else []
    console.print(plain(tried.id, limit=40), style="bold cyan", end="  ")
    console.print(plain(" · ".join(facts)), style="cyan")
    lines = _lines()
    if tried.exported:
        lines.add_row("in", Text(plain(version).plain, style="green"))
    by_clause = any(clause.startswith(("hard rule: ", "policy: ")) for clause in tried.because)
    for place, clause in enumerate([FATES[tried.fate], *tried.because] if by_clause else tried.because):
        lines.add_row("" if place else "out", Text(plain(clause, limit=_CLIP).plain, style="yellow"))
    if tried.extracted is not None:
        lines.add_row("answer", plain(tried.extracted, limit=60))
    for said in tried.verdicts:
        if said.outcome != "pass":
            reason = f": {said.reason}" if said.reason else ""
            lines.add_row(said.outcome, plain(f"{said.verifier}{reason}", limit=_CLIP))
    passed = [said.verifier for said in tried.verdicts if said.outcome == "pass"]
    if passed:
        lines.add_row("pass", plain(", ".join(passed)))
    if tried.completion:
        lines.add_row("says", plain(tried.completion, lines=tried.asked, limit=None if tried.asked else _CLIP))
    console.print(lines)


def _where(why: Why) -> Text:
    row = f"row {why.row}" if why.row and why.id else ""
    return Text(plain(", ".join(filter(None, (row, why.hash)))).plain, style="dim")


def _lines() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=12)
    table.add_column(overflow="fold")
    return table
