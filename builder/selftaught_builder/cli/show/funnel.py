"""The funnel, from source rows to exported rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from selftaught_builder.cli.show.terminal import console, plain, share, show_pairs

if TYPE_CHECKING:
    from selftaught_builder.selection.funnel import Funnel


def show_funnel(funnel: Funnel, *, to: Console = console, exported: bool = True) -> None:
    """Print the funnel from source rows to exported rows; if nothing is `exported` yet, to those that an export would take."""
    from selftaught_builder.selection.fates import EXPORTED
    from selftaught_builder.selection.funnel import CLASSES

    def of(part: int, whole: int) -> str:
        return share(part, whole) if whole else ""

    rows: list[tuple[object, ...]] = [("source rows", funnel.source_rows)]
    rows += [(f"  rejected: {reason}", count) for reason, count in funnel.rejected.items()]
    rows += [(f"  held out: {part}", count, "never trained on") for part, count in funnel.held_out.items()]
    if funnel.not_asked:
        rows.append(("  beyond the limit", funnel.not_asked))
    rows.append(("questions", funnel.questions))
    rows += [
        (
            f"  {CLASSES[fate] if exported or fate != EXPORTED else 'would be exported'}",
            count,
            of(count, funnel.questions) + " of questions",
        )
        for fate, count in funnel.by_fate.items()
    ]
    rows.append(("attempts", funnel.attempts))
    if funnel.errors:
        rows.append(("  errors", funnel.errors, of(funnel.errors, funnel.attempts) + " of attempts"))
    rows += [
        ("completions", funnel.completions),
        ("  truncated", funnel.truncated, "never trained on"),
        ("  correct answer", funnel.correct, of(funnel.correct, funnel.completions) + " of completions"),
        ("  kept by the policy", funnel.kept, of(funnel.kept, funnel.completions) + " of completions"),
    ]
    for of_kind in funnel.by_kind:
        remark = f"of {of_kind.correct:,} correct, of {of_kind.completions:,} completions"
        rows.append((f"    {of_kind.kind}", of_kind.kept, remark))
    rows += [
        (
            "exported rows" if exported else "would export",
            funnel.exported,
            f"{of(funnel.rationalized_exported, funnel.exported) or '0%'} rationalized",
        ),
    ]
    show_pairs(rows, title="Funnel", to=to)
    if funnel.policy:
        to.print("policy: ", plain(funnel.policy), sep="", style="dim")
