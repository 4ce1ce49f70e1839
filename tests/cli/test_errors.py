from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from selftaught_builder.store import open_store
from support.command import COMMAND, environment, selftaught
from support.stores import Scripted, scripted_room

COMMANDS = ("sample", "status", "run")


def recipe(text: str, name: str = "recipe.yaml") -> Callable[[Path], None]:
    """Return what puts this text into a room's file."""

    def write(room: Path) -> None:
        (room / name).write_text(text, encoding="utf-8")

    return write


def amended(**keys: Any) -> Callable[[Path], None]:
    """Return what makes the room anew with these keys in its recipe."""

    def write(room: Path) -> None:
        scripted_room(room, **keys)

    return write


def broken(encoded: bytes, name: str = "recipe.yaml") -> Callable[[Path], None]:
    def write(room: Path) -> None:
        (room / name).write_bytes(encoded)

    return write


def no_examples(room: Path) -> None:
    (room / "examples.yaml").unlink()


def newer(room: Path) -> None:
    open_store(room / "store.duckdb", create=True)
    with duckdb.connect(str(room / "store.duckdb")) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, now())")


def with_store(room: Path) -> None:
    open_store(room / "store.duckdb", create=True)


def as_it_is(room: Path) -> None:
    """Nothing is wrong with the room."""


HEAD = "name: sums\nquestions:\n  source: questions.jsonl\n"
MINE = {"source": "questions.jsonl"}

