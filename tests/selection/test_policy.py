from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import PolicyError, RecipeError
from selftaught_builder.recipe import Questions, Rationalize, Recipe, load_recipe
from selftaught_builder.recipe.policies import Policy, as_policy, shipped_policies
from selftaught_builder.selection.policy import check_policy, kept_select
from selftaught_builder.store.empty import empty_store
from selftaught_builder.store.schema import wide_select
from selftaught_builder.verification import versions_of
from selftaught_verifiers import get_verifier, registered
from support.command import selftaught
from support.stages import check
from support.stores import Scripted

NO_HINTS = Rationalize(k=0)
VERSIONS = {name: get_verifier(name).version for name in ("answer", "equations", "hint_leak")}


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    """A store with attempts of every sort; the ids of those that a policy may keep stand in `allowed`."""
    made = Scripted(tmp_path_factory.mktemp("policy") / "sums")
    for question in (0, 1):
        made.attempt(question, "It is 12. The answer is 12.")
        made.attempt(question, finish_reason="length")
        made.attempt(question, finish_reason="content_filter")
        for unfinished in ("abort", "error", "max_tokens", "LENGTH"):
            made.attempt(question, f"Cut by {unfinished}. The answer is 5, or 7.", finish_reason=unfinished)
            made.attempt(question, finish_reason=unfinished)
        made.attempt(question, "", finish_reason="", error="server", error_text="HTTP 500")
        made.attempt(question, error="connection", error_text="an error that came with a right completion")
        made.attempt(question, kind="evaluated")
        made.attempt(question, kind="probed")
        made.attempt(question, "", reasoning="The answer is 5. The answer is 7.")
        made.attempt(question, "The answer is 12.", kind="rationalized")
        made.attempt(question, "The hint says so. The answer is 5, or 7.", kind="rationalized")
        made.attempt(question, "(CORRECT) The answer is 5.", kind="rationalized")
        made.attempt(question, "(CORRECT) The answer is 7.", kind="rationalized")
        made.attempt(question, kind="rationalized", finish_reason="length")
    allowed = [made.attempt(0), made.attempt(1), made.attempt(0, "2 + 3 = 6, no: 2 + 3 = 5. The answer is 5.")]
    allowed += [made.attempt(1, "He ate two of nine. 9 - 2 = 7. The answer is 7.", kind="rationalized")]
    made.verify()
    made.notes["allowed"] = frozenset(allowed)
    return made


@pytest.fixture(scope="module")
def allowed(scripted: Scripted) -> frozenset[str]:
    return scripted.notes["allowed"]


@pytest.fixture(scope="module")
def connection(scripted: Scripted) -> Iterator[duckdb.DuckDBPyConnection]:
    with scripted.store.read() as opened:
        yield opened


def ids(connection: duckdb.DuckDBPyConnection, query: str) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(f"SELECT id FROM ({query}) q").fetchall())


def kept(connection: duckdb.DuckDBPyConnection, keep: str) -> frozenset[str]:
    check_policy(connection, keep, VERSIONS)
    return ids(connection, kept_select(keep, VERSIONS))


# What is no policy.


