from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught_builder.audit import audits, find_audit, run_audit
from selftaught_builder.errors import InputError, PolicyError
from support.command import selftaught
from support.stores import SUMS, Scripted, reasoned, right

NAMES = [
    "false_equation",
    "hinted_against_unhinted",
    "answer_before_reasoning",
    "lucky_minority",
    "never_pass",
]
EARLY = (
    "It is 40, as one sees at once. Then she walks on each of the five days, eight miles at a time. The answer is 40."
)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    """A store in which each audit has something to find, and something that looks like it."""
    made = Scripted(tmp_path_factory.mktemp("audit") / "sums", keep="answer = 'pass'")
    made.notes["false"] = [
        made.attempt(0, "2 + 3 = 6, so it is one less. The answer is 5.", sample_index=0),
        made.attempt(0, "First 2 + 2 = 5 and nothing is lost of them all. The answer is 5.", kind="rationalized"),
    ]
    made.attempt(0, "2 + 3 = 5. The answer is 5.", sample_index=1)
    made.attempt(0, "2 + 3 = 7. The answer is 7.", sample_index=2)  # false, but not kept
    made.attempt(0, "2 + 3 = 6. The answer is 5.", kind="evaluated")
    made.notes["lucky"] = made.attempt(1, sample_index=0)
    for index in (1, 2):
        made.attempt(1, "The answer is 6.", sample_index=index)
    made.attempt(1, "The answer is 6.", kind="rationalized")
    for index, said in enumerate(("The answer is 25.", "The answer is 10.", "The answer is 10.", "No idea.")):
        made.attempt(2, said, sample_index=index)
    made.attempt(2, "The answer is 10.", kind="rationalized")
    made.attempt(2, "", error="server", finish_reason="")
    made.attempt(2, kind="evaluated")  # right, but no attempt at building the dataset
    made.notes["early"] = made.attempt(3, EARLY, sample_index=0)
    made.attempt(3, "She walks eight miles on each day, and that on five days. The answer is 40.", sample_index=1)
    made.attempt(3, EARLY.replace("40", "41"), sample_index=2)  # early, but wrong
    made.verify()
    return made


def found(scripted: Scripted, name: str) -> list[dict]:
    return run_audit(scripted.store, scripted.room.recipe, scripted.room.run, find_audit(name)).to_dicts()


def test_there_are_five_audits_and_each_says_how_to_read_it() -> None:
    assert [audit.name for audit in audits()] == NAMES
    for audit in audits():
        assert audit.title.endswith(".")
        assert len(audit.about) > 40


def test_false_equations_among_the_kept_are_found(scripted: Scripted) -> None:
    rows = found(scripted, "false_equation")
    assert {row["attempt"] for row in rows} == set(scripted.notes["false"])
    assert {row["kind"] for row in rows} == {"sampled", "rationalized"}


def test_a_policy_against_false_equations_leaves_that_audit_empty(scripted: Scripted) -> None:
    strict = scripted.room.recipe.model_copy(update={"keep": "equations <> 'fail'"})
    assert run_audit(scripted.store, strict, scripted.room.run, find_audit("false_equation")).is_empty()


def test_hinted_stands_against_unhinted(scripted: Scripted) -> None:
    sampled, rationalized = found(scripted, "hinted_against_unhinted")
    assert (sampled["kind"], sampled["completions"], sampled["right_answers"]) == ("sampled", 13, 5)
    assert (sampled["right_percent"], sampled["right_with_false_equation"]) == (38.5, 1)
    assert sampled["false_equation_percent"] == 20.0
    assert (rationalized["kind"], rationalized["completions"], rationalized["right_answers"]) == ("rationalized", 3, 1)
    assert (rationalized["right_with_false_equation"], rationalized["tokens_per_right_answer"]) == (1, 5.0)


def test_an_answer_before_the_reasoning_is_found(scripted: Scripted) -> None:
    rows = found(scripted, "answer_before_reasoning")
    assert [row["attempt"] for row in rows] == [scripted.notes["early"]]


def test_a_lucky_minority_is_found(scripted: Scripted) -> None:
    (row,) = found(scripted, "lucky_minority")
    assert row["attempt"] == scripted.notes["lucky"]
    assert (row["samples_right"], row["samples_of_the_favourite"], row["share_right"]) == (1, 2, 0.33)


def test_a_question_that_never_passes_is_found(scripted: Scripted) -> None:
    (row,) = found(scripted, "never_pass")
    assert row["question"] == SUMS[2]["question"]
    assert (row["attempts"], row["hinted_attempts"], row["favourite_answer"]) == (5, 1, "10")


def test_another_run_is_none_of_an_audits_business(scripted: Scripted) -> None:
    for name in NAMES:
        assert run_audit(scripted.store, scripted.room.recipe, "another", find_audit(name)).is_empty()
    assert found(scripted, "never_pass")


def test_an_unknown_audit_and_a_wrong_policy_are_input_errors(scripted: Scripted) -> None:
    with pytest.raises(InputError, match="no audit `luck`\n  There are: false_equation, "):
        find_audit("luck")
    wrong = scripted.room.recipe.model_copy(update={"keep": "answr = 'pass'"})
    with pytest.raises(PolicyError, match="answr"):
        run_audit(scripted.store, wrong, scripted.room.run, find_audit("never_pass"))


def test_the_command_prints_json(scripted: Scripted) -> None:
    done = selftaught("audit", scripted.room.folder, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert list(printed) == NAMES
    assert [row["attempt"] for row in printed["answer_before_reasoning"]] == [scripted.notes["early"]]
    one = selftaught("audit", scripted.room.folder, "never_pass", "--json")
    assert json.loads(one.stdout) == {"never_pass": printed["never_pass"]}


def test_the_command_shows_tables_and_the_sql(scripted: Scripted) -> None:
    done = selftaught("audit", scripted.room.folder)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in NAMES)
    shown = selftaught("audit", scripted.room.folder, "never_pass", "--sql")
    assert shown.stdout.strip() == find_audit("never_pass").sql.strip()


def test_an_audits_sql_can_be_asked_by_hand(scripted: Scripted, tmp_path: Path) -> None:
    asked = selftaught("sql", scripted.room.folder, "--json", input=find_audit("never_pass").sql)
    assert asked.returncode == 0, asked.stderr
    assert len(json.loads(asked.stdout)) == 1


def test_a_clean_store_has_nothing_to_find(tmp_path: Path) -> None:
    clean = Scripted(tmp_path / "sums")
    for question in range(4):
        clean.attempt(question, right(clean.questions[question]))
        clean.attempt(question, reasoned(clean.questions[question]))
    clean.verify()
    assert {name: len(found(clean, name)) for name in NAMES} == {
        name: int(name == "hinted_against_unhinted") for name in NAMES
    }
