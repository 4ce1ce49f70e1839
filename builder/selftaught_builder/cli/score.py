"""The command that judges anyone's responses: score."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught_builder.common.errors import InputError, SelftaughtError

if TYPE_CHECKING:
    from selftaught_builder.scoring.scoring import Scored, Summary

_TABLE_ROWS = 40
_COLOURS = {"pass": "green", "fail": "red"}


class _InterruptedError(SelftaughtError):
    """The user stopped it; what was printed stays printed."""

    exit_code = 130


def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="JSONL files; - reads standard input.")],
    verify: Annotated[
        str, typer.Option("--verify", metavar="NAMES", help="Row verifiers, with commas: answer,equations.")
    ] = "answer",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="CHECKS.PY", help="A Python file that defines some of them.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="How all answers compare, whatever the rows say; auto: by the known answers."
        ),
    ] = None,
    table: Annotated[
        bool | None,
        typer.Option("--table/--json", help="A table, or verdicts as JSONL; on a terminal a table is the default."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the JSONL here; it is complete or not there.")
    ] = None,
) -> None:
    """Judge responses of your own. No room and no store are needed.

    A row is a JSON object with `response` and `gold` (the known answer), and may have id, question, kind, choices,
    hinted and reasoning. One line comes out for each row and verifier. Where rows have `expected` (true or false),
    the summary says how often the first verifier agrees.
    """
    from selftaught_builder.cli.show.terminal import errors, plain
    from selftaught_builder.scoring.scoring import KINDS, Summary, read_rows, scorers
    from selftaught_builder.scoring.scoring import score as judge

    names = [name.strip() for name in verify.split(",") if name.strip()]
    if not names:
        raise InputError("names no verifier", place="--verify", mend="--verify answer,equations")
    if kind and kind != "auto" and kind not in KINDS:
        raise InputError(f"no kind `{kind}`", place="--kind", mend=f"There are: auto, {', '.join(sorted(KINDS))}.")
    if output and any(path.exists() and output.exists() and path.samefile(output) for path in files):
        raise InputError("is read as well", place=output, mend="Write to another file.")
    if output and not output.absolute().parent.is_dir():
        raise InputError("its folder does not exist", place=output, mend="Make it, or write elsewhere.")
    chosen = scorers(names, file)
    summary = Summary()
    rows = judge(read_rows(files, summary, kind), chosen, lambda text: errors.print(plain(text), style="dim"))
    as_table = not output and (sys.stdout.isatty() if table is None else table)
    try:
        with _progress(quiet=not (as_table or output)) as watched:
            counted = _counted(watched(rows), summary)
            if as_table:
                _show_table(counted, names)
            else:
                _write_lines(counted, output)
    except KeyboardInterrupt:
        raise _InterruptedError(f"interrupted: {_rows(summary):,} rows were judged, the others were not") from None
    _show_summary(summary)


Watched = Callable[[Iterable["Scored"]], Iterable["Scored"]]


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Watched]:
    """Yield what counts rows on the terminal while they pass, unless the verdicts themselves are shown there."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from selftaught_builder.cli.show.terminal import errors

    quiet = (quiet and sys.stdout.isatty()) or not errors.is_terminal
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=quiet, transient=True) as progress:
        yield lambda rows: progress.track(rows, total=None)


def _counted(rows: Iterable[Scored], summary: Summary) -> Iterator[Scored]:
    for scored in rows:
        summary.count(scored)
        yield scored


def _write_lines(rows: Iterable[Scored], output: Path | None) -> None:
    from selftaught_builder.scoring.scoring import verdict_lines

    if output is None:
        for scored in rows:
            sys.stdout.writelines(verdict_lines(scored))
        return
    scratch = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            for scored in rows:
                file.writelines(verdict_lines(scored))
        scratch.replace(output)
    finally:
        scratch.unlink(missing_ok=True)


def _show_table(rows: Iterable[Scored], names: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from selftaught_builder.cli.show.terminal import console, plain

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "known", "found", *names):
        table.add_column(title, no_wrap=True)
    table.add_column("reasons", overflow="fold")
    more = 0
    for scored in rows:
        if table.row_count == _TABLE_ROWS:
            more += 1
            continue
        said = scored.verdicts
        found = next((verdict[2] for verdict in said.values() if verdict[2] is not None), "")
        outcomes = [Text(verdict[0], style=_COLOURS.get(verdict[0], "yellow")) for verdict in said.values()]
        reasons = "; ".join(verdict[1] for verdict in said.values() if verdict[0] != "pass" and verdict[1])
        table.add_row(
            plain(scored.row.id, limit=24),
            plain(scored.row.gold, limit=16),
            plain(found, limit=16),
            *outcomes,
            plain(reasons, limit=120),
        )
    console.print(table)
    if more:
        console.print(f"[dim]… {more:,} more rows; --json has all[/]")


def _rows(summary: Summary) -> int:
    return max((counts.total() for counts in summary.outcomes.values()), default=0)


def _show_summary(summary: Summary) -> None:
    from selftaught_builder.cli.show.terminal import errors, plain

    def say(text: str) -> None:
        errors.print(plain(text), soft_wrap=True)

    if not summary.outcomes:
        say("no rows")
    if summary.kinds:
        kinds = ", ".join(name for name, _ in summary.kinds.most_common(6)) + (", …" if len(summary.kinds) > 6 else "")
        say(f"unknown kinds ({kinds}) in {summary.kinds.total():,} rows: found from the known answer instead")
    for name, counts in summary.outcomes.items():
        words = ("right", "wrong") if name == "answer" else ("pass", "fail")
        passed, failed, unscorable = counts["pass"], counts["fail"], counts["unscorable"]
        say(f"{name}: {passed:,} {words[0]}, {failed:,} {words[1]}, {unscorable:,} unscorable")
    if summary.labels:
        right, wrong = (sum(summary.labels[expected, passed] for passed in (True, False)) for expected in (True, False))
        rejected, accepted = summary.labels[True, False], summary.labels[False, True]
        total = right + wrong
        agreed = total - rejected - accepted
        say(
            f"labels: {agreed:,} of {total:,} agree ({agreed / total:.1%}); "
            f"wrong accepted {_of(accepted, wrong)}; right rejected {_of(rejected, right)}"
        )


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")
