"""The funnel and the accounts: every row, every question and every attempt is in exactly one place."""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.audit.accounts import Accounts, Figures
from selftaught_builder.cli.show.terminal import share
from selftaught_builder.common.errors import InputError
from selftaught_builder.questions.held_out import HELD_OUT
from selftaught_builder.room.room import Room
from selftaught_builder.scope.scope import Scope, newest_scope
from selftaught_builder.selection.fates import FATES, furthest
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.funnel import CLASSES, Funnel
from selftaught_builder.selection.reading import reading
from selftaught_builder.spending.budget import REFUSALS
from selftaught_builder.store import Store, run_sql
from support.command import environment, selftaught
from support.reading import accounts_of, fates_in, funnel_of
from support.stages import export
from support.stores import SUMS, Scripted, reasoned

SAID = ("right", "reasoned", "false", "wrong", "unread", "empty", "same")
ERRORS = ("rate_limit", "server", "timeout", "auth")
POLICIES = (
    "default",
    "answer-only",
    "equations <> 'fail' AND hint_leak <> 'fail'",
    "tokens_out > 3 OR round = 2",
    "cost < 0.01",  # unknown where the cost is
    "true",
    "false",
)

sources = st.lists(
    st.one_of(
        st.integers(0, 30).map(lambda n: {"question": f"How much is {n} and 7?", "answer": str(n + 7)}),  # some twice
        st.sampled_from(
            [{"question": "", "answer": "1"}, {"question": "No answer?"}, {"question": "What?", "answer": ""}]
        ),
    ),
    max_size=14,
)
attempts = st.fixed_dictionaries(
    {
        "question": st.integers(0, 40),
        "says": st.sampled_from(SAID),
        "kind": st.sampled_from(
            ["sampled", "sampled", "sampled", "rationalized", "rationalized", "evaluated", "probed"]
        ),
        "finish_reason": st.sampled_from(["stop", "stop", "stop", "length", "content_filter", "error"]),
        "error": st.sampled_from([None, None, None, None, *ERRORS]),
        "run": st.sampled_from([None, None, None, "another"]),
        "round": st.sampled_from([1, 1, 2]),
        "tokens_in": st.one_of(st.none(), st.integers(0, 500)),
        "tokens_out": st.one_of(st.none(), st.integers(0, 500)),
        "cost": st.one_of(st.none(), st.floats(0, 0.1)),
    }
)
exports = st.fixed_dictionaries(
    {
        "per_question": st.sampled_from([None, 1, 2]),
        "rationalized_share": st.sampled_from([0.0, 0.3, 1.0]),
        "reasoning": st.sampled_from(["drop", "think_tags"]),
    }
)


def says(question: Any, what: str) -> str:
    """A completion of one sort."""
    return {
        "right": f"We think it through. The answer is {question.gold}.",
        "same": f"  We think it through. The answer is {question.gold}.\n",
        "reasoned": reasoned(question),
        "false": f"2 + 2 = 5, and so on it goes. The answer is {question.gold}.",
        "wrong": "It is a guess. The answer is 123456.",
        "unread": "No idea.",
        "empty": "",
    }[what]


def attempt(made: Scripted, chosen: dict[str, Any]) -> None:
    """Journal one of the drawn attempts, at any question that the store has, held out or not."""
    columns = dict(chosen)
    place = columns.pop("question") % len(made.questions)
    completion, kind, run = says(made.questions[place], columns.pop("says")), columns.pop("kind"), columns.pop("run")
    if columns["error"]:
        completion, columns["finish_reason"] = "", ""
    made.attempt(place, completion, kind=kind, **columns, **({"run": run} if run else {}))


def check_rows(funnel: Funnel, room: Room) -> None:
    """The rows of the source, against what reading it says."""
    divided = room.divided
    loaded = divided.training
    reasons = Counter(loaded.reasons)
    assert sum(funnel.held_out.values()) == reasons.pop(HELD_OUT, 0)
    assert funnel.rejected == dict(reasons)
    assert (funnel.source_rows, funnel.questions) == (loaded.rows, len(loaded.questions))
    assert funnel.not_asked == loaded.beyond_limit
    parts = (*funnel.rejected.values(), *funnel.held_out.values(), loaded.beyond_limit, *funnel.by_fate.values())
    assert sum(parts) == funnel.source_rows


