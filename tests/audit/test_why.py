"""Why not? Each attempt's clause, each row's reason, and the splitting of predicates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.audit.clauses import clauses
from selftaught_builder.audit.finding import Found, Unasked, find
from selftaught_builder.audit.why import Tried, Why, why
from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe.policies import shipped_policies
from selftaught_builder.room.room import open_room
from selftaught_builder.selection.policy import HARD_RULES
from selftaught_builder.selection.workspace import Workspace
from support.command import environment, selftaught
from support.stores import SUMS, WHO, Scripted, reasoned

# Clauses.


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every combination of three conditions that are true, false or unknown."""
    with duckdb.connect() as memory:
        memory.execute("CREATE TABLE cases (a BOOLEAN, b BOOLEAN, c BOOLEAN)")
        memory.executemany("INSERT INTO cases VALUES (?, ?, ?)", list(product((True, False, None), repeat=3)))
        memory.execute("SET lock_configuration = true")
        yield memory


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ("answer = 'pass'", ["answer = 'pass'"]),
        ("a AND b AND c", ["a", "b", "c"]),
        ("(a AND (b AND c))", ["a", "b", "c"]),
        ("a OR b AND c", ["a OR (b AND c)"]),
        ("x BETWEEN 1 AND 2 AND b", ["x BETWEEN 1 AND 2", "b"]),
        ("a -- AND b\nAND note <> 'this AND that)' /* AND c */", ["a", "note != 'this AND that)'"]),
        ("(a OR b) AND (b OR c)", ["a OR b", "b OR c"]),
        ("a AND", ["a AND"]),
        ("", [""]),
    ],
)
def test_a_predicate_is_split_at_its_outermost_ands(
    connection: duckdb.DuckDBPyConnection, predicate: str, found: list[str]
) -> None:
    assert [clause.strip("()") if "OR" not in clause else clause for clause in clauses(connection, predicate)] == found


def test_every_shipped_policy_and_the_hard_rules_are_split(connection: duckdb.DuckDBPyConnection) -> None:
    assert len(clauses(connection, HARD_RULES)) == 6
    for policy in shipped_policies().values():
        assert len(clauses(connection, policy.sql)) == policy.sql.count("\nAND ") + 1


predicates = st.recursive(
    st.sampled_from(["a", "b", "c", "a = b", "c IS NULL", "b IN (true)"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) AND {pair[1]}"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
        inner.map(lambda part: f"NOT ({part})"),
    ),
    max_leaves=6,
)


@given(predicate=predicates)
def test_the_clauses_together_say_what_the_predicate_says(
    connection: duckdb.DuckDBPyConnection, predicate: str
) -> None:
    together = " AND ".join(f"({clause})" for clause in clauses(connection, predicate))
    query = f"SELECT count(*) FROM cases WHERE (({predicate}) IS TRUE) <> (({together}) IS TRUE)"
    assert connection.execute(query).fetchall() == [(0,)]


# Attempts.


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    """A question with an attempt of every sort, one without any, and rows that are no question."""
    rows = [
        {**SUMS[0], "id": "ann"},
        {**SUMS[1], "id": "twice"},
        {**SUMS[2], "id": "twice"},
        {"question": "No answer?", "id": "none"},
        {**SUMS[3], "id": "beyond"},
    ]
    made = Scripted(
        tmp_path_factory.mktemp("why") / "sums",
        rows,
        questions={"source": "questions.jsonl", "id": "id", "limit": 3},
        export={"per_question": 1, "draw_on": "store"},  # also the rationalized attempt that nobody needs
        keep="equations <> 'fail' AND (tokens_out < 50 OR round = 7)",
    )
    first = made.questions[0]
    made.notes |= {
        "exported": made.attempt(0, reasoned(first), sample_index=0),
        "duplicate": made.attempt(0, reasoned(first) + "\n"),
        "per_question": made.attempt(0),
        "equations": made.attempt(0, "2 + 2 = 5, so it is so. The answer is 5."),
        "tokens": made.attempt(0, "It was a long way round. The answer is 5.", tokens_out=60),
        "wrong": made.attempt(0, "The answer is 6. \x1b[31m\u202e"),
        "truncated": made.attempt(0, finish_reason="length"),
        "hint": made.attempt(0, "The answer is 5.", kind="rationalized"),
        "error": made.attempt(0, "", error="server", error_text="HTTP 500", finish_reason="", tokens_out=None),
        "evaluated": made.attempt(0, kind="evaluated"),
        "probed": made.attempt(0, kind="probed"),
    }
    made.notes["version"] = made.export().name
    made.notes["later"] = made.attempt(1, "9 - 2 = 7. The answer is 7.")
    made.verify()
    return made


def asked(made: Scripted, what: str) -> Why:
    return why(Workspace(open_room(made.room.folder)), what)


def of(found: Why, attempt: str) -> Tried:
    (tried,) = [tried for tried in found.attempts if tried.id == attempt]
    return tried


