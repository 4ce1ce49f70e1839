"""The command that measures the checks: leakbench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from selftaught_builder.cli.arguments import Json


def leakbench(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="JSONL files; what SELFTAUGHT_DATA has where absent."),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(
            "--verify", metavar="NAMES", help="Only these checks, with commas; all row verifiers where absent."
        ),
    ] = None,
    plants: Annotated[
        int, typer.Option("--plants", min=0, metavar="N", help="Plant flaws in so many sound rationales of each task.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Decides what is planted where.")] = 0,
    hinted: Annotated[
        bool, typer.Option("--hinted", help="Take every rationale as a rationalization: the answer was shown.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure the checks. Recall, precision and false alarms on rationales that people judged, and on planted flaws.

    A row is a JSON object with question, gold, and steps (a list), rationale or solution, whose answer is right;
    rationale_flawed is a person's judgement, and rows without it are taken as sound. It may have id, task, kind,
    choices, hinted and finish_reason.
    """
    from selftaught_builder.cli.show.leakbench import show_bench
    from selftaught_builder.cli.show.terminal import show_json
    from selftaught_builder.leakbench.measure import as_json, choose_checks, measure, sample
    from selftaught_builder.leakbench.rows import default_files, read_cases

    checks = choose_checks([name.strip() for name in (verify or "").split(",") if name.strip()])
    cases = read_cases(files or default_files(), hinted=hinted)
    sounds = sample(cases, plants, seed) if plants else []
    with _progress(len(cases) + len(sounds)) as advance:
        bench = measure(cases, checks, sounds, seed=seed, advance=advance)
    if json:
        show_json(as_json(bench, seed))
    else:
        show_bench(bench)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from selftaught_builder.cli.show.terminal import errors

    columns = (BarColumn(bar_width=12), TextColumn("{task.completed:,.0f}/{task.total:,.0f} rationales"))
    quiet = not errors.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=errors, transient=True, disable=quiet) as progress:
        row = progress.add_task("", total=total)
        yield lambda steps: progress.advance(row, steps)