# What is done to a good room, the arguments after ROOM's place (marked by None), and what the message must say.
CASES: dict[str, tuple[Callable[[Path], None], list[str | None], list[str]]] = {
    "unknown key": (
        recipe(HEAD + "sampel: {k: 3}\n"),
        ["status", None],
        ["recipe.yaml:4", "`sampel`", "mean `sample`?"],
    ),
    "unknown nested key": (
        recipe(HEAD + "sample:\n  k: 3\n  temprature: 1\n"),
        ["sample", None],
        ["recipe.yaml:6", "`sample.temprature`", "mean `temperature`?"],
    ),
    "unknown key of an optional section": (
        recipe(HEAD + "endpoint:\n  prices: {input: 1, output: 2, cahced: 1}\n"),
        ["status", None],
        ["recipe.yaml:5", "`endpoint.prices.cahced`", "mean `cached`?"],
    ),
    "a date that is none": (recipe(HEAD + "description: 2024-13-45\n"), ["status", None], ["recipe.yaml", "month"]),
    "an endless alias": (recipe(HEAD + "description: &a [*a]\n"), ["status", None], ["holds itself"]),
    "a verifier twice": (amended(verify=["answer", "answer"]), ["status", None], ["recipe.yaml", "twice"]),
    "extra_body that steers": (
        amended(endpoint={"extra_body": {"n": 2}}),
        ["sample", None],
        ["`endpoint.extra_body`", "`n`"],
    ),
    "extra_body that is no JSON": (
        recipe(HEAD + "endpoint: {extra_body: {x: .nan}}\n"),
        ["sample", None],
        ["`endpoint.extra_body`", "no JSON"],
    ),
    "example choices in a list": (
        recipe("- {question: q, rationale: r, answer: A, choices: [a, b]}\n", "examples.yaml"),
        ["sample", None],
        ["examples.yaml:1", "no mapping"],
    ),
    "wrong type": (
        recipe(HEAD + "sample:\n  k: many\n"),
        ["sample", None],
        ["recipe.yaml:5", "`sample.k`", "integer", "'many'", "recipe schema"],
    ),
    "out of range": (
        recipe(HEAD + "sample: {temperature: 3}\n"),
        ["run", None],
        ["recipe.yaml:4", "`sample.temperature`", "less than or equal to 2"],
    ),
    "missing key": (
        recipe("questions: {source: x.jsonl}\n"),
        ["run", None],
        ["recipe.yaml:1", "`name` is missing", "Add"],
    ),
    "no source": (recipe("name: sums\nquestions: {limit: 3}\n"), ["run", None], ["recipe.yaml", "`source` or `query`"]),
    "no answer verifier": (
        recipe(HEAD + "verify: [equations]\n"),
        ["run", None],
        ["recipe.yaml:4", "`verify`", "must list `answer`"],
    ),
    "YAML syntax": (
        recipe("name: sums\nquestions: {source: [\n"),
        ["run", None],
        ["recipe.yaml:3", "not valid YAML", "Mend"],
    ),
    "not UTF-8": (broken(b"name: s\xff\n"), ["status", None], ["recipe.yaml", "cannot be read", "UTF-8"]),
    "NUL in the recipe": (broken(b"name: s\0\n"), ["status", None], ["recipe.yaml", "not valid YAML"]),
    "a list": (recipe("- 1\n"), ["run", None], ["recipe.yaml", "mapping of keys", "selftaught init"]),
    "empty recipe": (recipe(""), ["run", None], ["recipe.yaml", "mapping of keys"]),
    "no examples file": (no_examples, ["run", None], ["examples.yaml", "no such file", "examples: null"]),
    "an example without a key": (
        recipe("- {question: Why, answer: 3}\n", "examples.yaml"),
        ["run", None],
        ["examples.yaml:1", "lacks a key", "rationale"],
    ),
    "a key's variable that is none": (
        amended(endpoint={"api_key_env": "sk-1"}),
        ["run", None],
        ["`endpoint.api_key_env`", "no name of an environment variable", "OPENAI_API_KEY"],
    ),
    "no such template": (amended(prompt={"template": "star"}), ["run", None], ["star", "no template", "star-cot"]),
    "a broken template": (
        lambda room: (amended(prompt={"template": "own.jinja"})(room), recipe("{% if %}", "own.jinja")(room))[0],
        ["run", None],
        ["own.jinja:1", "not a Jinja template"],
    ),
    "missing questions": (
        amended(questions={"source": "question.jsonl"}),
        ["questions", None],
        ["question.jsonl", "no such file", "Did you mean `questions.jsonl`?"],
    ),
    "missing questions file": (
        as_it_is,
        ["sample", None, "--questions", "nowhere.jsonl"],
        ["nowhere.jsonl", "no such file"],
    ),
    "empty question set": (
        recipe("", "questions.jsonl"),
        ["sample", None],
        ["questions.jsonl", "holds no rows", "Check"],
    ),
    "no answer field": (
        amended(questions={**MINE, "answer": "anwser"}),
        ["sample", None],
        ["questions.jsonl", "`anwser`", "`questions.answer`", "did you mean `answer`?"],
    ),
    "unknown kind of file": (
        amended(questions={"source": "recipe.yaml"}),
        ["questions", None],
        ["recipe.yaml", "`.yaml`"],
    ),
    "bad policy": (amended(keep="answer = "), ["sample", None], ["keep: answer =", "syntax error", "SQL condition"]),
    "unknown column": (amended(keep="answr = 'pass'"), ["sample", None], ["keep:", "`answr`", "mean `answer`?"]),
    "unknown verifier": (
        amended(verify=["answer", "equation", "hint_leak"]),
        ["sample", None],
        ["verify", "`equation`", "equations"],
    ),
    "a misspelt verifier that the policy reads": (
        amended(verify=["answer", "equation", "hint_leak", "number_provenance", "degenerate"], keep="default"),
        ["sample", None],
        ["recipe.yaml", "`verify` lists `equation`: did you mean `equations`, which this policy reads?"],
    ),
    "a misspelt verifier that rationalizing needs": (
        amended(verify=["answer", "hint_leek"], keep="true"),
        ["run", None],
        ["recipe.yaml", "`verify` lists `hint_leek`: did you mean `hint_leak`, which rationalize.k needs?"],
    ),
    "a misspelt verifier that is always needed": (
        amended(verify=["answr", "hint_leak"], keep="true"),
        ["status", None],
        ["recipe.yaml", "`verify` lists `answr`: did you mean `answer`, which is always needed?"],
    ),
    "a verifier that the policy reads is missing": (
        amended(verify=["answer", "hint_leak", "near_duplicate", "number_provenance", "degenerate"], keep="default"),
        ["sample", None],
        ["recipe.yaml", "this policy reads `equations`; add that to `verify`"],
    ),
    "bad policy of a store": (
        lambda room: (amended(keep="answr = 'pass'")(room), with_store(room))[0],
        ["audit", None],
        ["keep:", "`answr`", "mean `answer`?"],
    ),
    "bad policy in status": (
        lambda room: (amended(keep="(answer = 'pass'")(room), with_store(room))[0],
        ["status", None],
        ["keep:", "syntax error"],
    ),
    "unknown audit": (with_store, ["audit", None, "luck"], ["no audit `luck`", "lucky_minority"]),
    "no store": (as_it_is, ["status", None], ["store.duckdb", "no store here", "selftaught run"]),
    "newer store": (newer, ["status", None], ["store.duckdb", "schema 999", "pip install -U selftaught"]),
    "corrupt store": (
        broken(b"\1" * 9999, "store.duckdb"),
        ["sample", None],
        ["store.duckdb", "cannot be opened", "copy"],
    ),
    "bad SQL": (with_store, ["sql", None, "SELEC 1"], ["SQL", "syntax error", "--schema"]),
    "unknown table": (with_store, ["sql", None, "FROM attempt"], ["SQL", "attempt", "--schema"]),
    "SQL that writes": (with_store, ["sql", None, "DELETE FROM attempts"], ["SQL", "read-only"]),
    "SQL that reads files": (with_store, ["sql", None, "FROM read_text('recipe.yaml')"], ["SQL", "disabled"]),
    "no endpoint": (
        amended(endpoint={"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "retries": 0}),
        ["sample", None],
        ["http://127.0.0.1:9/v1"],
    ),
    "unknown option": (as_it_is, ["status", None, "--jsno"], ["--jsno"]),
    "unknown command": (as_it_is, ["statsu", None], ["statsu"]),
    "unknown shipped room": (as_it_is, ["init", "mine", "--like", "nothing"], ["`nothing`", "gsm8k"]),
    "bad name": (as_it_is, ["init", "../mine"], ["`../mine`", "lower-case"]),
}


def check_complaint(done: subprocess.CompletedProcess[str], said: list[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not [part for part in said if part not in done.stderr], done.stderr


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return scripted_room(tmp_path / "sums")


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_input_is_named_with_its_place_and_its_mend(room: Path, case: str) -> None:
    spoil, arguments, said = CASES[case]
    spoil(room)
    done = selftaught(*(room if argument is None else argument for argument in arguments), cwd=room.parent)
    check_complaint(done, said)


@pytest.mark.parametrize("command", ["run", "status", "sql", "recipe show"])
def test_what_is_no_room_is_said(tmp_path: Path, command: str) -> None:
    done = selftaught(*command.split(), tmp_path / "nowhere", *(["SELECT 1"] if command == "sql" else []))
    check_complaint(done, ["nowhere", "no recipe here", "Name a room's folder"])


def test_an_unknown_fsync_policy_is_said(room: Path) -> None:
    done = selftaught("sample", room, env=environment(SELFTAUGHT_FSYNC="sometimes"))
    check_complaint(done, ["SELFTAUGHT_FSYNC", "`sometimes`", "always, group or never"])


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums")
    scripted.attempt(0, "The answer is 6.")
    done = selftaught("export", scripted.room.folder)
    check_complaint(done, ["nothing is kept of 1 completions", "No answer was right", "source rows"])


def test_a_policy_that_fails_on_the_data_is_said(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums", keep="completion::INTEGER > 3")
    scripted.attempt(0)
    for command in ("export", "status", "audit"):
        check_complaint(selftaught(command, scripted.room.folder), ["Could not convert"])


def test_a_wrong_input_changes_nothing(room: Path) -> None:
    scripted_room(room, keep="answr = 'pass'")
    before = {path: path.read_bytes() for path in room.rglob("*")}
    assert selftaught("run", room).returncode == 2
    assert {path: path.read_bytes() for path in room.rglob("*")} == before


# Hostile text.

EVIL = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe [bold]markup[/bold] [/nope] \x08\x08\r\x7f"
FORBIDDEN = [*map(chr, [*range(9), *range(11, 32), *range(127, 160)]), "\u202e", "\u200b"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    """A room in which everything that comes from outside tries to reach the terminal."""
    rows: list[dict[str, Any]] = [
        {"question": f"{EVIL} How many?", "answer": "5", "id": f"{EVIL} id"},
        {"question": EVIL, "answer": ""},
    ]
    rows += [{"question": EVIL, "answer": {"x": EVIL}}, {"question": "q", "answer": "7", "choices": {EVIL: EVIL}}]
    pooled = {"draw_on": "store"}  # also what weights of another name have written
    keys = {"questions": {"source": "questions.jsonl", "id": "id"}, "keep": "answer = 'pass'", "export": pooled}
    made = Scripted(tmp_path_factory.mktemp("hostile") / "sums", rows, **keys)
    made.attempt(0, f"{EVIL} 2 + 3 = 6. The answer is 5.", model=EVIL, endpoint=EVIL, weights=EVIL)
    made.attempt(0, f"{EVIL} The answer is 6.", finish_reason=EVIL)
    made.attempt(0, "", error="server", error_text=EVIL, finish_reason="")
    made.verify()
    return made


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (["status", None], "\\x1b[31mred"),
        (["sql", None, "SELECT * FROM attempts_wide"], "\\x1b"),
        (["sql", None, "SELECT completion, chr(27) AS \"\x1b[31m[/nope]\" FROM attempts"], "\\x1b[31mred"),
        (["sql", None, "SELECT '\x1b[31m' nonsense \x1b[31m"], "\\x1b[31m"),
        (["audit", None], "\\x1b[31mred"),
        (["audit", None, "false_equation"], "\\x1b[31mred"),
        (["questions", None], "\\x1b[31mred"),
        (["export", None], "\\x1b[31mred"),
        (["verify", None], ""),
        (["audit", None, "\x1b[31m[/nope]"], "\\x1b[31m"),
        (["status", None, "--run", "\x1b[31m[/nope]"], ""),
    ],
    ids=str,
)  # fmt: skip
def test_text_from_outside_cannot_steer_the_terminal(hostile: Scripted, command: list[str | None], seen: str) -> None:
    done = selftaught(*(hostile.room.folder if part is None else part for part in command))
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    shown = done.stdout + done.stderr
    assert seen in shown
    assert [mark for mark in FORBIDDEN if mark in shown] == []


@pytest.mark.parametrize("command", [["status"], ["questions"], ["audit"], ["export"]], ids=str)
def test_json_holds_no_control_character_and_loses_nothing(hostile: Scripted, command: list[str]) -> None:
    done = selftaught(*command, hostile.room.folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert [mark for mark in FORBIDDEN if mark in done.stdout] == []


def test_sql_gives_the_text_as_it_is_to_a_script(hostile: Scripted) -> None:
    done = selftaught("sql", hostile.room.folder, "SELECT completion FROM attempts WHERE error IS NULL", "--json")
    texts = {row["completion"] for row in json.loads(done.stdout)}
    assert texts == {f"{EVIL} 2 + 3 = 6. The answer is 5.", f"{EVIL} The answer is 6."}
    assert [mark for mark in FORBIDDEN if mark in done.stdout] == []


# Streams and signals.


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["recipe", "show"]], ids=str)
def test_a_full_output_is_said(room_of_attempts: Path, command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command, room_of_attempts], env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"No space left" in done.stderr


def test_closed_streams_are_done_without(room_of_attempts: Path) -> None:
    def close() -> None:
        os.closerange(0, 3)

    for command in (["recipe", "schema"], ["sql", str(room_of_attempts), "SELECT 1", "--json"], ["--help"]):
        done = subprocess.run([*COMMAND, *command], env=environment(), preexec_fn=close, check=False)
        assert done.returncode == 0, command


def test_a_query_can_be_interrupted(room_of_attempts: Path) -> None:
    query = "SELECT sum(a.range * b.range) FROM range(100000000) a, range(100000000) b"
    with subprocess.Popen([*COMMAND, "sql", room_of_attempts, query], env=environment(), stderr=subprocess.PIPE) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None and process.cpu_times().user < 4:  # well past the imports, and inside the query
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        try:
            _, told = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == -signal.SIGINT, told  # 130 to a shell
    assert b"Traceback" not in told


@pytest.fixture
def room_of_attempts(tmp_path: Path) -> Path:
    return Scripted(tmp_path / "sums").room.folder
