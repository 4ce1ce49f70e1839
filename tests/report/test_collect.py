"""The report: what it says of a hand-filled loop, and that nobody's text can do anything in it."""

from __future__ import annotations

import base64
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from selftaught_builder.common.errors import InputError
from selftaught_builder.evaluation.summary import recorded
from selftaught_builder.report import LoopReport, collect
from selftaught_builder.report.page import visible, write_html
from selftaught_builder.report.plot import as_svg, write_png
from selftaught_builder.report.tables import best_line, tables
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.reading import reading
from selftaught_builder.store import run_sql
from support.command import environment, selftaught
from support.loops import BASE, FALSE, TRUE, WRONG, Loop

FIRST, SECOND = "sha256:" + "1" * 16, "sha256:" + "2" * 16
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m\n2 + 2 = 5. The answer is 5."
RUN = "o'hara <b>$run$x^</b>"


def fill(loop: Loop) -> None:
    """Two rounds: the first keeps a sampled and a rationalized row, the second a clean one and carries one over."""
    loop.round(1, BASE)
    loop.round(2, FIRST)
    first = [
        loop.attempt("training-0", TRUE, kind="sampled", cost=0.25),
        loop.attempt("training-1", FALSE, kind="sampled", run="another"),  # the same weights: another run paid for it
        loop.attempt("training-2", WRONG, kind="sampled"),
        loop.attempt("training-2", HOSTILE, kind="rationalized"),
    ]
    loop.attempt("training-3", "", kind="sampled", error="server", finish_reason="")
    loop.attempt("training-9", TRUE, kind="sampled")  # no question of the run
    loop.evaluated(0, BASE, 2, k=2)
    second = [
        loop.attempt("training-0", TRUE, kind="sampled", weights=FIRST, round=2),
        loop.attempt("training-1", TRUE, kind="sampled", weights=FIRST, round=2),
        loop.attempt("training-2", FALSE, kind="sampled", weights=FIRST, round=2),
        loop.attempt("training-3", TRUE, kind="rationalized", weights=FIRST, round=2),  # of a run that asked with hints
    ]
    loop.evaluated(1, FIRST, 6, k=2)
    loop.version("v1-aaaaaaaa", [first[0], first[3]])
    loop.version("v2-bbbbbbbb", [second[0], first[0]])
    loop.trained(1, "v1-aaaaaaaa", SECOND, id="earlier")
    loop.trained(9, "v1-aaaaaaaa", FIRST, run="another", id="the same")
    loop.trained(2, "v2-bbbbbbbb", None, finished_at=None, seconds=None, losses="[]", error="out of memory")
    spent = {"total": 8.0, "generation": 5.0, "server": 1.0}
    loop.stage(0, "evaluate", planned=28, completions=28, tokens_out=280, seconds=spent)
    loop.stage(1, "train", training="the same", seconds={"total": 60, "trainer": 50.5})
    loop.stage(1, "sample", planned=5, seconds=spent)
    loop.stage(1, "rationalize", planned=1)
    loop.stage(1, "export", version="v1-aaaaaaaa")
    loop.stage(2, "rationalize", planned=0)
    loop.stage(2, "train", finished=False)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    made = Loop(tmp_path_factory.mktemp("report"), run=RUN)
    fill(made)
    return made


@pytest.fixture(scope="module")
def report(loop: Loop) -> LoopReport:
    return collect(loop.store, loop.scope, compile_filter(loop.recipe))


def test_each_round_counts_its_own_model_whoever_paid(report: LoopReport) -> None:
    one, two = report.rounds
    assert (one.round, one.version, one.completions, one.correct) == (1, "v1-aaaaaaaa", 4, 3)
    assert (one.kept, one.rationalized, one.version_rows) == (2, 1, 2)
    assert (one.correct_false, one.version_false) == (2, 1)
    assert (one.false_before, one.false_after) == (2 / 3, 1 / 2)
    assert (two.version, two.completions, two.correct) == ("v2-bbbbbbbb", 4, 4)
    assert (two.kept, two.rationalized, two.version_rows) == (1, 0, 2)  # one row carried over
    assert (two.false_before, two.false_after) == (1 / 4, 0.0)


