"""The report's figure: accuracy with intervals by round, and what became of each round's completions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.report.collect import LoopReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by colour-blind eyes, and in grey print by lightness.
_BLUE, _ORANGE, _VERMILION, _INK = "#0072B2", "#E69F00", "#D55E00", "#333333"
_GREY, _PALE = "#A9B0B7", "#E6E8EA"
_SETS = {"evaluate": ("evaluate (only reported)", _BLUE, "o"), "validate": ("validate (steers)", _VERMILION, "s")}
_SHOWN = 0.07
"""Parts of a bar from this share on hold their number."""

_FEW = 6
"""So many rounds have room for words and numbers."""

_STYLE: Any = {
    "font.size": 10,
    "font.family": ["DejaVu Sans"],
    "text.color": _INK,
    "axes.edgecolor": "#B5BABF",
    "axes.labelcolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.axisbelow": True,
    "grid.color": "#ECEEEF",
    "legend.frameon": False,
    "svg.hashsalt": "selftaught",  # ids that do not change from one drawing to the next
}


def write_png(report: LoopReport, path: Path) -> None:
    """Draw the report into a PNG file.

    Raises:
        InputError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    path.write_bytes(_drawn(report, "png", title=report.run))


def as_svg(report: LoopReport) -> bytes:
    """Return the figure as an SVG document that needs no title, font or script; raises InputError as `write_png` does."""
    return _drawn(report, "svg")


def _drawn(report: LoopReport, kind: str, title: str = "") -> bytes:
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise InputError(
            "matplotlib, which draws, is not installed", place="report", mend="`pip install 'selftaught[report]'`."
        ) from None
    with mpl.rc_context(_STYLE):
        rounds = max(len(report.rounds), len({one.round for one in report.evaluations}), 3)
        layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.1, wspace=0.06)
        figure = Figure(figsize=(min(9.0 + 0.5 * rounds, 18.0), 4.6), layout=layout)
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _draw_accuracy(report, left)
        _draw_completions(report, right)
        if title:
            # Names are text from outside: a dollar sign in one must not begin a formula.
            printable = "".join(character for character in title if character.isprintable())[:80]
            figure.suptitle(f"Run {printable}", x=0.012, ha="left", fontsize=13, parse_math=False)
        made = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(made, format=kind, dpi=150, metadata=metadata)
    return made.getvalue()


def _draw_accuracy(report: LoopReport, axes: Axes) -> None:
    from matplotlib.patheffects import withStroke

    sets = [name for name in _SETS if any(one.held_out == name for one in report.evaluations)]
    for place, name in enumerate(sets):
        label, colour, marker = _SETS[name]
        found = [one for one in report.evaluations if one.held_out == name]
        shift = 0.08 * (place - (len(sets) - 1) / 2)  # side by side, so that no interval hides another
        at = [one.round + shift for one in found]
        shares = [one.accuracy * 100 for one in found]
        off = (
            [max(0.0, one.accuracy - one.low) * 100 for one in found],
            [(one.high - one.accuracy) * 100 for one in found],
        )
        faint = place > 0
        axes.errorbar(
            at,
            shares,
            yerr=off,
            color=colour,
            marker=marker,
            markersize=5 if faint else 7,
            linewidth=1.2 if faint else 2,
            linestyle=":" if faint else "-",
            elinewidth=1.2,
            capsize=4,
            label=f"{label}, n = {found[-1].questions}",
        )
        if not faint:
            for one, x in zip(found, at, strict=True):
                if len(found) > _FEW + 1 and one not in (found[0], found[-1]):
                    continue
                text = axes.annotate(
                    f"{one.accuracy:.0%}", (x, one.high * 100), xytext=(4, 4), textcoords="offset points", ha="right"
                )
                text.set_path_effects([withStroke(linewidth=3, foreground="white")])  # where a line passes behind it
    shown = sorted({one.round for one in report.evaluations})
    axes.set_xticks(shown, _names(shown))
    axes.set_title("Held-out greedy accuracy, 95 % intervals")
    axes.set_ylim(0, 103)  # room for a marker at 100 %
    axes.set_yticks(range(0, 101, 20), [f"{tick} %" for tick in range(0, 101, 20)])
    axes.grid(visible=True, axis="y")
    if shown:
        axes.set_xlim(shown[0] - 0.5, shown[-1] + 0.35)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), borderaxespad=0, handlelength=1.6)
    else:
        _say(axes, "no evaluation yet")


def _draw_completions(report: LoopReport, axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    rounds = report.rounds
    parts = (
        ("kept, sampled", _BLUE, "white", [one.kept - one.rationalized for one in rounds]),
        ("kept, rationalized", _ORANGE, _INK, [one.rationalized for one in rounds]),
        ("right answer, dropped or twice", _GREY, _INK, [one.correct - one.kept for one in rounds]),
        ("wrong answer", _PALE, _INK, [one.completions - one.correct for one in rounds]),
    )
    tallest = max((one.completions for one in rounds), default=0)
    below = [0] * len(rounds)
    for label, colour, ink, counts in parts:
        bars = axes.bar([one.round for one in rounds], counts, bottom=below, color=colour, width=0.62, label=label)
        shown = [f"{count:,}" if count >= _SHOWN * tallest and len(rounds) <= _FEW else "" for count in counts]
        axes.bar_label(bars, shown, label_type="center", color=ink)
        below = [low + count for low, count in zip(below, counts, strict=True)]
    axes.set_title("What became of each round's completions")
    axes.set_xticks([one.round for one in rounds], _names([one.round for one in rounds]))
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    axes.grid(visible=True, axis="y")
    if rounds:
        axes.set_xlim(rounds[0].round - 0.7, rounds[-1].round + 0.7)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), ncols=2, borderaxespad=0, handlelength=1.2)
    else:
        axes.set_yticks([])
        _say(axes, "nothing sampled yet")


def _names(rounds: Sequence[int]) -> list[str]:
    """The rounds' names, short ones where there are many."""
    numbered = "{}" if len(rounds) > _FEW else "round {}"
    return [numbered.format(number) if number else "base" for number in rounds]


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color="#808890")