def check_questions(funnel: Funnel, store: Store, room: Room, scope: Scope) -> None:
    """Each question is in one class, and the class is true of it."""
    assert set(funnel.by_fate) <= set(CLASSES)
    assert sum(funnel.by_fate.values()) == funnel.questions
    assert funnel.by_fate.get("exported", 0) == funnel.questions_exported
    with reading(store, scope, compile_filter(room.recipe)) as view:
        kept = set(run_sql(view.connection, "SELECT question FROM kept")["question"])
        audited = run_sql(view.connection, "SELECT * FROM audited").to_dicts()
    tried: dict[str, list[dict]] = {}
    for row in audited:
        tried.setdefault(row["question"], []).append(row)
    expected: Counter[str] = Counter()
    for question in room.questions.questions:
        rows = tried.get(question.hash, [])
        came = [row for row in rows if row["error"] is None]
        usable = [row for row in came if row["finish_reason"] == "stop" and row["completion"]]
        expected["kept"] += question.hash in kept
        expected["not asked"] += not rows
        expected["no completion"] += bool(rows) and not came
        expected["none right"] += bool(usable) and all(row["answer"] in ("fail", "unscorable") for row in usable)
        expected["unusable"] += bool(came) and not usable

    def classes(*names: str) -> int:
        return sum(funnel.by_fate.get(name, 0) for name in names)

    assert expected["kept"] == funnel.questions_kept == classes("exported", "rationalized_share")
    assert expected["not asked"] == classes("not_yet_asked")
    assert expected["no completion"] == classes("error")
    assert expected["none right"] == classes("wrong", "unreadable")
    assert expected["unusable"] == classes("empty", "cut_off", "truncated")


def check_counts(funnel: Funnel) -> None:
    """The counts of attempts."""
    assert funnel.attempts == funnel.errors + funnel.completions
    assert funnel.exported <= funnel.kept <= funnel.correct <= funnel.completions
    totals = [sum(getattr(kind, column) for kind in funnel.by_kind) for column in ("completions", "correct", "kept")]
    assert totals == [funnel.completions, funnel.correct, funnel.kept]


def check_accounts(accounts: Accounts, store: Store, run: str) -> None:
    """What was paid is the sum of its parts, and of the attempts; what nobody knows is never zero."""
    parts = [accounts.kept, accounts.earlier, accounts.waiting, accounts.unjudged, accounts.wasted_in_all]
    parts += accounts.measuring.values()
    for whole, some in ((accounts.paid, parts), (accounts.wasted_in_all, [*accounts.wasted.values()])):
        for name in ("attempts", "tokens_in", "tokens_out", "uncounted", "unpriced"):
            assert getattr(whole, name) == sum(getattr(part, name) for part in some), name
        assert math.isclose(whole.cost or 0, sum(part.cost or 0 for part in some), abs_tol=1e-9)
    query = """SELECT count(*) AS attempts, coalesce(sum(tokens_in), 0) AS tokens_in,
        coalesce(sum(tokens_out), 0) AS tokens_out, sum(cost) AS cost,
        count(*) FILTER (NOT refused AND (tokens_in IS NULL OR tokens_out IS NULL)) AS uncounted,
        count(*) FILTER (NOT refused AND cost IS NULL) AS unpriced
        FROM (SELECT *, coalesce(error IN ?, false) AS refused FROM attempts WHERE run = ?)"""
    (paid,) = store.sql(query, [list(REFUSALS), run]).to_dicts()
    cost = paid.pop("cost")
    assert {name: int(value) for name, value in paid.items()} == {name: getattr(accounts.paid, name) for name in paid}
    if accounts.paid.attempts:
        assert (accounts.paid.cost is None) == (cost is None and accounts.paid.unpriced > 0)
    for part in (accounts.paid, *parts, *accounts.wasted.values()):
        assert not (part.cost is None and not part.unpriced), "what cost nothing has a price: none"


