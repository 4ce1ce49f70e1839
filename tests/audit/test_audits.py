from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from selftaught_builder.audit.audits import audits, find_audit, run_audits
from selftaught_builder.audit.comparison import Comparison, compare_policies
from selftaught_builder.common.errors import InputError, PolicyError
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.scope.scope import Scope, scope_of
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.reading import reading
from selftaught_builder.verification import chosen_verifiers, verify
from support.command import environment, selftaught
from support.stores import SUMS, Scripted, reasoned, right

NAMES = [
    "false_equation",
    "hinted_against_unhinted",
    "answer_before_reasoning",
    "lucky_minority",
    "never_pass",
    "strict_differs",
]
EARLY = (
    "It is 40, as one sees at once. Then she walks on each of the five days, eight miles at a time. The answer is 40."
)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Scripted:
    """A store in which each audit has something to find, and something that looks like it."""
    pooled = {"draw_on": "store"}  # also with the rationalized attempts that nobody needs
    made = Scripted(tmp_path_factory.mktemp("audit") / "sums", keep="answer = 'pass'", export=pooled)
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
    return audited(scripted, scripted.room.recipe, scripted.scope, name).to_dicts()


def audited(scripted: Scripted, recipe: Recipe, scope: Scope, name: str) -> pl.DataFrame:
    with reading(scripted.store, scope, compile_filter(recipe)) as view:
        return run_audits(view, [find_audit(name)])[name]


def test_there_are_six_audits_and_each_says_how_to_read_it() -> None:
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
    assert audited(scripted, strict, scripted.scope, "false_equation").is_empty()


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


def test_an_answer_that_only_the_flexible_reading_finds_is_found(scripted: Scripted, tmp_path: Path) -> None:
    assert found(scripted, "strict_differs") == []
    loose = Scripted(tmp_path / "sums")
    loose.attempt(0, "2 + 3 = 5. The answer is 5.")
    only = loose.attempt(0, "Ann has two pens and gets three, which makes 2 + 3 = 5")
    loose.attempt(0, "Ann has two pens and gets three, which makes 2 + 4 = 6")  # wrong by either reading
    loose.verify()
    (row,) = found(loose, "strict_differs")
    assert (row["attempt"], row["gold"], row["extracted"]) == (only, "5", "5")
    assert row["strict"] != "pass"


def test_another_run_is_none_of_an_audits_business(scripted: Scripted) -> None:
    for name in NAMES:
        assert audited(scripted, scripted.room.recipe, Scope("another"), name).is_empty()
    assert found(scripted, "never_pass")


def test_an_unknown_audit_and_a_wrong_policy_are_input_errors(scripted: Scripted) -> None:
    with pytest.raises(InputError, match="no audit `luck`\n  There are: false_equation, "):
        find_audit("luck")
    wrong = scripted.room.recipe.model_copy(update={"keep": "answr = 'pass'"})
    with pytest.raises(PolicyError, match="answr"):
        audited(scripted, wrong, scripted.scope, "never_pass")


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


# Two policies.

TRUE_EQUATIONS = "answer = 'pass' AND equations <> 'fail'"


def compared(scripted: Scripted, a: str, b: str, **options: int) -> Comparison:
    return compare_policies(scripted.store, scripted.room.recipe, scripted.scope, (a, b), **options)


def test_what_one_policy_keeps_and_another_drops_is_counted_and_explained(scripted: Scripted) -> None:
    both = compared(scripted, "answer-only", TRUE_EQUATIONS)
    assert both.kept.to_dicts() == [
        {"kept": "sampled", "a": 5, "b": 4, "both": 4, "only_a": 1, "only_b": 0},
        {"kept": "rationalized", "a": 1, "b": 0, "both": 0, "only_a": 1, "only_b": 0},
        {"kept": "rationales", "a": 6, "b": 4, "both": 4, "only_a": 2, "only_b": 0},
        {"kept": "questions", "a": 3, "b": 3, "both": 3, "only_a": 0, "only_b": 0},
    ]
    assert both.only_a.against.to_dicts() == [
        {"verdict": "equations", "fail": 2, "alone": 2, "unscorable": 0, "missing": 0}
    ]
    assert (both.only_a.rows, both.only_a.unexplained, both.only_b.rows) == (2, 0, 0)
    assert [row["attempt"] for row in both.only_a.examples] == sorted(scripted.notes["false"])
    for row in both.only_a.examples:
        assert row["against"]["equations"].startswith("false: ")
        assert (row["gold"], row["question"]) == ("5", SUMS[0]["question"])
    assert both.only_b.examples == []
    turned = compared(scripted, TRUE_EQUATIONS, "answer-only")
    assert (turned.only_a.rows, turned.only_b.rows) == (0, 2)
    assert turned.only_b.examples == both.only_a.examples
    assert len(compared(scripted, "answer-only", TRUE_EQUATIONS, examples=1).only_a.examples) == 1