def test_stages_say_what_took_their_time(report: LoopReport) -> None:
    assert [(stage.round, stage.stage) for stage in report.stages] == [
        (0, "evaluate"),
        (1, "sample"),
        (1, "rationalize"),
        (1, "export"),
        (1, "train"),
        (2, "rationalize"),
        (2, "train"),
    ]
    sample, rationalize, train, last = report.stages[1], report.stages[2], report.stages[4], report.stages[6]
    # The run has paid for four samples, one without a completion; another run for a fifth.
    assert (sample.planned, sample.reused, sample.failed, sample.cost, sample.tokens_in) == (5, 1, 1, 0.25, 80)
    assert (sample.seconds, sample.generation, sample.server, sample.trainer, sample.overhead) == (8, 5, 1, 0, 2)
    assert train.overhead == 9.5
    assert (rationalize.seconds, rationalize.overhead) == (10, 10)  # by the clock, where no detail tells
    assert (last.finished, last.seconds, last.overhead) == (False, None, None)
    assert report.seconds["total"] == sum(
        report.seconds[part] for part in ("generation", "server", "trainer", "overhead")
    )


def test_evaluations_trainings_and_the_best_are_there(report: LoopReport, loop: Loop) -> None:
    assert report.evaluations == recorded(loop.store, RUN)
    assert report.best is not None
    assert (report.best.held_out, report.best.round) == ("validate", 1)
    assert best_line(report) == f"Best on the validate set: round 1 ({FIRST}), 100.0% right."
    assert [(one.round, one.weights, one.first_loss, one.last_loss, one.error) for one in report.trainings] == [
        (1, FIRST, 1.5, 0.25, None),  # the one that the stage names, though another run made it
        (2, None, None, None, "out of memory"),
    ]


def test_leaks_come_with_those_trained_on_first(report: LoopReport) -> None:
    assert [(leak.trained_on, leak.round, leak.kind) for leak in report.leaks] == [
        (True, 1, "rationalized"),
        (False, 1, "sampled"),
        (False, 2, "sampled"),
    ]
    assert report.leaks[0].rationale == HOSTILE
    assert "2 + 2 = 5" in report.leaks[0].reason


def test_the_sql_shown_is_the_sql_that_was_run(report: LoopReport, loop: Loop) -> None:
    with reading(loop.store, loop.scope, compile_filter(loop.recipe)) as view:
        shown = [run_sql(view.connection, query).to_dicts() for query in report.sql.values()]
    assert [row["correct"] for row in shown[0]] == [one.correct for one in report.evaluations]
    assert [row["completions"] for row in shown[1]] == [one.completions for one in report.rounds]
    assert [row["attempt"] for row in shown[2]] == [leak.attempt for leak in report.leaks]


def test_tables_show_every_figure_once(report: LoopReport) -> None:
    shown = {table.title: table for table in tables(report)}
    for table in shown.values():
        assert all(len(row) == len(table.columns) for row in table.rows)
    accuracy = shown["Held-out accuracy"]
    evaluate = dict(zip(accuracy.columns, accuracy.rows[3], strict=True))
    assert evaluate["right"] == "6 of 10"
    assert evaluate["95 % interval"] == "31.3 to 83.2"
    assert (evaluate["against base"], evaluate["p"]) == ("+4 -0", "0.125")
    assert "truncated" in accuracy.columns
    assert shown["Several samples per question"].columns == ["<set", "<model", "pass@1", "pass@2", "majority@2"]
    assert ["ours", "43.5", "41.0%"] in [list(row) for row in shown["Where the time went"].rows]


