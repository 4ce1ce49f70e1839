"""Progress of a stage, as a bar or as a line now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from selftaught_builder.cli.show.terminal import errors, plain

if TYPE_CHECKING:
    from rich.progress import Task as Row

    from selftaught_builder.endpoints import Reply
    from selftaught_builder.sampling.task import Tally, Task


_WIDE = 100  # columns; with fewer the money would go to a line of its own


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
    """Shows stages as progress bars; a `watcher.Watcher`."""

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
