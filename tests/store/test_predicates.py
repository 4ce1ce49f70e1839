"""What a policy may not say: a text that a verdict never is, and anything that another run would answer differently."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import PolicyError, RecipeError
from selftaught_builder.recipe.policies import shipped_policies
from selftaught_builder.selection.policy import check_policy
from selftaught_builder.store.empty import empty_store
from selftaught_builder.store.predicates import OUTCOMES, SenseError, check_repeatable, check_values
from selftaught_builder.store.schema import create_views
from support.inside import inside
from support.stages import check
from support.stores import Scripted

VERIFIERS = {"answer": "1", "equations": "1", "hint_leak": "1"}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    with empty_store() as found:
        create_views(found)
        yield found


NEVER = [
    ("answer = 'passed'", "'pass'"),
    ("NOT (equations <> 'failed')", "'fail'"),
    ("'fial' = equations", "'fail'"),
    ("wide.answer = 'PASS'", "'pass'"),
    ("answer IN ('pass', 'unscoreable')", "'unscorable'"),
    ("answer NOT IN ('mising')", "'missing'"),
    ("answer IS DISTINCT FROM 'passes'", "'pass'"),
    ("answer = 'passed'::VARCHAR", "'pass'"),
    ("answer = ANY(['passed'])", "'pass'"),
    ("list_contains(['passed', 'pass'], answer)", "'pass'"),
    ("CASE answer WHEN 'passed' THEN true ELSE false END", "'pass'"),
    ("answer LIKE 'passd%'", "'pass'"),
    ("answer ILIKE 'FAILED'", "'fail'"),
    ("tokens_out > 3 AND (answer_strict = 'passed' OR true)", "'pass'"),
    ("kind = 'sample'", "'sampled'"),
    ("answer_kind = 'numbers'", "'number'"),
    ("hint_leak = 'ok'", ""),
    ("question IN (SELECT question FROM attempts_wide WHERE answer = 'passed')", "'pass'"),
]


@pytest.mark.parametrize(("predicate", "close"), NEVER)
def test_a_text_that_a_column_never_holds_is_refused_with_the_close_one(
    connection: duckdb.DuckDBPyConnection, predicate: str, close: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        check_policy(connection, predicate, VERIFIERS)
    assert "is never" in caught.value.message
    assert (f"Did you mean {close}?" in caught.value.mend) == bool(close)


@pytest.mark.parametrize(
    "predicate",
    [
        "answer = 'pass' AND equations <> 'fail'",
        "answer IN ('pass', 'fail', 'unscorable', 'missing')",
        "answer LIKE 'p%' OR hint_leak ILIKE 'FAIL'",
        "finish_reason = 'passed' AND model = 'failed'",
        "kind = 'sampled' AND answer_kind = 'number'",
        "extracted = 'passed'",
        "id IN (SELECT id FROM attempts ORDER BY id LIMIT 3)",
        "age(created_at, created_at) = INTERVAL 0 DAY",
        "tokens_out + 1 > tokens_in - 1",
        "year(created_at) > 2000 AND date_trunc('day', created_at) < created_at + INTERVAL 1 DAY",
        "error_text IS NULL",
        "id IN (SELECT attempt FROM verdicts WHERE verifier = 'answer' AND answer = '42')",
        "completion = 'random()' -- now()",
    ],
)
def test_what_makes_sense_passes(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    check_policy(connection, predicate, VERIFIERS)


def test_the_shipped_policies_make_sense(connection: duckdb.DuckDBPyConnection) -> None:
    for name, policy in shipped_policies().items():
        check_policy(connection, name, dict.fromkeys(policy.verifiers, "1") | VERIFIERS)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0")), negated=st.booleans())
def test_a_verdict_is_compared_with_a_verdict(connection: duckdb.DuckDBPyConnection, text: str, negated: bool) -> None:
    predicate = f"answer {'<>' if negated else '='} '{text.replace(chr(39), chr(39) * 2)}'"
    if text in OUTCOMES:
        check_values(connection, predicate, ["answer"], "keep")
    else:
        with pytest.raises(SenseError, match="`answer` is never"):
            check_values(connection, predicate, ["answer"], "keep")


CHANGING = [
    *(
        "random() < 0.5",
        "answer = 'pass' AND created_at < now()",
        "uuid()::VARCHAR > id",
        "created_at < current_timestamp",
    ),
    *("current_date > DATE '2020-01-01'", "today() > DATE '2020-01-01'", "age(created_at::TIMESTAMP) > INTERVAL 1 DAY"),
    *("created_at > ago(INTERVAL 1 DAY)", "current_setting('threads') = '1'", "localtime IS NOT NULL"),
    *("id IN (SELECT id FROM attempts USING SAMPLE 3)", "id IN (SELECT id FROM attempts LIMIT 3)"),
    "id IN (SELECT id FROM attempts WHERE random() < 0.5)",
]


@pytest.mark.parametrize("predicate", CHANGING)
def test_what_is_not_the_same_each_time_is_refused(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    with pytest.raises(PolicyError, match="is not the same each time"):
        check_policy(connection, predicate, VERIFIERS)


def test_every_function_that_duckdb_calls_unstable_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """But for those that are unstable for moments with a time zone alone, such as `+`: the session names the zone."""
    query = """
        SELECT function_name, list(DISTINCT stability) FROM duckdb_functions()
        WHERE function_type = 'scalar' GROUP BY function_name HAVING bool_or(stability <> 'CONSISTENT')"""
    found = dict(connection.execute(query).fetchall())
    zoned = {
        name for name, stabilities in found.items() if sorted(stabilities) == ["CONSISTENT", "CONSISTENT_WITHIN_QUERY"]
    }
    assert not {"random", "now", "uuid"} & zoned
    assert {"random", "now", "uuid"} <= set(found)
    for name in found.keys() - zoned:
        with pytest.raises(SenseError):
            check_repeatable(connection, f"SELECT {name}()", "keep")


def test_it_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    """By a dry run, by a run (the endpoint is not there), and in the questions of an endpoint verifier or a query."""
    room = Scripted(tmp_path / "sums", keep="answer = 'passed'").room.folder
    for command in (
        ["run", room, "--dry-run"],
        ["sample", room, "--dry-run"],
        ["run", room],
        ["sample", room],
        ["export", room],
    ):
        done = inside(*command)
        assert done.returncode == 2, done.stdout
        assert "`answer` is never 'passed'" in done.stderr
        assert "Did you mean 'pass'?" in done.stderr


@pytest.mark.parametrize(
    ("verifier", "options"),
    [
        ("judge", {"of": "answer = 'passed'"}),
        ("judge", {"of": "random() < 0.1"}),
        ("lucky", {"sql": "SELECT id AS attempt, random() < 0.5 AS outcome FROM attempts"}),
    ],
)
def test_verifiers_are_held_to_it_too(tmp_path: Path, verifier: str, options: dict[str, str]) -> None:
    made = Scripted(
        tmp_path / "sums", verify=["answer", "hint_leak", verifier], keep="true", verifiers={verifier: options}
    )
    with pytest.raises((RecipeError, SenseError)):
        check(made.room)


def test_a_policy_and_an_audit_say_which_verifier_they_lack(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums", verify=["answer"], keep="answer = 'pass'", rationalize={"k": 0})
    made.attempt(0)
    made.verify()
    done = inside("audit", made.room.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not run: needs `equations`") == 2
    assert "lucky_minority" in done.stdout
    data = inside("audit", made.room.folder, "--json")
    assert '"needs": [\n      "equations"' in data.stdout
    done = inside("audit", made.room.folder, "false_equation")
    assert (done.returncode, "needs `equations`, which the recipe does not run" in done.stderr) == (2, True)
    made.amended(keep="equations <> 'fail'")
    done = inside("status", made.room.folder)
    assert (done.returncode, "Add `equations` to `verify`" in done.stderr) == (2, True)