def test_each_attempt_names_the_clause_that_kept_it_out(scripted: Scripted) -> None:
    found, notes = asked(scripted, "ann"), scripted.notes
    assert (found.standing, found.version, found.row) == ("exported", notes["version"], 1)
    assert len(found.attempts) == 11
    assert of(found, notes["exported"]).exported
    because = {name: list(of(found, notes[name]).because) for name in notes if name not in ("version", "later")}
    assert because["exported"] == []
    assert because["duplicate"] == [f"says word for word what {notes['exported']} says"]
    assert because["per_question"] == ["over `export.per_question`: number 2 of its question, and 1 may stay"]
    assert because["equations"] == ["policy: equations != 'fail'"]
    assert because["tokens"] == ["policy: (tokens_out < 50) OR (round = 7)"]
    assert because["wrong"] == ["hard rule: answer = 'pass'"]
    assert [clause.startswith("hard rule: ") and "finish_reason" in clause for clause in because["truncated"]] == [True]
    assert because["hint"] == ["hard rule: (NOT hinted) OR (hint_leak = 'pass')"]
    assert because["error"] == ["failed try: server: HTTP 500"]
    assert because["evaluated"] == ["asked to evaluate a model: never exported"]
    assert because["probed"] == ["asked by a verifier about another attempt: never exported"]
    said = {said.verifier: (said.outcome, said.reason) for said in of(found, notes["equations"]).verdicts}
    assert said["answer"] == ("pass", "equal")
    assert said["equations"] == ("fail", "false: 2 + 2 = 5")
    assert of(found, notes["error"]).verdicts == []


def test_what_came_after_the_newest_version_waits_for_the_next(scripted: Scripted) -> None:
    found = asked(scripted, scripted.notes["later"])
    (tried,) = found.attempts
    assert tried.asked
    assert tried.because == [f"newer than {scripted.notes['version']}; the next export takes it"]
    assert found.standing == "exported"  # by an export made now


def test_an_attempt_a_hash_and_a_row_name_the_question_too(scripted: Scripted) -> None:
    first = asked(scripted, "ann")
    for what in (first.hash, first.hash[:10], "1"):
        assert asked(scripted, what) == first
    wrong = scripted.notes["wrong"]
    for what in (wrong, wrong[:12]):
        found = asked(scripted, what)
        assert found.hash == first.hash
        assert [tried.id for tried in found.attempts if tried.asked] == [found.attempts[0].id] == [wrong]


def test_a_question_without_attempts_says_why(scripted: Scripted) -> None:
    not_yet = asked(scripted, "3")
    assert (not_yet.standing, not_yet.reason, not_yet.attempts) == ("not_yet_asked", "not asked yet", [])
    rejected = asked(scripted, "4")
    assert rejected.standing == "rejected"
    assert rejected.reason.startswith("rejected at the source: missing_field: ")
    for what in ("beyond", "5"):
        beyond = asked(scripted, what)
        assert (beyond.standing, beyond.row, beyond.gold) == ("beyond_limit", 5, "40")
        assert beyond.text == SUMS[3]["question"]


def test_held_out_questions_say_what_for(tmp_path: Path) -> None:
    rows = [{"question": f"How much is {n} and 7?", "answer": str(n + 7)} for n in range(40)]
    questions = {"source": "questions.jsonl", "validate": {"share": 0.3, "limit": 2}, "evaluate": {"share": 0.3}}
    made = Scripted(tmp_path / "sums", rows, questions=questions)
    divided = made.room.divided
    found = {row: find(made.store, made.room, str(row)) for row in range(1, 41)}
    for question in (*made.questions, *divided.validate, *divided.evaluate):
        assert found.pop(question.row) == Found(question.hash)
    assert found  # held out for validate, and over its limit
    assert all(isinstance(row, Unasked) and row.standing == "held_out" for row in found.values())
    assert {row.reason for row in found.values()} == {"held out for validate, and not needed there"}
    reasons = [asked(made, part[0].hash).reason for part in (made.questions, divided.validate, divided.evaluate)]
    held_out = [f"held out for {part}: never trained on" for part in ("validate", "evaluate")]
    assert reasons == ["not asked yet", *held_out]


