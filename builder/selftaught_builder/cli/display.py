"""What a person sees: progress, tables, and text that a model wrote.

Model text is hostile: it reaches the terminal only through `plain`, which shows control characters instead of obeying them,
and never as rich markup.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl
    from rich.progress import Task as Row

    from selftaught_builder.endpoints import Reply
    from selftaught_builder.sampling.sampler import Tally, Task
    from selftaught_builder.selection.funnel import Funnel


def _width() -> int | None:
    """The terminal's own width, or COLUMNS; a file or a pipe has room for every table."""
    return None if sys.stdout is None or sys.stdout.isatty() or "COLUMNS" in os.environ else _FILE_COLUMNS


class _Plainly(Console):
    """Shows control characters also in what was printed without `plain`: the name of a folder, say."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text that is no rich text yet as one."""
        return super().render_str(_CONTROLS.sub(_shown, text), **options)


_FILE_COLUMNS = 180
console = _Plainly(highlight=False, width=_width())
errors = _Plainly(stderr=True, highlight=False)

_NARROW = 24
_WIDE = 100  # columns; with fewer the money would go to a line of its own
_FEW_ROWS = 3

# C0 and C1 controls, and the characters that reorder, hide or break text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(value: object, *, lines: bool = False, limit: int | None = None) -> Text:
    """Return text from outside as rich text that cannot style, move or hide anything.

    Args:
        value: what to show.
        lines: keep line breaks; else they become spaces.
        limit: cut to so many characters.
    """
    text = _CONTROLS.sub(_shown, str(value))
    if not lines:
        text = " ".join(text.split())
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return Text(text)


def _shown(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def show_json(data: Any) -> None:
    """Print data as JSON, in ASCII: text from outside can do nothing to a terminal, and a script reads it as it is."""
    text = json.dumps(data, indent=2, default=str).replace("\x7f", "\\u007f")
    sys.stdout.write(text + "\n")


def show_frame(frame: pl.DataFrame, *, limit: int = 40, width: int = 70) -> None:
    """Print a frame of at most `limit` rows as a table; lying on its side where it is too wide and has few rows."""
    names = [plain(name) for name in frame.columns]
    rows = [[plain(_figure(cell), limit=width) for cell in row] for row in frame.head(limit).iter_rows()]
    natural = [max(len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    if sum(natural) + 2 * len(natural) > console.width and len(rows) <= _FEW_ROWS:
        names, rows = (
            [Text(""), *(Text("") for _ in rows[1:]), Text("")],
            [list(line) for line in zip(names, *rows, strict=True)],
        )
        table = Table(box=None, pad_edge=False, show_header=False)
        for place in range(len(names)):
            table.add_column(style="bold" if not place else "", overflow="fold", no_wrap=not place)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, kind, space in zip(names, frame.dtypes, natural, strict=True):
            table.add_column(
                name, justify="right" if kind.is_numeric() else "left", overflow="fold", no_wrap=space <= _NARROW
            )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if frame.is_empty():
        console.print("[dim]no rows[/]")
    if frame.height > limit:
        console.print(f"[dim]… {frame.height - limit} more rows[/]")


def _figure(cell: object) -> object:
    """A cell as a person reads it: nothing for NULL, and no more digits than matter."""
    if cell is None:
        return ""
    return (
        f"{cell:.4g}"
        if isinstance(cell, float) and abs(cell) < 1e4
        else f"{cell:.0f}"
        if isinstance(cell, float)
        else cell
    )


def show_pairs(rows: Iterable[Sequence[object]], *, title: str | None = None, to: Console = console) -> None:
    """Print rows of a label, a count and perhaps a remark."""
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for label, count, *remark in rows:
        shown = f"{count:,}" if isinstance(count, int) else str(count)
        table.add_row(
            plain(label) if not str(label).startswith("  ") else Text(str(label)),
            shown,
            plain(remark[0] if remark else ""),
        )
    to.print(table)


def share(part: int, whole: int) -> str:
    """Return a share in whole per cent; only nothing is 0 % and only everything is 100 %."""
    return "< 1%" if 0 < part < whole / 100 else "> 99%" if whole * 0.99 < part < whole else f"{part / whole:.0%}"


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


class _Rates(ProgressColumn):
    """Attempts and tokens per second, the pass rate and the cost so far."""

    def render(self, task: Row) -> Text:
        """Render the figures of one stage."""
        tally: Tally | None = task.fields.get("tally")
        if tally is None:
            return Text("")
        seconds = max(task.elapsed or 0.0, 1e-9)
        if not tally.completions:
            return Text(f"{tally.in_flight} asked, none answered yet" if tally.in_flight else "", style="cyan")
        parts = [f"{tally.completions / seconds:.1f}/s"]
        if errors.width >= _WIDE:
            parts.append(f"{tally.tokens_out / seconds:.0f} tok/s")
        judged, passed = task.fields["judged"], task.fields["passed"]
        if judged:
            parts.append(f"{passed / judged:.0%} right")
        if tally.failed:
            parts.append(f"{tally.failed} failed")
        if tally.cost is not None:
            parts.append(f"${tally.cost:.4f}")
        return Text("  ".join(parts), style="cyan")


class _TimeLeft(TimeRemainingColumn):
    """Seconds left, and when it is over, seconds taken."""

    def render(self, task: Row) -> Text:
        """Render one or the other."""
        if task.finished or not task.total:
            return Text(f"in {timedelta(seconds=int(task.elapsed or 0))}", style="dim")
        tally: Tally | None = task.fields.get("tally")
        if tally and tally.in_flight >= task.total - task.completed:  # nobody can say how long those take
            return Text(f"waiting for {tally.in_flight:,}", style="dim")
        if task.time_remaining is None:
            return Text("")
        return Text.assemble(super().render(task), (" left", "dim"))


class Display:
    """Shows stages as progress bars; a `pipeline.Watcher`."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._row: Any = None
        self._judged = self._passed = 0

    @contextmanager
    def stage(self, title: str, total: int, tally: Tally | None) -> Iterator[None]:
        """Show a bar until the stage is over."""
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=12 if errors.width >= _WIDE else 4),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Rates(),
            _TimeLeft(),
        )
        self._judged = self._passed = 0
        with Progress(*columns, console=errors) as self._progress:
            self._row = self._progress.add_task(title, total=total, tally=tally, judged=0, passed=0)
            yield
        self._progress = None

    def replied(self, task: Task, reply: Reply) -> None:
        """Count a reply, and whether its answer looks right; the verdicts themselves come with verification."""
        if reply.error is None and task.kind != "probed":  # what a judge says answers no question
            from selftaught_verifiers import Outcome, Question, Rationale, get_verifier

            question = Question(task.question.text, task.question.gold, task.question.kind, task.question.choices)
            verdict = get_verifier("answer")(question, Rationale(reply.completion, finish_reason=reply.finish_reason))
            self._judged += 1
            self._passed += verdict.outcome is Outcome.PASS
        if self._progress:
            self._progress.update(self._row, advance=1, judged=self._judged, passed=self._passed)

    def advance(self, steps: int) -> None:
        """Move the bar."""
        if self._progress:
            self._progress.advance(self._row, steps)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        (self._progress.console if self._progress else errors).print(plain(text), style="dim")
