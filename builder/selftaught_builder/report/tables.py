"""The report's tables, as text: the terminal and the page show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from selftaught_builder.evaluation.summary import Evaluation
from selftaught_builder.report.collect import LoopReport
from selftaught_builder.spending.costs import cost_line


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        title: what it shows.
        columns: their headings, those that matter most first, so that a narrow terminal can leave out the last ones; a heading
            that begins with `<` stands over text, to the left, without that sign.
        rows: the cells, text already.
        remark: how to read it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""


def tables(report: LoopReport) -> list[Table]:
    """Return the report's tables that have rows, without the columns in which nothing stands."""
    made = (
        _accuracy(report.evaluations),
        _samples(report),
        _kept(report),
        _trainings(report),
        _stages(report),
        _time(report),
    )
    return [_without_empty_columns(table) for table in made if table.rows]


def best_line(report: LoopReport) -> str:
    """Return a sentence that names the best checkpoint and why it is that one; "" where none was validated."""
    if report.best is None:
        return ""
    where = f"round {report.best.round}" if report.best.round else "the base model"
    weights = f" ({report.best.weights})" if report.best.round else ""
    return f"Best on the validate set: {where}{weights}, {_percent(report.best.accuracy)} right."


def summary_lines(report: LoopReport) -> list[str]:
    """Return what stands beside the tables: the best checkpoint, the cost, and what the recipe, changed since, leaves out."""
    lines = [best_line(report), f"{cost_line(report.cost, report.cost_per_row)}."]
    if report.outside:
        lines.append(
            f"{report.outside:,} completions that this run has paid for are not what its recipe, as it is now, asks for. They "
            "are counted under stages and cost alone."
        )
    return [line for line in lines if line]


def _without_empty_columns(table: Table) -> Table:
    filled = [at for at, _ in enumerate(table.columns) if any(row[at] for row in table.rows)]
    rows = [[row[at] for at in filled] for row in table.rows]
    return replace(table, columns=[table.columns[at] for at in filled], rows=rows)


def accuracy_table(evaluations: Sequence[Evaluation], model: str | None = None) -> Table:
    """Return the table of what models got right, without the columns in which nothing stands.

    Args:
        evaluations: its rows.
        model: the name of the model that all of them are of, where it is none of a run's rounds.
    """
    table = _without_empty_columns(_accuracy(evaluations))
    return replace(table, rows=[(row[0], model, *row[2:]) for row in table.rows]) if model else table


def _accuracy(evaluations: Sequence[Evaluation]) -> Table:
    rows = [
        (
            one.held_out,
            _name(one.round),
            f"{one.correct:,} of {one.questions:,}",
            _percent(one.accuracy),
            f"{one.low * 100:.1f} to {one.high * 100:.1f}",
            _p(one.p_value),
            _share(one.false_equation, one.correct),
            "" if one.only_now is None or one.only_base is None else f"+{one.only_now:,} -{one.only_base:,}",
            f"{one.answered / one.questions:.1%}",
            "" if one.rationale_tokens is None else f"{one.rationale_tokens:.0f}",
            _count(one.truncated),
        )
        for one in evaluations
    ]
    columns = [
        "<set",
        "<model",
        "right",
        "accuracy",
        "95 % interval",
        "p",
        "false equation",
        "against base",
        "answered",
    ]
    remark = (
        "Greedy, one prompt for all. Intervals: Wilson. Against base: questions won and lost; p: McNemar's exact test. False "
        "equation: right answers whose rationale states one. Only the validate set steers; the evaluate set is only reported."
    )
    return Table("Held-out accuracy", [*columns, "tokens", "truncated"], rows, remark)


def _samples(report: LoopReport) -> Table:
    sampled = [one for one in report.evaluations if one.k]
    tries = sorted({int(j) for one in sampled for j in one.pass_at_k})
    rows = [
        (
            one.held_out,
            _name(one.round),
            *(_percent(one.pass_at_k.get(str(j))) for j in tries),
            _percent(one.majority_at_k),
        )
        for one in sampled
    ]
    k = max((one.k for one in sampled), default=0)
    columns = ["<set", "<model", *(f"pass@{j}" for j in tries), f"majority@{k}"]
    return Table(
        "Several samples per question", columns, rows, "At the sampling temperature; pass@k is the unbiased estimate."
    )


def _kept(report: LoopReport) -> Table:
    rows = [
        (
            str(one.round),
            one.version or "",
            _count(one.completions),
            _count(one.correct),
            _count(one.kept),
            _count(one.rationalized),
            _percent(one.false_before),
            _percent(one.false_after),
            _count(one.version_rows),
        )
        for one in report.rounds
    ]
    columns = ["<round", "<version", "completions", "right answer", "kept", "of them rationalized"]
    remark = "False equation: of the right answers, before the policy, and of the version's rows, after it."
    return Table(
        "What each round wrote and kept", [*columns, "false before", "false after", "rows of the version"], rows, remark
    )


def _trainings(report: LoopReport) -> Table:
    rows = [
        (
            str(one.round),
            one.version,
            _count(one.steps),
            _loss(one.first_loss),
            _loss(one.last_loss),
            _seconds(one.seconds),
            one.weights or one.error or "not finished",
            one.yaml_hash[:12],
        )
        for one in report.trainings
    ]
    columns = ["<round", "<version", "steps", "first loss", "last loss", "seconds", "<weights", "<YAML"]
    return Table("Trainings", columns, rows)


def _stages(report: LoopReport) -> Table:
    rows = [
        (
            _name(one.round),
            one.stage.replace("_", " ") + ("" if one.finished else " (unfinished)"),
            _seconds(one.seconds),
            _seconds(one.generation or None),
            _seconds(one.trainer or None),
            _seconds(one.overhead),
            _count(one.tokens_out),
            _seconds(one.server or None),
            _count(one.tokens_in),
            _count(one.completions),
            _count(one.reused),
            _count(one.planned),
            _count(one.failed),
            _count(one.truncated),
            "" if one.cost is None else f"{one.cost:.4f}",
        )
        for one in report.stages
    ]
    times = ["seconds", "generation", "trainer", "ours", "tokens out", "server start", "tokens in"]
    counts = ["completions", "reused", "planned", "failed", "truncated", "US $"]
    return Table("Stages", ["<round", "<stage", *times, *counts], rows)


def _time(report: LoopReport) -> Table:
    seconds = report.seconds
    if not seconds["total"]:
        return Table("Where the time went", [], [])
    names = {"generation": "generation", "trainer": "trainer", "server": "server starts", "overhead": "ours"}
    rows = [(name, _seconds(seconds[part]), f"{seconds[part] / seconds['total']:.1%}") for part, name in names.items()]
    return Table(
        "Where the time went", ["<", "seconds", "share"], [*rows, ("all stages", _seconds(seconds["total"]), "")]
    )


def _name(round_number: int) -> str:
    return f"round {round_number}" if round_number else "base"


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _share(part: int | None, whole: int) -> str:
    return "" if part is None or not whole else f"{part / whole:.1%}"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}" if value >= 1e-12 else "< 1e-12"


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value + 0.0:,.1f}"  # + 0.0: no minus before a zero
