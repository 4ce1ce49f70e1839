"""Endpoint verifiers: what they ask, how their verdicts come about, and that their questions count as nothing else."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.audit.lineage import lineage
from selftaught_builder.common.errors import EndpointError, InputError, RecipeError
from selftaught_builder.common.keys import seed_of
from selftaught_builder.endpoints import Identity
from selftaught_builder.loop.loop import Loop
from selftaught_builder.probing.judge import Vote, read_vote
from selftaught_builder.probing.withhold import without_answer
from selftaught_builder.questions import Question
from selftaught_builder.recipe import Recipe
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.sampling.provenance import record_round
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.reading import reading
from selftaught_builder.verification import chosen_verifiers, verify, versions_of
from support.reading import failed_in, funnel_of
from support.rooms import cli, start_cli
from support.rooms import server_room as write_sums
from support.servers import OpenAIServer
from support.stages import check, sample, verify_room
from support.stores import Scripted

WORKED = "She has 2 pens and buys 3, and 2 + 3 = 5. The answer is 5."
VACUOUS = "We think it through with care. So she has 5 pens. The answer is 5."
# A model that finishes a sum it is shown, and guesses where there is none.
FINISHES = [
    [r"\d \+ \d = (\d+)[^\n]*\nFinish from this", r"The answer is \1."],
    ["reply with one line", "The answer is 77."],
]
SOUND, FLAWED = (
    json.dumps({"flawed": flawed, "first_error_step": step, "reason": reason})
    for flawed, step, reason in ((False, None, "all holds"), (True, 1, "no reasoning"))
)
JUDGES = [[r"1\. We think it through", FLAWED], ["numbered steps", f"Step 1 holds.\n```json\n{SOUND}\n```"]]


def scripted(folder: Path, server: OpenAIServer, names: list[str], **recipe: Any) -> Scripted:
    """A room whose attempts were written by the model that answers at the server."""
    recipe = {"endpoint": {"model": "stand-in", "kind": "openai", "base_url": server.url, "timeout": 20}, **recipe}
    made = Scripted(folder, verify=["answer", "hint_leak", *names], keep="answer = 'pass'", **recipe)
    with made.store.writer():
        record_round(made.store, made.room.run, 1, made.room.recipe, [Identity(server.url, "stand-in", "unknown")])
    return made


def write(made: Scripted, question: int, completion: str | None = None, **columns: Any) -> str:
    return made.attempt(question, completion, **{"weights": "unknown", "model": "stand-in", **columns})


def verdicts(room: Room, verifier: str) -> dict[str, dict[str, Any]]:
    """The newest verdict on each attempt."""
    query = "SELECT attempt, outcome, reason, score, detail FROM verdicts WHERE verifier = ? ORDER BY created_at"
    rows = room.store().sql(query, [verifier]).to_dicts()
    return {row["attempt"]: {**row, "detail": json.loads(row["detail"])} for row in rows}


def probed(room: Room) -> list[dict[str, Any]]:
    query = """SELECT a.*, p.messages FROM attempts a JOIN prompts p ON p.hash = a.prompt
        WHERE a.kind = 'probed' ORDER BY a.key, a.try"""
    return room.store().sql(query).to_dicts()


def test_a_rationale_with_the_working_leads_to_the_answer_and_a_vacuous_one_does_not(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(says=FINISHES)
    made = scripted(tmp_path, openai_server, ["regenerate"])
    worked, vacuous, bare = (write(made, 0, text) for text in (WORKED, VACUOUS, "The answer is 5."))
    wrong = write(made, 0, "2 + 4 = 6. The answer is 6.")
    made.verify()
    asked, done = verify_room(made.room)
    assert openai_server.stats()["requests"] == asked.tally.requests == 2 * 3  # worked, vacuous and one control
    assert done.outcomes["regenerate"] == {"pass": 1, "fail": 2}
    found = verdicts(made.room, "regenerate")
    assert found.keys() == {worked, vacuous, bare}, f"{wrong} has no right answer to lead to"
    assert (found[worked]["outcome"], found[worked]["score"]) == ("pass", 1.0)
    assert found[worked]["reason"] == "right 2 of 2, without it 0 of 2"
    assert found[worked]["detail"]["gain"] == 1.0
    assert (found[vacuous]["outcome"], found[vacuous]["score"]) == ("fail", 0.0)
    assert found[bare]["reason"].startswith("nothing is left besides the answer")
    rows = probed(made.room)
    assert Counter(row["parent"] for row in rows) == {worked: 2, vacuous: 2, None: 2}
    with_rationale = next(json.loads(row["messages"]) for row in rows if row["parent"] == vacuous)
    assert [turn["role"] for turn in with_rationale[-3:]] == ["user", "assistant", "user"]
    assert with_rationale[-2]["content"] == "We think it through with care."
    assert all(turn["content"] for row in rows for turn in json.loads(row["messages"]))


def test_where_the_control_is_right_as_well_the_verdict_says_nothing(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(says=[["reply with one line", "The answer is 5."]])
    made = scripted(tmp_path, openai_server, ["regenerate"])
    worked = write(made, 0, WORKED)
    made.verify()
    verify_room(made.room)
    found = verdicts(made.room, "regenerate")[worked]
    assert found["outcome"] == "pass"
    assert found["reason"].startswith("uninformative: ")
    assert found["detail"]["uninformative"] is True
    assert found["detail"]["gain"] == 0


def test_a_hint_is_in_no_prompt_of_regenerate(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=FINISHES)
    made = scripted(tmp_path, openai_server, ["regenerate"])
    write(made, 2, "Four boxes of six: 6 + 6 + 6 + 6 makes it. The answer is 24.", kind="rationalized")
    made.verify()
    verify_room(made.room)
    rows = probed(made.room)
    assert len(rows) == 4
    assert not [row for row in rows if "24" in row["messages"] or "(5)" in row["messages"]]


def test_in_completion_style_the_model_continues_the_text(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=[[r"\d \+ \d = (\d+)\. The answer is$", r" \1, I say."], ["answer is$", " 77."]])
    made = scripted(tmp_path, openai_server, ["regenerate"], prompt={"examples": None, "style": "completion"})
    worked, vacuous = write(made, 0, WORKED), write(made, 0, VACUOUS)
    made.verify()
    verify_room(made.room)
    found = verdicts(made.room, "regenerate")
    assert {attempt: row["outcome"] for attempt, row in found.items()} == {worked: "pass", vacuous: "fail"}
    row = next(row for row in probed(made.room) if row["parent"] == worked)
    assert json.loads(row["messages"])[0]["content"].endswith(
        "A: She has 2 pens and buys 3, and 2 + 3 = 5. The answer is"
    )
    assert json.loads(row["parameters"])["stop"] == ["\n"]


def test_a_judge_votes_and_the_majority_decides(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=JUDGES)
    made = scripted(tmp_path, openai_server, ["judge"])
    worked, vacuous = write(made, 0, WORKED), write(made, 0, VACUOUS)
    made.verify()
    asked, _ = verify_room(made.room)
    assert asked.tally.requests == 6
    found = verdicts(made.room, "judge")
    assert (found[worked]["outcome"], found[worked]["score"]) == ("pass", 1.0)
    assert (found[vacuous]["outcome"], found[vacuous]["score"]) == ("fail", 0.0)
    assert found[vacuous]["reason"] == "flawed by 3 of 3: step 1: no reasoning"
    assert found[vacuous]["detail"]["votes"] == [json.loads(FLAWED)] * 3
    wide = made.store.sql("SELECT id, judge, judge_score FROM attempts_wide WHERE kind = 'sampled' ORDER BY judge")
    assert wide.rows() == [(vacuous, "fail", 0.0), (worked, "pass", 1.0)]
    spent = made.store.sql("SELECT attempts, completions, tokens_out FROM spending WHERE kind = 'probed'").row(0)
    assert spent[:2] == (6, 6)
    assert spent[2] > 0


@pytest.mark.parametrize(
    ("replies", "outcome", "score"),
    [
        ([FLAWED, FLAWED, SOUND], "fail", 1 / 3),
        ([SOUND, "I cannot say", SOUND], "pass", 1.0),
        ([SOUND, "?", "?"], "unscorable", None),
        ([SOUND, FLAWED, "?"], "unscorable", 0.5),
    ],
)
def test_votes_that_cannot_be_read_do_not_count(tmp_path: Path, replies: list[str], outcome: str, score: float) -> None:
    from selftaught_builder.probing.subjects import Subject
    from selftaught_builder.probing.verifier import Heard

    recipe = Recipe.model_validate({"name": "x", "questions": {"source": "q.jsonl"}, "prompt": {"examples": None}})
    judge = chosen_verifiers(recipe.model_copy(update={"verify": ["answer", "judge"]}))[1].endpoint
    assert judge
    question = Question("h", "1", "How many?", "5", "number", {}, 1)
    subject = Subject("a.1", question, WORKED, "", False, "w")
    verdict = judge.verdict(subject, [[Heard(text, "stop") for text in replies]])
    assert (verdict.outcome, verdict.score) == (outcome, pytest.approx(score) if score is not None else None)


def test_a_judge_sees_no_more_than_its_recipe_says(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=JUDGES)
    rows = [{"question": "Where is money kept?", "answer": "B", "choices": {"A": "shop", "B": "vault", "C": "sea"}}]
    told = {
        "question": "Where is money kept?",
        "rationale": "An odd rationale",
        "gold": "The right answer is: B",
        "choices": "(C) sea",
        "hint": "had been told the right answer",
    }
    recipe = {
        "questions": {"source": "questions.jsonl", "choices": "choices"},
        "prompt": {"examples": None},
        "rows": rows,
    }
    for place, sees in enumerate((["rationale"], ["question", "rationale"], ["rationale", "hint", "choices"], [*told])):
        options = {"sees": sees, "votes": 1, "of": "true"}
        made = scripted(tmp_path / str(place), openai_server, ["judge"], verifiers={"judge": options}, **recipe)
        write(made, 0, "An odd rationale, no more.", kind="rationalized")
        made.verify()
        verify_room(made.room)
        (row,) = probed(made.room)
        shown = json.loads(row["messages"])[0]["content"]
        assert {name for name, text in told.items() if text in shown} == set(sees), shown


def test_a_judge_of_its_own_is_asked_with_its_own_model_and_key(
    openai_server: OpenAIServer, other_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-judge-canary")
    other_server.configure(says=JUDGES, models=["wise"], api_key="sk-judge-canary")
    settings = {"kind": "openai", "model": "wise", "base_url": other_server.url, "api_key_env": "JUDGE_KEY"}
    judge, pooled = {"endpoint": settings, "votes": 1}, {"draw_on": "store"}
    made = scripted(tmp_path, openai_server, ["judge"], verifiers={"judge": judge}, export=pooled)
    elsewhere = write(made, 0, WORKED, weights="sha256:other")
    made.verify()
    asked, _ = verify_room(made.room)
    assert (asked.tally.requests, openai_server.stats()["requests"]) == (1, 0)
    assert other_server.stats()["authorizations"] == {"Bearer sk-judge-canary": 1}
    assert verdicts(made.room, "judge")[elsewhere]["outcome"] == "pass"
    (row,) = probed(made.room)
    assert (row["model"], row["endpoint"]) == ("wise", other_server.url)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"canary" in file.read_bytes()]
    again, _ = verify_room(made.room)
    assert (again.tally.requests, again.reused) == (0, 1)


def test_attempts_of_other_weights_are_not_asked_about_by_the_model_that_answers_now(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(says=JUDGES)
    made = scripted(tmp_path, openai_server, ["judge"])
    mine = write(made, 0, WORKED)
    write(made, 1, weights="sha256:older")
    write(made, 2, round=2)
    made.verify()
    asked, _ = verify_room(made.room)
    assert asked.tally.requests == 3
    assert verdicts(made.room, "judge").keys() == {mine}


def test_who_is_asked_about_is_said_in_sql_and_a_sample_is_the_same_each_time(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.configure(says=JUDGES)
    options = {"of": "answer = 'fail' -- a comment", "sample": 3, "votes": 1}
    made = scripted(tmp_path, openai_server, ["judge"], verifiers={"judge": options})
    ids = [write(made, 0, f"It is {n} more. The answer is {n}.") for n in range(6, 14)]
    write(made, 0, WORKED)
    made.verify()
    assert verify_room(made.room)[0].tally.requests == 3
    chosen = set(verdicts(made.room, "judge"))
    assert chosen == set(sorted(ids)[:3])
    assert verify_room(made.room)[0].tally.requests == 0
    version = versions_of(made.room.recipe)["judge"]
    room = made.amended(verifiers={"judge": {**options, "sample": 5}})
    assert versions_of(room.recipe)["judge"] == version, "who is asked about changes no verdict"
    assert verify_room(room)[0].tally.requests == 2
    assert chosen < set(verdicts(room, "judge"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("judge", {"votes": 5}),
        ("judge", {"sees": ["rationale"]}),
        ("judge", {"temperature": 0.1}),
        ("judge", {"template": "mine.j2"}),
        ("judge", {"endpoint": {"kind": "openai", "model": "wise", "base_url": "http://127.0.0.1:1/v1"}}),
        ("regenerate", {"k": 3}),
        ("regenerate", {"max_tokens": 9}),
    ],
)
def test_what_shapes_a_verdict_is_part_of_the_version(tmp_path: Path, name: str, change: dict[str, Any]) -> None:
    made = Scripted(tmp_path, verify=["answer", "hint_leak", name], keep="answer = 'pass'")
    (tmp_path / "mine.j2").write_text("{{ rationale }} {{ steps | length }}")
    versions = [versions_of(made.room.recipe)[name]]
    room = made.amended(verifiers={name: change})
    versions.append(versions_of(room.recipe)[name])
    if "template" in change:
        (tmp_path / "mine.j2").write_text("{{ rationale }}!")
        versions.append(versions_of(room.recipe)[name])
    assert len(set(versions)) == len(versions)
    assert versions_of(open_room(tmp_path).recipe)[name] == versions[-1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"vote": 3}, "verifiers.judge.vote: no such option"),
        ({"votes": 0}, "verifiers.judge.votes: Input should be greater"),
        ({"sees": ["question"]}, "must list `rationale`"),
        ({"sees": ["rationale", "everything"]}, "verifiers.judge.sees.1"),
        ({"endpoint": {"kind": "openai", "api_key": "sk-1"}}, "verifiers.judge.endpoint.api_key: no such option"),
        ({"endpoint": {"kind": "external"}}, "verifiers.judge.endpoint"),
        ({"template": "absent.j2"}, "absent.j2: cannot be read"),
        ({"template": "broken.j2"}, "broken.j2:2: not a Jinja template"),
        ({"of": "anwser = 'pass'"}, "verifiers.judge.of"),
        ({"of": "true); DROP TABLE attempts --"}, "verifiers.judge.of"),
        ({"of": "true) OR (true"}, "verifiers.judge.of"),
        ({"sql": "SELECT 1"}, "`judge` is a verifier of selftaught"),
    ],
)
def test_a_wrong_option_names_its_key(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    (tmp_path / "broken.j2").write_text("one\n{% if %}")
    made = Scripted(
        tmp_path, verify=["answer", "hint_leak", "judge"], verifiers={"judge": options}, keep="answer = 'pass'"
    )
    with pytest.raises(RecipeError, match=r"verif|absent|broken") as raised:
        check(made.room)
    assert told in str(raised.value)
    assert "sk-1" not in str(raised.value)


def test_a_template_that_asks_for_what_the_judge_may_not_see_is_refused(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    (tmp_path / "greedy.j2").write_text("{{ rationale }} {{ gold }}")
    made = scripted(tmp_path, openai_server, ["judge"], verifiers={"judge": {"template": "greedy.j2"}})
    write(made, 0, WORKED)
    with pytest.raises(RecipeError, match="'gold' is undefined"):
        verify_room(made.room)
    assert openai_server.stats()["requests"] == 0


def test_nothing_starts_where_no_verifier_asks_or_none_lacks_anything(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    gone = {"kind": "openai", "model": "stand-in", "base_url": "http://127.0.0.1:9/v1"}
    plain = scripted(tmp_path / "plain", openai_server, [], endpoint=gone)
    write(plain, 0, WORKED)
    plain.verify()
    asked, _ = verify_room(plain.room)
    assert (asked.planned, asked.identity) == (0, None)

    openai_server.configure(says=JUDGES)
    settings = {"kind": "openai", "model": "stand-in", "base_url": openai_server.url}
    made = scripted(
        tmp_path / "made", openai_server, ["judge", "regenerate"], verifiers={"judge": {"endpoint": settings}}
    )
    write(made, 0, WORKED)
    made.verify()
    assert verify_room(made.room)[0].tally.requests == 3 + 4
    openai_server.configure(faults=[{"kind": "status", "status": 500}], models=None)
    asked, done = verify_room(made.room)
    assert (asked.tally.requests, asked.planned, done.verdicts) == (0, 7, 0)
    write(made, 1)  # now there is something to ask, and nobody who answers
    room = made.amended(endpoint=gone)
    with pytest.raises(EndpointError, match="cannot be reached"):
        verify_room(room)
    assert made.store.sql("SELECT count(*) FROM verdicts WHERE verifier = 'answer'").item() == 2, "those come first"


def test_an_unknown_run_is_said(openai_server: OpenAIServer, tmp_path: Path) -> None:
    made = scripted(tmp_path, openai_server, ["judge"])
    write(made, 0, WORKED)
    with pytest.raises(InputError, match="no run `other`"):
        verify_room(open_room(tmp_path, run="other"))


def test_verdicts_of_finished_probes_are_made_without_an_endpoint(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=JUDGES)
    made = scripted(tmp_path, openai_server, ["judge"])
    done, half = write(made, 0, WORKED), write(made, 1, "Of 9 he eats 2, and 9 - 2 = 7. The answer is 7.")
    made.verify()
    verify_room(made.room)
    rows = probed(made.room)
    left = next(row["id"] for row in rows if row["parent"] == half)
    with made.store.write() as connection:
        connection.execute("DELETE FROM verdicts WHERE verifier = 'judge'")
        connection.execute("DELETE FROM attempts WHERE id = ?", [left])
    with made.store.writer():
        counted = verify(made.store, chosen_verifiers(made.room.recipe))
    assert counted.outcomes["judge"] == {"pass": 1}
    assert verdicts(made.room, "judge").keys() == {done}
    before = openai_server.stats()["requests"]
    asked, counted = verify_room(made.room)
    assert openai_server.stats()["requests"] - before == asked.tally.requests == 1
    assert counted.outcomes["judge"] == {"pass": 1}
    assert {row["id"] for row in probed(made.room)} == {row["id"] for row in rows}


def test_a_prompt_lost_with_the_power_is_stored_again(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=JUDGES)
    made = scripted(tmp_path, openai_server, ["judge"])
    write(made, 0, WORKED)
    made.verify()
    verify_room(made.room)
    prompts = "SELECT * FROM prompts ORDER BY hash"
    before = made.store.sql(prompts).rows()
    with made.store.write() as connection:
        connection.execute("DELETE FROM prompts WHERE hash IN (SELECT prompt FROM attempts WHERE kind = 'probed')")
    assert made.store.sql(prompts).height == 1
    assert verify_room(made.room)[0].tally.requests == 0
    assert made.store.sql(prompts).rows() == before


def test_a_refused_probe_is_data_and_asked_again_next_time(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(says=JUDGES, faults=[{"kind": "status", "status": 400}])
    made = scripted(tmp_path, openai_server, ["judge"])
    attempt = write(made, 0, WORKED)
    made.verify()
    asked, _ = verify_room(made.room)
    assert (asked.tally.requests, asked.tally.failed) == (3, 3)
    assert verdicts(made.room, "judge")[attempt]["reason"] == "0 of 3 votes can be read"
    openai_server.configure(says=JUDGES)
    verify_room(made.room)
    assert verdicts(made.room, "judge")[attempt]["outcome"] == "pass"
    assert made.store.sql("SELECT judge FROM attempts_wide WHERE id = ?", [attempt]).item() == "pass"
    seen = made.store.sql("SELECT seen FROM verdicts WHERE verifier = 'judge'")["seen"]
    assert seen.n_unique() == 2
    assert verify_room(made.room)[1].verdicts == 0


@pytest.fixture
def judged(openai_server: OpenAIServer, tmp_path: Path) -> Scripted:
    """A room with a right and a wrong attempt, and probes about both."""
    openai_server.configure(says=[[".", f"{SOUND} The answer is 5."]])  # would pass for an attempt
    names = ["equations", "judge", "regenerate"]
    verifiers = {"judge": {"of": "true"}, "regenerate": {"of": "true"}}
    made = scripted(tmp_path, openai_server, names, verifiers=verifiers, rationalize={"k": 1})
    made.notes = {"right": write(made, 0, WORKED), "wrong": write(made, 1, "The answer is 8.")}
    made.verify()
    verify_room(made.room)
    assert len(probed(made.room)) == 3 + 2 + 2 + 3 + 2  # the wrong one is all answer: a control alone
    return made


def test_no_verifier_judges_a_probe(judged: Scripted) -> None:
    assert judged.verify().verdicts == 0
    query = "SELECT count(*) FROM verdicts v JOIN attempts a ON a.id = v.attempt WHERE a.kind = 'probed'"
    assert judged.store.sql(query).item() == 0


def test_no_group_holds_a_probe(judged: Scripted) -> None:
    (judged.room.folder / "checks.py").write_text(
        "from selftaught_verifiers import Outcome, Verdict, group_verifier\n"
        '@group_verifier("crowd", version="1")\n'
        "def crowd(question, members):\n"
        "    return [Verdict(Outcome.PASS, str(len(members))) for _ in members]\n"
    )
    room = judged.amended(verify=["answer", "hint_leak", "crowd"], verifiers={"crowd": {"file": "checks.py"}})
    with judged.store.writer():
        verify(judged.store, chosen_verifiers(room.recipe))
    assert {row["reason"] for row in verdicts(room, "crowd").values()} == {"1"}
    assert verdicts(room, "crowd").keys() == set(judged.notes.values())


def test_a_probe_is_not_in_the_funnel(judged: Scripted) -> None:
    funnel = funnel_of(judged.store, judged.room.recipe, judged.scope)
    assert (funnel.attempts, funnel.completions, funnel.correct, funnel.kept, funnel.exported) == (2, 2, 1, 1, 1)
    assert [kind.kind for kind in funnel.by_kind] == ["sampled"]


def test_a_probe_saves_no_question_from_being_rationalized(judged: Scripted) -> None:
    asked = failed_in(judged.store, judged.room.recipe, judged.scope)
    assert [(question.gold, asked[question.hash]) for question in judged.questions if question.hash in asked] == [
        ("7", judged.notes["wrong"])
    ]


def test_a_probe_is_not_exported(judged: Scripted) -> None:
    version = judged.export()
    rows = judged.store.sql("SELECT attempt FROM dataset_rows")["attempt"].to_list()
    assert rows == [judged.notes["right"]]
    assert version.funnel.exported == 1


def test_a_probe_is_in_no_audit(judged: Scripted) -> None:
    with reading(judged.store, judged.scope, compile_filter(judged.room.recipe)) as view:
        for name, ids in (("audited", set(judged.notes.values())), ("kept", {judged.notes["right"]})):
            assert set(view.sql(f"SELECT id FROM {name}")["id"]) == ids


def test_a_probe_is_none_of_a_rounds_completions(judged: Scripted) -> None:
    from selftaught_builder.report.collect import collect

    with judged.store.write() as connection:
        connection.execute("UPDATE rounds SET weights = 'unknown', model = 'stand-in'")
        connection.execute("INSERT INTO stages VALUES (?, 1, 'sample', 'r', now(), now(), '{}')", [judged.room.run])
    (made,) = collect(judged.store, judged.scope, compile_filter(judged.room.recipe)).rounds
    assert (made.completions, made.correct) == (2, 1)


def test_a_probes_lineage_names_the_attempt_that_it_asks_about(judged: Scripted) -> None:
    probe = next(row for row in probed(judged.room) if row["parent"] == judged.notes["right"])
    steps = lineage(judged.store, probe["id"])
    assert steps[0].kind == "probed attempt"
    assert steps[0].facts["asks about the attempt"] == judged.notes["right"]
    assert "verifier" in steps[1].facts["form"]


def test_a_killed_verify_asks_for_the_rest_and_nothing_twice(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.05, right=1)
    verifiers = {"judge": {"votes": 3}}
    sections = {"verify": ["answer", "hint_leak", "judge"], "keep": "answer = 'pass'", "verifiers": verifiers}
    room = write_sums(tmp_path / "room", openai_server.url, questions=40, rationalize={"k": 0}, **sections)
    sample(open_room(room))
    openai_server.configure(latency=0.05, says=JUDGES)
    openai_server.log.write_bytes(b"")
    for number in (signal.SIGKILL, signal.SIGINT):
        started = len(openai_server.seeds())
        with start_cli("verify", room, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            deadline = time.monotonic() + 60
            while len(openai_server.seeds()) < started + 60:
                assert time.monotonic() < deadline, "the requests never came"
                time.sleep(0.01)
            run.send_signal(number)
            _, told = run.communicate(timeout=60)
        assert run.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
        assert b"Traceback" not in told
    asked_before = len(openai_server.seeds())
    opened = open_room(room)
    kept = {seed_of(row["key"]) for row in probed(opened)}
    assert 100 < len(kept) < 240, "stopped midway, and what had arrived is kept"
    with opened.store().writer():
        offline = verify(opened.store(), chosen_verifiers(opened.recipe)).outcomes["judge"].total()
    assert 0 < offline < 80
    last = cli("verify", room)
    assert last.returncode == 0, last.stderr
    assert kept.isdisjoint(openai_server.seeds()[asked_before:])
    assert len(openai_server.seeds()) - asked_before == 240 - len(kept)
    assert len(probed(opened)) == 240
    assert len(verdicts(opened, "judge")) == 80
    assert "240 were there already" in " ".join(last.stdout.split())


def test_the_loops_verify_stages_ask_the_rounds_model(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(right=0.5, says=JUDGES)
    sections = {
        "verify": ["answer", "hint_leak", "judge"],
        "keep": "answer = 'pass' and judge = 'pass'",
        "verifiers": {"judge": {"votes": 1}},
    }
    room = write_sums(tmp_path / "room", openai_server.url, questions=6, **sections)
    Loop(open_room(room)).run()
    store = open_room(room).store()
    right = "SELECT count(*) FROM attempts_wide WHERE kind IN ('sampled', 'rationalized') AND answer = 'pass'"
    assert len(probed(open_room(room))) == store.sql(right).item() > 0
    query = "SELECT stage, (detail->>'completions')::INT AS n FROM stages WHERE stage LIKE 'verify%' ORDER BY stage"
    asked = dict(store.sql(query).rows())
    assert asked.keys() == {"verify", "verify_rationalized"}
    assert sum(asked.values()) == len(probed(open_room(room)))
    assert store.sql("SELECT count(*) FROM dataset_rows").item() > 0
    before = openai_server.stats()["requests"]
    Loop(open_room(room)).run("1/verify")
    assert openai_server.stats()["requests"] == before


@pytest.mark.parametrize(
    ("text", "vote"),
    [
        (SOUND, Vote(False, None, "all holds")),
        (f"Let me see {{x}}.\n```json\n{FLAWED}\n```\nDone.", Vote(True, 1, "no reasoning")),
        (f'The form is {{"flawed": true or false}}. So: {SOUND}', Vote(False, None, "all holds")),
        (f"{FLAWED}\nOn second thought:\n{SOUND}", Vote(False, None, "all holds")),
        ('{"flawed": "Yes", "first_error_step": "2", "reason": null}', Vote(True)),
        ('{"flawed": true, "first_error_step": 99, "reason": "x"}', Vote(True, None, "x")),
        ('{"flawed": true, "first_error_step": true}', Vote(True)),
        ("**Flawed**: no", Vote(False)),
        ("flawed: yes, or flawed: no", None),
        ('{"flawed": true|false, "reason": ""}', None),
        ('I would write {"flawed": true or false}', None),
        ('{"flawed": 1}', None),
        ("", None),
        ('{"a":' * 5000, None),
        ("{" * 100_000, None),
        ('{"flawed": true, "n": ' + "9" * 6000 + "}", Vote(True)),
        ('{"flawed": true, "reason": "\\ud800\\u0000\\u001b[31m"}', Vote(True, None, "[31m")),
    ],
)
def test_reading_a_vote(text: str, vote: Vote | None) -> None:
    assert read_vote(text, 3) == vote


@given(st.text() | st.text(alphabet='{}":,[]flawedtruesno 1\\'))
def test_any_reply_is_a_vote_or_none(text: str) -> None:
    vote = read_vote(text, 3)
    assert vote is None or (json.dumps(vote.plain()) and vote.reason.encode())


NUMBER = ("5", "number", {})
CHOICE = ("B", "letter", {"A": "shop", "B": "bank"})


@pytest.mark.parametrize(
    ("asked", "rationale", "left"),
    [
        (NUMBER, WORKED, "She has 2 pens and buys 3, and 2 + 3 = 5."),
        (NUMBER, VACUOUS, "We think it through with care."),
        (NUMBER, "2 + 3 = 5, so the answer is 5.", "2 + 3 = 5"),
        (NUMBER, "2 and 3 are pens.\nIn total five pens.\n\\boxed{5}", "2 and 3 are pens."),
        (NUMBER, "The answer is 5. For 2 and 3 are pens.\nI hope it helps!", "For 2 and 3 are pens.\nI hope it helps!"),
        (NUMBER, "From $8 goes $8 - $3 = $5\n#### 5", "From $8 goes $8 - $3 = $5"),
        (NUMBER, "Adding 3 to 2 gives 5. So Ann ends with 5.", "Adding 3 to 2 gives 5."),
        (NUMBER, "2+3=5;A5", "2+3=5"),
        (NUMBER, "The answer is \\boxed{5}.", ""),
        (NUMBER, "<answer>5</answer>", ""),
        (NUMBER, "The final answer is **5**.", ""),
        (CHOICE, "Banks store money. Therefore, the answer is bank (B).", "Banks store money."),
        (CHOICE, "Money is stored. So it must be a bank.", "Money is stored."),
        (("yes", "yesno", {}), "Fish swim. So yes, it does. The answer is yes.", "Fish swim."),
    ],
)
def test_taking_the_answer_out(asked: tuple[str, str, dict[str, str]], rationale: str, left: str) -> None:
    assert without_answer(rationale, Question("h", "1", "?", *asked, 1)) == left


@given(st.text(), st.integers(-999, 999))
def test_the_answer_is_out_whatever_stands_before_it(text: str, gold: int) -> None:
    question = Question("h", "1", "?", str(gold), "number", {}, 1)
    left = without_answer(f"{text}\nSo it comes to {gold}.\nThe answer is {gold}.", question)
    assert "So it comes to" not in left
    assert "The answer is" not in left or "The answer is" in text


@pytest.mark.model
def test_a_model_of_ours_is_asked_about_what_it_wrote(tmp_path: Path) -> None:
    """The shipped base model of sums: served, asked for samples, and asked again about each that is right."""
    shipped = Path(__file__).parents[2] / "datasets" / "sums"
    shutil.copytree(shipped / "base", tmp_path / "base")
    (tmp_path / "own.j2").write_text(
        "{% macro ask(c) %}{% endmacro %}{% macro ask_alone(c) %}{% endmacro %}{% macro cue(c) %}A{% endmacro %}"
    )
    rows = [json.loads(line) for line in (shipped / "questions.jsonl").read_text().splitlines()[:20]]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "tiny",
        "questions": {"source": "questions.jsonl", "kind": "number"},
        "prompt": {"examples": None, "system": "", "style": "completion"},
        "endpoint": {"kind": "local", "model": "base", "slots": 8, "context": 128},
        "sample": {"k": 1, "temperature": 0.2, "max_tokens": 48},
        "rationalize": {"k": 0},
        "verify": ["answer", "regenerate"],
        "verifiers": {"regenerate": {"k": 1, "max_tokens": 8, "of": "true", "template": "own.j2"}},
        "keep": "answer = 'pass'",
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    assert cli("sample", tmp_path).returncode == 0
    done = cli("verify", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["regenerate"].values()) == 20
    weights = open_room(tmp_path).store().sql("SELECT DISTINCT weights FROM attempts")["weights"].to_list()
    assert len(weights) == 1
    assert weights[0].startswith("sha256:")