def test_recipe_stands_for_the_rooms_own_policy(scripted: Scripted) -> None:
    same = compared(scripted, "recipe", "answer-only")
    assert (same.only_a.rows, same.only_b.rows) == (0, 0)
    assert same.policies[0].sql == scripted.room.recipe.keep


def test_a_condition_that_is_no_verdict_is_said_to_be_another(scripted: Scripted) -> None:
    short = compared(scripted, "answer-only", "answer = 'pass' AND length(completion) < 60")
    assert short.only_a.against.is_empty()
    assert short.only_a.unexplained == short.only_a.rows > 0
    assert all(row["against"] == {} for row in short.only_a.examples)


def test_verdicts_that_the_store_lacks_are_asked_for(tmp_path: Path) -> None:
    few = Scripted(tmp_path / "sums")
    for index, said in enumerate(("The answer is 5.", "The answer is 6.", "The answer is 6.")):
        few.attempt(0, f"Two pens and three pens. {said}", sample_index=index)
    few.verify()
    with pytest.raises(InputError, match="no verdicts of `majority`\n  Add majority to `verify` in the recipe"):
        compared(few, "answer-only", "majority <> 'fail'")
    with pytest.raises(PolicyError, match="no column or verifier `answr`"):
        compared(few, "answr = 'pass'", "answer-only")
    more = few.amended(verify=[*few.room.recipe.verify, "majority"])
    with more.store().writer():
        verify(more.store(), chosen_verifiers(more.recipe), scope_of(more.store(), more))
    lucky = compare_policies(
        more.store(), more.recipe, scope_of(more.store(), more), ("answer-only", "majority <> 'fail'")
    )
    assert lucky.only_a.examples[0]["against"] == {"majority": "minority"}
    few.attempt(1)  # comes after the verdicts
    with more.store().writer():
        more.store().commit_journal()
    scope = scope_of(more.store(), more)
    again = compare_policies(more.store(), more.recipe, scope, ("answer-only", "majority <> 'fail'"))
    assert again.unverified == {"answer": 1, "majority": 1}


def test_the_command_compares_policies(scripted: Scripted) -> None:
    done = selftaught(
        *("audit", scripted.room.folder, "policy", "answer-only", TRUE_EQUATIONS), env=environment(COLUMNS="100")
    )
    assert done.returncode == 0, done.stderr
    assert "A  /* answer-only */ answer = 'pass'" in done.stdout
    assert "A keeps and B drops 2. What B has against them:" in done.stdout
    assert "equations: false: 2 + 3 = 6" in done.stdout.replace("2+3=6", "2 + 3 = 6")
    assert "A drops nothing that B keeps." in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    asked = selftaught("audit", scripted.room.folder, "policy", "answer-only", TRUE_EQUATIONS, "--json")
    printed = json.loads(asked.stdout)
    assert printed["a"] == {"name": "answer-only", "sql": as_policy("answer-only").sql}
    assert printed["only_a"]["rows"] == 2
    shown = selftaught("audit", scripted.room.folder, "policy", "answer-only", "recipe", "--sql")
    assert as_policy("answer-only").sql in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("policy",), "0 policies where two are needed\n  There are: answer-only, default, rft, strict, `recipe`"),
        (("policy", "strict"), "1 policies where two are needed"),
        (("policy", "strct", "recipe"), "Did you mean `strict`?"),
        (("never_pass", "strict"), "`never_pass` takes nothing more"),
    ],
)
def test_policies_that_cannot_be_compared_are_input_errors(
    scripted: Scripted, arguments: tuple[str, ...], message: str
) -> None:
    done = selftaught("audit", scripted.room.folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