@pytest.mark.parametrize(
    ("keep", "message", "mend"),
    [
        ("answr = 'pass'", "no column or verifier `answr`", "Did you mean `answer`?"),
        ("answer = 'pass' AND equation <> 'fail'", "no column or verifier `equation`", "Did you mean `equations`?"),
        ("judge = 'pass'", "no column or verifier `judge`", "runs the verifiers answer, equations, hint_leak; others"),
        ("answer = ", "syntax error", "It must be an SQL condition"),
        ("answer == == 'pass'", "syntax error", "It must be an SQL condition"),
        ("", "syntax error", "It must be an SQL condition"),
        ("nosuch(answer)", "nosuch", ""),
        ("\"no such\" = 'pass'", "no column or verifier `no such`", ""),
        ("wide.answr = 'pass'", 'does not have a column named "answr"', "Mend the condition"),
        ("count(*) > 1", "aggregates", "Mend the condition"),
        ("true; DROP TABLE attempts", "more than one predicate", "Write one SQL condition"),
        ("true; SELECT 1 WHERE true", "more than one predicate", "Write one SQL condition"),
        ("true;", "syntax error", ""),
        ("1=1) OR (1=1", "syntax error", ""),
        ("true /* ( */ ) OR (true", "syntax error", ""),
        ("$$($$ <> '') OR (true", "syntax error", ""),
        (r"E'\'(' <> '') OR (true", "syntax error", ""),
        ('"(" = 1) OR (true', "syntax error", ""),
        ("true) UNION ALL FROM (SELECT * REPLACE ('pass' AS answer) FROM wide", "syntax error", ""),
        ("true /*", "unterminated", ""),
        ("answer = 'pass", "unterminated", ""),
        ("true ORDER BY 1", "syntax error", ""),
        ("true LIMIT 1", "syntax error", ""),
        ("SELECT true", "syntax error", ""),
        ("DROP TABLE attempts", "syntax error", ""),
        ("id = ?", "parameters", ""),
    ],
)
def test_what_is_no_predicate_is_refused_with_a_mend(
    connection: duckdb.DuckDBPyConnection, keep: str, message: str, mend: str
) -> None:
    with pytest.raises(PolicyError, match=re.escape(message)) as caught:
        kept(connection, keep)
    assert caught.value.exit_code == 2
    assert caught.value.place == f"keep: {keep}"
    assert mend in (caught.value.mend or "")


def test_a_verifier_that_the_recipe_does_not_run_is_unknown_to_its_policy(scripted: Scripted) -> None:
    room = scripted.room
    lacking = room.recipe.model_copy(update={"verify": ["answer"], "keep": "equations <> 'fail'"})
    with pytest.raises(PolicyError, match="no column or verifier `equations`"):
        check(type(room)(room.folder, lacking, room.store_path, room.run))


def test_a_policy_is_checked_before_there_is_a_store() -> None:
    with empty_store() as connection:
        check_policy(connection, "answer = 'pass' AND NOT truncated AND tokens_out < 100", VERSIONS)
        with pytest.raises(PolicyError, match="answr"):
            check_policy(connection, "answr = 'pass'", VERSIONS)


# The hard rules.

ATOMS = [
    "true",
    "answer <> 'pass'",
    "answer = 'pass'",
    "answer = 'fail'",
    "answer = 'missing'",
    "equations <> 'fail'",
    "hint_leak = 'fail'",
    "hint_leak <> 'pass'",
    "kind = 'evaluated'",
    "kind = 'probed'",
    "hinted",
    "truncated",
    "error IS NOT NULL",
    "finish_reason = 'length'",
    "completion = ''",
    "extracted IS NULL",
    "id IN (SELECT id FROM attempts)",
    "EXISTS (SELECT 1 FROM verdicts WHERE attempt = wide.id AND outcome = 'fail')",
    "CASE WHEN answer = 'pass' THEN NULL ELSE true END",
]
POLICIES = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("{} AND\n{}".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("{} -- ) OR (true".format, inner),
        st.builds("{} /* ) OR (true */".format, inner),
    ).map(lambda text: f"{text}\n"),
    max_leaves=6,
)
WORDS = ["true", "answer <> 'pass'", "OR", "AND", "NOT", "UNION ALL", "SELECT *", "FROM", "wide", "WHERE", "1", "AS x"]
MARKS = ["(", ")", "--", "\n", "/*", "*/", "'", "''", '"', "$$", ";", "E'\\'", ",", "--(", "/*(*/", "'('", "::INT"]
SOUP = st.lists(st.sampled_from(WORDS + MARKS), min_size=1, max_size=12).map(" ".join)


@given(policy=POLICIES)
@settings(deadline=None, max_examples=150)
def test_a_policy_selects_among_what_the_hard_rules_allow(
    connection: duckdb.DuckDBPyConnection, allowed: frozenset[str], policy: str
) -> None:
    wide = wide_select(sorted(VERSIONS), VERSIONS)
    wanted = ids(connection, f"SELECT * FROM ({wide}) wide WHERE (\n{policy}\n)")
    assert kept(connection, policy) == wanted & allowed


@given(policy=SOUP)
@settings(deadline=None, max_examples=500)
def test_whatever_the_policy_is_made_of_it_keeps_nothing_more(
    connection: duckdb.DuckDBPyConnection, allowed: frozenset[str], policy: str
) -> None:
    try:
        found = kept(connection, policy)
    except (PolicyError, duckdb.ConversionException):
        return
    assert found <= allowed