def test_another_runs_attempt_is_told_as_such(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums")
    other = made.attempt(0)
    made.verify()
    lines = [json.dumps(row) + "\n" for row in SUMS[1:]]
    (made.room.folder / "questions.jsonl").write_text("".join(lines))
    room = replace(open_room(made.room.folder), run="another")
    with made.store.writer():
        from selftaught_builder.sampling.provenance import record_questions, record_round

        record_questions(made.store, room.run, room.recipe.name, room.divided)
        record_round(made.store, room.run, 1, room.recipe, [WHO])
    found = why(Workspace(room), other)
    assert (found.standing, found.reason) == ("other_run", "run another does not ask this question")
    assert found.attempts[0].because == ["belongs to run sums: of a question not in this run"]


def test_a_capped_rationalization_says_so(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums", export={"rationalized_share": 0.5}, keep="true", verify=["answer", "hint_leak"])
    made.attempt(0)
    hinted = [made.attempt(place, reasoned(made.questions[place]), kind="rationalized") for place in (1, 2)]
    made.export()
    said = {tuple(asked(made, attempt).attempts[0].because) for attempt in hinted}
    assert said == {(), ("over `export.rationalized_share`: rationalized rows make up at most 0.5",)}
    assert {asked(made, attempt).standing for attempt in hinted} == {"exported", "rationalized_share"}


def test_a_policy_that_has_changed_is_noted(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums")
    attempt = made.attempt(0)
    made.verify()
    assert asked(made, attempt).attempts[0].because == ["nothing was exported yet; an export takes it"]
    version = made.export().name
    made.amended(keep="tokens_out > 1000")
    (note,) = asked(made, attempt).notes
    assert note.startswith(f"{version} was made under another policy")
    assert asked(made, attempt).attempts[0].exported


def test_a_guarded_policy_that_cannot_be_split_is_named_whole(tmp_path: Path) -> None:
    guarded = "CASE WHEN model = 'scripted' THEN tokens_out > 5 ELSE true END"
    made = Scripted(tmp_path / "sums", keep=guarded)
    attempt = made.attempt(0)
    made.verify()
    (clause,) = asked(made, attempt).attempts[0].because
    assert clause.startswith("policy: ")
    assert "tokens_out > 5" in clause


@pytest.mark.parametrize("what", ["nothing", "99", "0", "' OR true --", "%", "__________", "\udc80", "", "9" * 30])
def test_what_is_not_there_is_an_input_error(scripted: Scripted, what: str) -> None:
    with pytest.raises(InputError):
        asked(scripted, what)


def test_an_id_that_two_questions_have_is_an_input_error(scripted: Scripted) -> None:
    with pytest.raises(InputError, match="2 questions have this id") as caught:
        asked(scripted, "twice")
    assert all(question.hash in str(caught.value) for question in scripted.questions[1:])


def test_the_command_shows_it_in_a_hundred_columns_and_prints_json(scripted: Scripted) -> None:
    folder, wrong = scripted.room.folder, scripted.notes["wrong"]
    shown = selftaught("audit", folder, "why", wrong, env=environment(COLUMNS="100"))
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert "\x1b" not in shown.stdout + shown.stderr
    assert "\u202e" not in shown.stdout
    assert "hard rule: answer = 'pass'" in shown.stdout
    assert "and 1 questions that verifiers asked about these" in shown.stdout
    printed = json.loads(selftaught("audit", folder, "why", wrong, "--json").stdout)
    found = asked(scripted, wrong)
    assert printed["hash"] == found.hash
    assert [row["id"] for row in printed["attempts"]] == [tried.id for tried in found.attempts]
    assert printed["attempts"][0]["because"] == ["hard rule: answer = 'pass'"]
    refused = selftaught("audit", folder, "why", "1", "2")
    assert refused.returncode == 2
    assert "2 names where one is needed" in refused.stderr


def test_an_attempt_is_found_by_its_key_as_a_datasets_rows_name_it(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums")
    failed = made.attempt(0, "", sample_index=0, error="server", finish_reason="")
    key = failed.split(".")[0]
    came = made.attempt(0, sample_index=0, id=f"{key}.2", **{"try": 2})
    made.verify()
    assert find(made.store, made.room, key) == Found(made.questions[0].hash, came)


def test_what_the_recipe_does_not_ask_for_says_why(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums", sample={"k": 2}, rationalize={"k": 1})
    reasons = {
        made.attempt(0, sample_index=0): "",
        made.attempt(0, sample_index=5): "sample 6 of its question, and the recipe asks for 2",
        made.attempt(
            0, sample_index=1, weights="sha256:other"
        ): "the recipe asks other weights than sha256:other (scripted)",
        made.attempt(
            0, sample_index=1, id="warm.1", parameters='{"temperature":2}'
        ): 'sampled with {"temperature":2}; the recipe',
        made.attempt(0, sample_index=1, id="worded.1", prompt="p" * 32): "asked under another prompt",
        made.attempt(0, kind="rationalized", sample_index=0): "rationalized, though a sample of its question is kept",
    }
    made.verify()
    tried = {one.id: " ".join(one.because) for one in why(Workspace(made.room), made.questions[0].hash).attempts}
    for attempt, reason in reasons.items():
        assert reason in tried[attempt], tried[attempt]
    room = made.amended(rationalize={"k": 0})
    tried = {one.id: one.because for one in why(Workspace(room), made.questions[0].hash).attempts}
    assert tried[[*reasons][-1]] == ["not what the recipe asks for: the recipe does not rationalize"]