@settings(max_examples=8, deadline=None)
@given(
    source=sources,
    early=st.lists(attempts, max_size=25),
    late=st.lists(attempts, max_size=5),
    limit=st.sampled_from([None, 2, 6]),
    shares=st.tuples(st.sampled_from([0, 0.2]), st.sampled_from([0, 0.2]), st.sampled_from([None, 1])),
    policies=st.lists(st.tuples(st.sampled_from(POLICIES), exports), min_size=1, max_size=2),
)
def test_every_row_every_question_and_every_attempt_is_in_exactly_one_place(
    source: list[dict], early: list[dict], late: list[dict], limit: int | None, shares: tuple, policies: list[tuple]
) -> None:
    validate, evaluate, held_limit = shares
    questions: dict[str, Any] = {"source": "questions.jsonl", "limit": limit}
    if validate:
        questions["validate"] = {"share": validate, "limit": held_limit}
    if evaluate:
        questions["evaluate"] = {"share": evaluate, "limit": held_limit}
    verifiers = ["answer", "equations", "hint_leak", "number_provenance", "degenerate"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = Scripted(Path(folder) / "sums", [*SUMS, *source], questions=questions, verify=verifiers)
        except InputError:  # everything is held out: there is nothing to ask
            return
        divided = made.room.divided
        made.loaded = replace(made.loaded, questions=[*made.questions, *divided.validate, *divided.evaluate])
        for chosen in early:
            attempt(made, chosen)
        made.verify()
        for chosen in late:
            attempt(made, chosen)
        with made.store.writer():
            made.store.commit_journal()  # these have no verdicts yet
        for policy, exporting in policies:
            room = made.amended(keep=policy, export=exporting)
            scope = newest_scope(made.store, room)
            funnel = funnel_of(made.store, room.recipe, scope)
            check_rows(funnel, room)
            check_counts(funnel)
            check_questions(funnel, made.store, room, scope)
            check_accounts(accounts_of(made.store, room), made.store, room.run)
            try:
                version = export(room)
            except InputError:
                continue
            check_rows(version.funnel, room)
            accounts = accounts_of(made.store, room)
            check_accounts(accounts, made.store, room.run)
            if version.fresh:
                exported = made.store.sql(
                    "SELECT count(*) FROM dataset_rows d JOIN attempts a ON a.id = d.attempt AND a.run = ? WHERE version = ?",
                    [room.run, version.name],
                ).item()
                assert accounts.version == version.name
                assert (accounts.kept.attempts, accounts.waiting.attempts) == (exported, 0)


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """Attempts of many fates at three of four questions, one of them paid for by another run."""
    made = Scripted(tmp_path / "sums", [*SUMS, {"question": "No answer?"}], export={"per_question": 1})
    first, *_ = made.questions
    made.notes |= {
        "exported": made.attempt(0, reasoned(first), cost=0.25, sample_index=0),
        "duplicate": made.attempt(0, reasoned(first) + "\n", cost=0.5),
        "per_question": made.attempt(0),
        "policy": made.attempt(0, "2 + 2 = 5, so it is so. The answer is 5."),
        "wrong": made.attempt(1, "The answer is 6.", tokens_in=None, tokens_out=None),
        "truncated": made.attempt(1, finish_reason="length"),
        "error": made.attempt(2, "", error="server", finish_reason="", tokens_in=None, tokens_out=None),
        "evaluated": made.attempt(2, kind="evaluated"),
        "unverified": "",
    }
    made.attempt(1, run="another")
    made.verify()
    return made


def test_each_attempt_has_its_fate(scripted: Scripted) -> None:
    scripted.notes["unverified"] = scripted.attempt(3)
    with scripted.store.writer():
        scripted.store.commit_journal()
    fates = fates_in(scripted.store, scripted.room.recipe, newest_scope(scripted.store, scripted.room))
    found = {row["attempt"]: row["fate"] for row in fates.iter_rows(named=True) if row["run"] == scripted.room.run}
    assert found == {attempt: fate for fate, attempt in scripted.notes.items()}
    (copy,) = fates.filter(fates["fate"] == "duplicate").iter_rows(named=True)
    assert copy["duplicate_of"] == scripted.notes["exported"]
    reached = dict(furthest(fates).iter_rows())
    assert [reached[question.hash] for question in scripted.questions] == [
        "exported",
        "exported",
        "error",
        "unverified",
    ]
    assert set(found.values()) <= set(FATES)


def test_what_the_versions_round_does_not_ask_is_of_another_round(tmp_path: Path) -> None:
    training = {"train": {"base_model": "base"}, "sample": {"k": 2}}
    made = Scripted(tmp_path / "sums", **training)
    inside = made.attempt(0, reasoned(made.questions[0]), sample_index=0)
    beyond_k = made.attempt(1, reasoned(made.questions[1]), sample_index=2)
    other_weights = made.attempt(2, reasoned(made.questions[2]), sample_index=0, weights="sha256:" + "1" * 16)
    made.verify()
    fates = dict(
        fates_in(made.store, made.room.recipe, newest_scope(made.store, made.room))
        .select("attempt", "fate")
        .iter_rows()
    )
    assert fates == {inside: "exported", beyond_k: "other_recipe", other_weights: "other_recipe"}
    version = export(made.room, number=1)
    with made.store.write() as connection:
        connection.execute(
            "INSERT INTO stages VALUES (?, 1, 'export', 'x', now(), now(), ?)",
            [made.room.run, json.dumps({"version": version.name})],
        )
    accounts = accounts_of(made.store, made.room)
    assert accounts.kept.attempts == 1
    assert {fate: figures.attempts for fate, figures in accounts.wasted.items()} == {"other_recipe": 2}
    assert accounts.waiting.attempts == 0


def test_the_accounts_tell_what_was_paid_kept_and_wasted(scripted: Scripted) -> None:
    before = accounts_of(scripted.store, scripted.room)
    assert (before.version, before.kept, before.waiting.attempts) == ("", Figures(cost=0.0), 1)
    version = scripted.export()
    accounts = accounts_of(scripted.store, scripted.room)
    assert accounts.version == version.name
    assert accounts.paid == Figures(8, 60, 30, 0.75, 1, 5)
    assert accounts.kept == Figures(1, 10, 5, 0.25)
    assert accounts.measuring == {"evaluated": Figures(1, 10, 5, None, 0, 1)}
    assert {fate: figures.attempts for fate, figures in accounts.wasted.items()} == dict.fromkeys(
        ("per_question", "duplicate", "policy", "wrong", "truncated", "error"), 1
    )
    assert accounts.wasted["wrong"] == Figures(1, 0, 0, None, 1, 1)
    newer = scripted.export(keep="answer = 'pass'", export={"per_question": 2})
    accounts = accounts_of(scripted.store, scripted.amended())
    assert (accounts.version, accounts.kept.attempts, accounts.earlier.attempts) == (newer.name, 2, 0)
    scripted.export(keep="equations = 'fail'")
    accounts = accounts_of(scripted.store, scripted.amended())
    assert (accounts.kept.attempts, accounts.earlier.attempts) == (1, 2)


@given(st.integers(1, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_only_nothing_is_no_share_and_only_everything_is_all(counts: tuple[int, int]) -> None:
    part, whole = counts
    assert (share(part, whole) == "0%") == (part == 0)
    assert (share(part, whole) == "100%") == (part == whole)


def test_status_shows_the_funnel_and_the_accounts_in_eighty_columns(scripted: Scripted) -> None:
    scripted.export()
    shown = selftaught("status", scripted.room.folder, env=environment(COLUMNS="80"))
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80
    lines = {" ".join(line.split()) for line in shown.stdout.splitlines()}
    for line in (
        "source rows 5",
        "rejected: missing_field 1",
        "exported 2 50% of questions",
        "no completion 1 25% of questions",
        "not asked yet 1 25% of questions",
        "paid 8 60 30 $0.7500+?",
        "kept in v1-" + scripted.store.sql("SELECT version FROM dataset_versions").item()[3:] + " 1 10 5 $0.2500",
        "wrong answer 1 ? ? unknown",
        "5 attempts without a known price: +?",
    ):
        assert line in lines, (line, shown.stdout)
    printed = json.loads(selftaught("status", scripted.room.folder, "--json").stdout)
    assert printed["accounts"] == json.loads(json.dumps(asdict(accounts_of(scripted.store, scripted.room))))
    assert printed["funnel"]["by_fate"] == {"exported": 2, "error": 1, "not_yet_asked": 1}
    assert printed["accounts"]["wasted"]["wrong"]["cost"] is None