def test_everything_allowed_is_kept_by_the_widest_policy(
    connection: duckdb.DuckDBPyConnection, allowed: frozenset[str]
) -> None:
    assert kept(connection, "true") == allowed
    assert len(allowed) == 4
    assert kept(connection, "answer <> 'pass'") == frozenset()


def test_without_a_hint_leak_verdict_no_hinted_attempt_is_kept(
    connection: duckdb.DuckDBPyConnection, allowed: frozenset[str]
) -> None:
    fewer = {"answer": VERSIONS["answer"]}
    check_policy(connection, "true", fewer)
    found = ids(connection, kept_select("true", fewer))
    assert found < allowed
    assert ids(connection, "SELECT id FROM attempts WHERE kind = 'rationalized'").isdisjoint(found)


def test_verdicts_of_other_versions_do_not_count(connection: duckdb.DuckDBPyConnection) -> None:
    assert ids(connection, kept_select("true", {**VERSIONS, "answer": "999"})) == frozenset()


# Policies with a name.


@pytest.mark.parametrize("policy", shipped_policies().values(), ids=lambda policy: policy.name)
def test_a_shipped_policy_says_what_it_is_for_and_is_a_predicate_over_known_verifiers(policy: Policy) -> None:
    assert policy.title.endswith(".")
    assert len(policy.about) > 40
    assert set(policy.verifiers) <= {verifier.name for verifier in registered()}
    recipe = Recipe(
        name="r",
        questions=Questions(source="q.jsonl"),
        verify=[*policy.verifiers],
        keep=policy.name,
        rationalize=NO_HINTS,
    )
    with empty_store() as connection:
        check_policy(connection, recipe.keep, versions_of(recipe))
        check_policy(connection, policy.line, versions_of(recipe))


def test_the_policies_are_these_and_a_recipe_takes_the_default_one() -> None:
    assert list(shipped_policies()) == ["answer-only", "default", "rft", "strict"]
    recipe = Recipe(name="r", questions=Questions(source="q.jsonl"))
    assert recipe.keep == "default"
    assert set(recipe.verify) == set(as_policy("default").verifiers)
    assert set(as_policy("default").verifiers) < set(as_policy("strict").verifiers)
    assert as_policy("strict").line.startswith("/* strict */ answer_strict = 'pass' AND equations <> 'fail' AND ")


def test_a_name_stands_for_its_predicate_and_nothing_but_a_name_does() -> None:
    assert kept_select("answer-only", VERSIONS) == kept_select(as_policy("answer-only").sql, VERSIONS)
    assert as_policy("answer-only ").sql == "answer-only "
    assert as_policy("DEFAULT").sql == "DEFAULT"
    assert as_policy("answer = 'pass'").line == "answer = 'pass'"