def test_what_nobody_looked_at_is_not_shown_as_zero(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.round(1, BASE)
    loop.attempt("training-0", FALSE, kind="sampled")
    loop.verify(["answer"])
    loop.stage(1, "sample")
    report = collect(loop.store, loop.scope, compile_filter(loop.recipe))
    [only] = report.rounds
    assert (only.completions, only.correct, only.correct_false, only.false_before, only.version) == (
        1,
        1,
        None,
        None,
        None,
    )
    assert not report.leaks
    assert all("false" not in column for table in tables(report) for column in table.columns)
    assert report.best is None
    assert best_line(report) == ""
    assert b"<svg" in as_svg(report)  # with no evaluation at all


def test_unknown_weights_count_by_run_and_round(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    for number in (1, 2):
        loop.round(number, "unknown")
        loop.attempt("training-0", TRUE, kind="sampled", weights="unknown", round=number, index=number)
    loop.attempt("training-0", TRUE, kind="sampled", weights="unknown", run="another", index=3)
    loop.verify()
    loop.stage(1, "sample")
    assert [one.completions for one in collect(loop.store, loop.scope, compile_filter(loop.recipe)).rounds] == [1, 1]


def test_a_run_without_rounds_is_an_input_error(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    with pytest.raises(InputError, match=r"no rounds to report.*\n.*selftaught run"):
        collect(loop.store, loop.scope, compile_filter(loop.recipe))


class Page(HTMLParser):
    """What a browser would make of a page: its tags, the attributes that load or run something, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.active: list[tuple[str, str]] = []
        self.policy = self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        self.active += [(name, given[name]) for name in given if name in ("src", "href") or name.startswith("on")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_everything_and_does_nothing(report: LoopReport, tmp_path: Path) -> None:
    write_html(report, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert not {"script", "b", "iframe", "object", "link", "a", "form"} & page.tags
    [(name, value)] = page.active
    assert name == "src"
    figure = base64.b64decode(value.removeprefix("data:image/svg+xml;base64,"))
    assert figure.startswith(b"<?xml")
    assert b"<script" not in figure
    assert f"Run {RUN}" in page.text
    assert "</pre><script>alert(1)</script>" in page.text  # as text, to be read
    assert "\\u202e\\x1b[31m" in page.text
    assert not re.search("[\u202e\x1b]", text)
    assert all(query in page.text for query in report.sql.values())
    write_html(report, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_text_stays_as_it_is_unless_it_hides() -> None:
    assert visible("3 + 4 = 7 ≈ 七\nnext") == "3 + 4 = 7 ≈ 七\nnext"
    assert visible("a\u200bb\r\x00") == "a\\u200bb\\r\\x00"


def test_without_matplotlib_the_error_names_the_extra(
    report: LoopReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"selftaught\[report\]"):
        write_png(report, tmp_path / "report.png")
    assert not (tmp_path / "report.png").exists()


def test_the_command_prints_writes_and_leaves_out_what_does_not_fit(loop: Loop, tmp_path: Path) -> None:
    (loop.folder / "recipe.yaml").write_text(
        "name: sums\nquestions: {source: q.jsonl}\nprompt: {examples: null}\nexport: {draw_on: store}\n",
        encoding="utf-8",
    )
    png, html = tmp_path / "r.png", tmp_path / "r.html"
    done = selftaught("report", loop.folder, "--run", RUN, "--png", png, "--html", html)
    assert (done.returncode, done.stderr.count("written:")) == (0, 2), done.stderr
    assert png.read_bytes().startswith(b"\x89PNG")
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "31.3 to 83.2" in done.stdout
    assert "wider terminal" not in done.stdout
    narrow = selftaught("report", loop.folder, "--run", RUN, env=environment(COLUMNS="70", TERMINAL_WIDTH="70"))
    assert "… and in a wider terminal: against base" in " ".join(narrow.stdout.split())
    assert max(map(len, narrow.stdout.splitlines())) <= 70
    told = json.loads(selftaught("report", loop.folder, "--run", RUN, "--json").stdout)
    assert [one["false_before"] for one in told["rounds"]] == [2 / 3, 1 / 4]
    assert told["best"]["weights"] == FIRST
    unknown = selftaught("report", loop.folder)
    assert (unknown.returncode, "no run `sums`" in unknown.stderr) == (2, True)
