from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError
from selftaught_builder.scoring.scoring import BLOCK, KINDS, Summary, read_rows, score, scorers, verdict_lines
from support.command import COMMAND, environment, selftaught

ROWS: list[dict[str, Any]] = [
    {"id": "a", "gold": "18", "response": "9 * 2 = 18. The answer is 18."},
    {"id": 2, "gold": 18, "response": "9 * 2 = 17. The answer is 18.", "expected": True},
    {"gold": "18", "response": "The answer is 19.", "expected": False},
    {"id": "d", "gold": "7", "response": "The answer is 12 or 13.", "expected": True},
    {"id": "e", "gold": "bank", "choices": ["river", "bank"], "response": "So the answer is (B).", "kind": "letter"},
    {"id": "f", "gold": "No", "response": "The answer is no.", "kind": "boolean", "expected": True},
    {"id": "g", "gold": "5", "response": None, "question": None},
]
CHECKS = """
import time
from selftaught_verifiers import Outcome, Verdict, group_verifier, row_verifier

@row_verifier("no_apology", version="1")
def judge(question, rationale, *, word: str = "sorry"):
    return Verdict(Outcome.FAIL if word in rationale.completion else Outcome.PASS, "looked for " + word)

@row_verifier("crashes", version="1")
def crash(question, rationale):
    raise RuntimeError("no way")

@group_verifier("of_many", version="1")
def many(question, members):
    return [Verdict(Outcome.PASS) for _ in members]
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    file = tmp_path / "checks.py"
    file.write_text(CHECKS, encoding="utf-8")
    return file


def write(file: Path, rows: list[Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def verdicts(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# Rows in, verdicts out.


def test_each_row_and_verifier_has_a_line(rows: Path) -> None:
    done = selftaught("score", rows, "--verify", "answer,equations")
    assert done.returncode == 0, done.stderr
    found = verdicts(done.stdout)
    assert [(one["id"], one["verifier"]) for one in found] == [
        (name, verifier) for name in ("a", "2", f"{rows}:3", "d", "e", "f", "g") for verifier in ("answer", "equations")
    ]
    assert list(found[0]) == ["id", "verifier", "outcome", "score", "answer", "reason", "detail"]
    outcomes = {(one["id"], one["verifier"]): one["outcome"] for one in found}
    assert [outcomes[name, "answer"] for name in ("a", "2", f"{rows}:3", "d", "e", "f", "g")] == [
        *("pass", "pass", "fail", "fail", "pass", "pass", "fail")
    ]
    assert (outcomes["a", "equations"], outcomes["2", "equations"]) == ("pass", "fail")
    assert "answer: 4 right, 3 wrong, 0 unscorable" in done.stderr
    assert "labels: 3 of 4 agree (75.0%); wrong accepted 0 of 1 (0.0%); right rejected 1 of 3 (33.3%)" in done.stderr
    assert "unknown kinds (boolean) in 1 rows: found from the known answer instead" in done.stderr


def test_several_files_and_standard_input_are_one_stream(rows: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", [{"gold": "1", "response": "1"}])
    typed = json.dumps({"gold": "2", "response": "3"}) + "\n\n"
    done = selftaught("score", other, "-", rows, input=typed)
    assert done.returncode == 0, done.stderr
    assert [one["id"] for one in verdicts(done.stdout)][:3] == [f"{other}:1", "stdin:1", "a"]


def test_output_goes_to_a_file_that_is_complete_or_not_there(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = selftaught("score", rows, "--output", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == selftaught("score", rows).stdout
    broken = write(tmp_path / "broken.jsonl", [*ROWS, {"gold": "1"}])
    again = tmp_path / "again.jsonl"
    assert selftaught("score", broken, "--output", again).returncode == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["broken.jsonl", "out.jsonl", "rows.jsonl"]


def test_a_file_is_never_written_over_while_it_is_read(rows: Path) -> None:
    before = rows.read_bytes()
    done = selftaught("score", rows, "--output", rows)
    assert done.returncode == 2
    assert "is read as well" in done.stderr
    assert rows.read_bytes() == before


def test_a_table_shows_outcomes_and_reasons_and_obeys_no_control_characters(tmp_path: Path) -> None:
    hostile = write(tmp_path / "hostile.jsonl", [{"id": "\x1b[31m", "gold": "[red]", "response": "\x1b]0;x\x07"}] * 50)
    done = selftaught("score", hostile, "--table", env=environment(COLUMNS="100"))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "[red]" in done.stdout
    assert "… 10 more rows" in done.stdout
    lines = selftaught("score", hostile).stdout
    assert lines.isascii()
    assert "\x1b" not in lines


def test_the_kind_can_be_said_for_all_rows(tmp_path: Path) -> None:
    golds = {"18": "number", "(B)": "letter", "B": "letter", "yes": "yesno", "blue whale": "text"}
    file = write(tmp_path / "rows.jsonl", [{"gold": gold, "response": "", "kind": "code"} for gold in golds])

    def kinds(kind: str | None) -> list[str]:
        return [row.question.kind for row in read_rows([file], Summary(), kind)]

    assert kinds(None) == ["code"] * 5
    assert kinds("auto") == list(golds.values())
    assert kinds("text") == ["text"] * 5
    unknown = selftaught("score", file, "--kind", "nubmer")
    assert unknown.returncode == 2
    assert "no kind `nubmer`" in unknown.stderr


# Users' own verifiers.


def test_a_users_own_verifier_judges_beside_ours(rows: Path, checks: Path) -> None:
    done = selftaught("score", rows, "--verify", "no_apology,answer,crashes", "--file", checks)
    assert done.returncode == 0, done.stderr
    found = verdicts(done.stdout)[:3]
    assert [one["verifier"] for one in found] == ["no_apology", "answer", "crashes"]
    assert [one["outcome"] for one in found] == ["pass", "pass", "unscorable"]
    assert (found[0]["reason"], "no way" in found[2]["reason"]) == ("looked for sorry", True)
    assert "labels: 3 of 4 agree" in done.stderr  # the labels stand beside the first verifier


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verify", "equatons"], "no verifier `equatons`\n  Did you mean `equations`?"),
        (["--verify", "majority"], "`majority` needs more than a row to judge"),
        (["--verify", ","], "names no verifier"),
        (["--file", "checks.py"], "none of its verifiers is asked for\n  Name them: --verify answer,NAME."),
        (["--verify", "of_many", "--file", "checks.py"], "`of_many` needs more than a row to judge"),
        (["--verify", "nosuch", "--file", "checks.py"], "defines no verifier `nosuch`, but `no_apology`"),
        (["--verify", "nosuch", "--file", "none.py"], "cannot be read: No such file"),
    ],
)
def test_a_verifier_that_cannot_judge_rows_is_an_input_error(
    rows: Path, checks: Path, arguments: list[str], message: str
) -> None:
    done = selftaught("score", rows, *arguments, cwd=checks.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


# Broken rows.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no JSON: "),
        ("[1]", "no JSON object"),
        ('{"gold": "1"}', "`response` is missing"),
        ('{"response": "1"}', "`gold` is missing"),
        ('{"response": "1", "gold": null}', "`gold` is missing"),
        ('{"response": 1, "gold": "1"}', "`response` is 1, which is no text"),
        ('{"response": "1", "gold": {"a": 1}}', "`gold`: text or a number is needed"),
        ('{"response": "1", "gold": "1", "choices": "A B"}', "`choices`: text that is no JSON"),
        ('{"response": "1", "gold": ["1"]}', "text or a number is needed"),
        ('{"response": "1", "gold": "1", "kind": 3}', "`kind` is 3, which is no text"),
        ('{"response": "1", "gold": "1", "expected": "yes"}', '`expected` is "yes", which is no true or false'),
        ('{"response": "A", "gold": "A", "choices": ["one"]}', "1 choices; 2 to 26 are usable"),
        ('{"response": "A", "gold": "C", "choices": ["one", "two"]}', "names none of the choices"),
        ('{"response": "\\ud800", "gold": "1"}', "no JSON: "),
    ],
)
def test_a_broken_row_names_file_line_and_mend(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"response": "1", "gold": "1"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.jsonl:3: ") as caught:
        list(read_rows([file], Summary()))
    assert message in str(caught.value)
    assert caught.value.mend


def test_a_missing_file_and_a_broken_row_end_the_command_with_2(tmp_path: Path) -> None:
    gone = selftaught("score", tmp_path / "none.jsonl")
    assert gone.returncode == 2
    assert "none.jsonl: No such file or directory" in gone.stderr
    broken = selftaught("score", write(tmp_path / "rows.jsonl", [*ROWS, {"response": "5"}]))
    assert broken.returncode == 2
    assert "rows.jsonl:8: `gold` is missing" in broken.stderr
    empty = selftaught("score", "-", input="")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "no rows\n")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["id", "response", "gold", "kind", "question", "choices", "hinted", "reasoning", "meta", "expected"]
)


@given(data=st.dictionaries(KEYS, ANYTHING | st.sampled_from(["A", "number", "5", ["a", "b"]])))
def test_any_row_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    file = write(tmp_path_factory.mktemp("any") / "rows.jsonl", [data])
    with contextlib.suppress(InputError):
        (row,) = read_rows([file], Summary())
        question, rationale = row.question, row.rationale
        assert question[2] in KINDS
        assert isinstance(rationale[0], str)


# Many rows.


def test_more_than_a_block_keeps_its_order_in_several_processes(tmp_path: Path) -> None:
    count = BLOCK + 50
    file = write(tmp_path / "many.jsonl", [{"id": n, "gold": "5", "response": str(n % 7)} for n in range(count)])
    found = list(score(read_rows([file], Summary()), scorers(["answer"]), print))
    assert [scored.row.id for scored in found] == [str(n) for n in range(count)]
    assert [scored.verdicts["answer"][0] == "pass" for scored in found] == [n % 7 == 5 for n in range(count)]
    assert json.loads(next(verdict_lines(found[5])))["outcome"] == "pass"


def test_ctrl_c_ends_it_and_leaves_neither_process_nor_file(tmp_path: Path) -> None:
    """The input never ends, so that only the signal can."""
    out = tmp_path / "out.jsonl"
    line = json.dumps({"gold": "5", "response": "The answer is 5."}).encode() + b"\n"
    process = subprocess.Popen(
        [*COMMAND, "score", "-", "--output", str(out)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdin
    process.stdin.write(line * (BLOCK + 1))  # more than a block: the workers start
    process.stdin.flush()
    while not list(tmp_path.glob(".out.jsonl.*")):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted: " in said
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