@pytest.mark.parametrize(
    ("keep", "meant"),
    [("strct", "strict"), ("answer_only", "answer-only"), ("answr-only", "answer-only"), ("defaults", "default")],
)
def test_a_misspelt_name_is_recognised(connection: duckdb.DuckDBPyConnection, keep: str, meant: str) -> None:
    with pytest.raises(PolicyError, match=f"Did you mean `{meant}`?"):
        kept(connection, keep)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"keep": "strict"}, r"recipe.yaml:3: `keep`: this policy reads `majority`, `chance`; add that to `verify`"),
        ({"keep": "rft"}, "recipe.yaml:3: `keep`: this policy reads `near_duplicate`; add"),
        (
            {"verify": ["answer", "hint_leak"]},
            "`keep`: this policy reads `equations`, `number_provenance`, `degenerate`; add",
        ),
    ],
)
def test_a_policy_whose_verifiers_are_not_run_is_refused(tmp_path: Path, keys: dict, message: str) -> None:
    file = tmp_path / "recipe.yaml"
    lines = [
        f"{key}: {json.dumps(value)}" for key, value in {"name": "r", "questions": {"source": "q"}, **keys}.items()
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_recipe(file)


def test_each_policy_keeps_what_it_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One question; each attempt has one flaw that only some of the policies mind."""
    made = Scripted(
        tmp_path_factory.mktemp("named") / "sums",
        verify=[
            "answer",
            "equations",
            "number_provenance",
            "hint_leak",
            "degenerate",
            "majority",
            "chance",
            "near_duplicate",
        ],
    )
    sound = "Ann had 2 pens and gets 3 more, so that 2 + 3 = 5. The answer is 5."
    told = {
        "sound": made.attempt(0, sound, sample_index=0),
        "false_step": made.attempt(0, "Ann had 2 pens. 2 + 3 = 6, less one. The answer is 5.", sample_index=1),
        "said_again": made.attempt(0, sound.replace("pens and", "pens, and"), sample_index=2),
        "looping": made.attempt(0, "So we count the pens again and again. " * 40 + "The answer is 5.", sample_index=3),
        "unmarked": made.attempt(0, "She had two of them, then gets three more, and 2 + 3 = 5", sample_index=4),
        "wrong": made.attempt(0, "She gives three pens away, so 3 - 2 = 1. The answer is 1.", sample_index=5),
        "lucky": made.attempt(1, "Bob had 9 eggs and eats 2, so 9 - 2 = 7. The answer is 7.", sample_index=0),
    }
    for index in (1, 2):
        made.attempt(1, "Bob eats two of his eggs, which leaves 9 - 3 = 6. The answer is 6.", sample_index=index)
    made.verify()
    names = {attempt: name for name, attempt in told.items()}

    def kept_by(policy: str) -> set[str]:
        with made.store.read() as opened:
            versions = versions_of(made.room.recipe)
            return {names[attempt] for attempt in ids(opened, kept_select(policy, versions))}

    everything = set(told) - {"wrong"}
    assert kept_by("answer-only") == everything
    assert kept_by("default") == everything - {"false_step", "looping"}
    assert kept_by("strict") == everything - {"false_step", "looping", "unmarked", "lucky"}
    assert "said_again" not in kept_by("rft")
    assert {"sound", "lucky"} <= kept_by("rft") <= everything - {"false_step"}


def test_a_version_its_card_and_the_funnel_show_the_policys_name_and_sql(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums", keep="answer-only")
    made.attempt(0)
    version = made.export()
    card = (version.folder / "README.md").read_text(encoding="utf-8")
    assert f"policy `answer-only`:\n\n```sql\n{as_policy('answer-only').sql}\n```" in card
    assert "| kept by the policy `answer-only` | 1 |" in card
    assert made.store.sql("SELECT policy FROM dataset_versions").item() == "/* answer-only */ answer = 'pass'"
    shown = selftaught("status", made.room.folder)
    assert "policy: /* answer-only */ answer = 'pass'" in shown.stdout
    assert (
        json.loads(selftaught("status", made.room.folder, "--json").stdout)["funnel"]["policy"] == version.funnel.policy
    )


# The view.


def test_no_verifier_column_of_attempts_wide_is_ever_null(scripted: Scripted) -> None:
    view = scripted.store.sql("SELECT answer, equations, hint_leak, error FROM attempts_wide")
    assert view.height == scripted.store.sql("SELECT count(*) FROM attempts").item()
    assert view.select("answer", "equations", "hint_leak").null_count().sum_horizontal().item() == 0
    unverified = view.filter(view["error"].is_not_null())
    assert unverified.height == 4
    assert set(unverified["answer"]) == {"missing"}


def test_an_unverified_store_shows_missing_and_not_null(tmp_path_factory: pytest.TempPathFactory) -> None:
    fresh = Scripted(tmp_path_factory.mktemp("unverified") / "sums")
    fresh.attempt(0)
    with fresh.store.writer():
        fresh.store.commit_journal()
    with fresh.store.read() as connection:
        wide = f"FROM ({wide_select(sorted(VERSIONS), VERSIONS)})"
        assert connection.execute(f"SELECT answer, equations, hint_leak {wide}").fetchall() == [("missing",) * 3]
        assert connection.execute(f"SELECT count(*) {wide} WHERE answer <> 'pass'").fetchall() == [(1,)]


def test_rationalizing_without_looking_for_hints_is_refused() -> None:
    with pytest.raises(ValueError, match="needs `hint_leak`"):
        Recipe(name="r", questions=Questions(source="q.jsonl"), verify=["answer"], keep="true")
    Recipe(
        name="r", questions=Questions(source="q.jsonl"), verify=["answer"], keep="true", rationalize=Rationalize(k=0)
    )
