"""What a person sees of leakbench: the checks by task, leak rates, and planted flaws.

It fits 100 columns; on fewer, 80 at least, intervals are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from selftaught_builder.cli.show.terminal import console, plain
from selftaught_builder.evaluation.statistics import wilson
from selftaught_builder.leakbench.measure import POLICY, Bench, Measure, Share

_FEW_STYLES = 8
_TASK_WIDTH = 24
_STYLE_WIDTH = 18
_ALL = "all judged"


def show_bench(bench: Bench) -> None:
    """Print everything measured."""
    policy = " or ".join(bench.policy_checks) or "none of its checks was run"
    intervals = (
        "In brackets: 95 % (Wilson)." if _wide() else "A terminal of 100 columns shows intervals and plants by task."
    )
    _say(f"Flagged: the verdict is fail. The policy `{POLICY}` flags what fails by {policy}. {intervals}")
    taken = sum(one[POLICY].sound for name, one in bench.groups.items() if name not in bench.labelled)
    if taken:
        _say(f"{taken:,} rationales without `rationale_flawed` are taken as sound.")
    silent = [name for name in bench.checks if name not in bench.speaking]
    if silent:
        _say(f"Nothing to say of these rows: {', '.join(silent)}.")
    _show_checks(bench)
    if bench.labelled:
        _show_leaks(bench)
    if bench.plants:
        _show_plants(bench)


def _wide() -> bool:
    return console.width >= 100


def _say(text: str) -> None:
    console.print(plain(text), style="dim")


def _groups(bench: Bench) -> Iterable[tuple[str, Mapping[str, Measure]]]:
    yield from bench.groups.items()
    if len(bench.labelled) > 1:
        yield _ALL, bench.in_all


def _show_checks(bench: Bench) -> None:
    console.print()
    widths = _WIDE_COLUMNS if _wide() else _NARROW_COLUMNS
    console.print(_table(widths, ["[bold]What the checks flag, %[/]", *map("[bold]{}[/]".format, _CHECK_TITLES)]))
    for group, measures in _groups(bench):
        whole = measures[POLICY]
        console.print(plain(f"{group}: {whole.flawed:,} flawed, {whole.sound:,} sound"), style="bold")
        judging = [name for name in bench.speaking if measures[name].silent < whole.flawed + whole.sound]
        flagging = [name for name in judging if measures[name].caught + measures[name].alarms]
        for name in (*flagging, *([POLICY] if len(flagging) > 1 else [])):
            one = measures[name]
            precision = _share(one.precision) if one.flawed else "-"
            shares = (_share(one.recall), precision, _share(one.false_alarms))
            console.print(_table(widths, [_name(name), *shares]))
        rest = [name for name in judging if name not in flagging]
        if rest:
            console.print(Text(f"  flag nothing: {', '.join(rest)}", style="dim"))


_WIDE_COLUMNS = (24, 25, 25, 26)
_NARROW_COLUMNS = (24, 16, 22, 16)
_CHECK_TITLES = ("of the flawed", "flawed of the flagged", "of the sound")


def _show_leaks(bench: Bench) -> None:
    _title("Leak rate: flawed rationales among those that are kept, %")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "answer only", f"policy {POLICY}"):
        table.add_column(name, justify="left" if name == "task" else "right", no_wrap=name != "task")
    for group, measures in _groups(bench):
        if group in bench.labelled or group == _ALL:
            table.add_row(plain(group), _share(measures[POLICY].leak_before), _share(measures[POLICY].leak_after))
    console.print(table)


def _show_plants(bench: Bench) -> None:
    plants = bench.planted_names
    checks = [name for name in bench.speaking if any(bench.planted(name, plant).count for plant in plants)]
    table = Table(box=None, pad_edge=False, padding=(0, 2 if _wide() else 1, 0, 0), header_style="bold")
    table.add_column("plant", no_wrap=True)
    for name in ("n", *(check.replace("_", " ") for check in checks), f"policy {POLICY}"):
        table.add_column(name, justify="right", no_wrap=name == "n" or (_wide() and name.startswith("policy")))
    for plant in plants:
        styles = bench.styles(plant)
        for style in (None, *styles) if 1 < len(styles) <= _FEW_STYLES else (None,):
            policy = bench.planted(POLICY, plant, style=style)
            shown = [_percent(bench.planted(name, plant, style=style)) for name in checks]
            title = Text(f"  {plain(style, limit=_STYLE_WIDTH)}", style="dim") if style else Text(plant)
            table.add_row(title, f"{policy.of:,}", *shown, _percent(policy, interval=_wide()))
    _title("Planted flaws that are flagged, %")
    console.print(table)
    _show_plants_by_task(bench, plants)


def _show_plants_by_task(bench: Bench, plants: Sequence[str]) -> None:
    tasks = sorted({task for task, _, _ in bench.plants})
    if len(tasks) < 2 or not _wide():
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("task", no_wrap=True)
    for plant in plants:
        table.add_column(plant.replace("_", "\n"), justify="right", no_wrap=True)
    for task in tasks:
        table.add_row(
            plain(task, limit=_TASK_WIDTH), *(_percent(bench.planted(POLICY, plant, task=task)) for plant in plants)
        )
    _title(f"Planted flaws that the policy {POLICY} flags, by task, %")
    console.print(table)


def _table(widths: Sequence[int], row: Sequence[str | Text]) -> Table:
    """One row of a table whose rows are printed between other lines."""
    table = Table.grid()
    for at, width in enumerate(widths):
        table.add_column(width=width, justify="right" if at else "left", no_wrap=True)
    table.add_row(*row)
    return table


def _title(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _name(name: str) -> Text:
    return Text(f"  policy {name}" if name == POLICY else f"  {name}", style="cyan" if name == POLICY else "")


def _share(share: Share) -> str:
    return f"{share.count:,}/{share.of:,} {_percent(share, interval=_wide())}" if share.of else "-"


def _percent(share: Share, *, interval: bool = False) -> str:
    if share.value is None:
        return "-"
    low, high = (100 * end for end in wilson(share.count, share.of))
    text = f"{100 * share.value:.1f}"
    return f"{text} ({low:.1f}-{high:.1f})" if interval else text
