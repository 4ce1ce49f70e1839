from __future__ import annotations

import importlib.util
import json
import warnings
from typing import Any

import pytest

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier, sandbox
from selftaught_verifiers.gym import gym
from selftaught_verifiers.gym.gym import plain_expression

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("reasoning_gym") is None, reason="reasoning-gym is not installed"
)
needs_sandbox = pytest.mark.skipif("seccomp" not in sandbox.working(), reason="seccomp does not work on this machine")

TASKS = [
    "arc_agi",  # its grids are tuples, which JSON does not keep
    "base_conversion",
    "basic_arithmetic",
    "binary_matrix",
    "calendar_arithmetic",
    "chain_sum",
    "complex_arithmetic",
    "countdown",
    "fraction_simplification",
    "letter_counting",
    "knights_knaves",
    "mini_sudoku",
    "n_queens",
    "polynomial_multiplication",
    "prime_factorization",
    "spell_backward",
    "string_insertion",
    "word_sorting",
]


def question(task: str, index: int = 0, **settings: Any) -> Question:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import reasoning_gym
    entry = reasoning_gym.create_dataset(task, **{"seed": 5, "size": index + 1} | settings)[index]
    stored = json.loads(json.dumps({"task": task, "entry": entry, "settings": settings}, default=str))
    return Question(entry["question"], entry["answer"], "text", meta={"gym": stored})


def judge(text: str, asked: Question, **options: object) -> Verdict:
    verdict = get_verifier("gym").configured(options)(asked, Rationale(text))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


@needs_sandbox
@pytest.mark.parametrize("task", TASKS)
def test_the_known_answer_scores_one_and_garbage_does_not(task: str) -> None:
    asked = question(task)
    verdict = judge(f"Step by step.\n<answer>{asked.gold}</answer>", asked)
    assert (verdict.outcome, verdict.reason, verdict.score) == (Outcome.PASS, "scored", 1.0)
    for garbage in ("<answer>purple 17 monkeys</answer>", "Hm.", "<answer>0</answer>" if asked.gold != "0" else "Hm."):
        verdict = judge(garbage, asked)
        assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "below_threshold"), (garbage, verdict)


@needs_sandbox
def test_an_answer_in_a_sentence_counts() -> None:
    asked = question("chain_sum")
    for form in ("So the answer is {}.", "Answer: **{}**", r"Thus \boxed{{{}}}.", "#### {}"):
        assert judge(form.format(asked.gold), asked).outcome is Outcome.PASS, form
    assert judge(f"The answer is {asked.gold}. No, the answer is 1.", asked).outcome is Outcome.FAIL


@needs_sandbox
def test_a_grid_after_its_marker_counts() -> None:
    asked = question("mini_sudoku")
    assert asked.gold.count("\n") == 3
    for form in ("The answer is:\n{}", "Answer:\n```\n{}\n```", "We fill in the rest and find\n\n{}\n"):
        assert judge(form.format(asked.gold), asked).outcome is Outcome.PASS, form


@needs_sandbox
def test_another_right_answer_counts_too() -> None:
    asked = question("countdown")
    assert judge(f"<answer>{asked.gold}</answer>", asked).outcome is Outcome.PASS
    assert judge(f"<answer>({asked.gold}) + 0*0</answer>", asked).outcome is Outcome.FAIL
    assert judge(f"<answer>0 + ({asked.gold})</answer>", asked).outcome is not Outcome.UNSCORABLE
    assert judge(f"<answer>({asked.gold})</answer>", asked).outcome is Outcome.PASS


@needs_sandbox
def test_the_threshold_is_an_option() -> None:
    asked = question("word_sorting")
    words = asked.gold.split(", ")
    half = ", ".join(reversed(words))
    verdict = judge(f"<answer>{half}</answer>", asked)
    assert verdict.outcome is Outcome.FAIL
    assert 0.0 < verdict.score < 1.0
    assert judge(f"<answer>{half}</answer>", asked, threshold=verdict.score).outcome is Outcome.PASS


@needs_sandbox
def test_a_scorer_that_takes_nonsense_is_found_out() -> None:
    # bool("False") is true, and so this task's scorer passes any text.
    asked = question("game_of_life_halting")
    assert judge(f"<answer>{asked.gold}</answer>", asked).outcome is Outcome.PASS
    verdict = judge("<answer>purple</answer>", asked)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "nonsense_passes")


@needs_sandbox
def test_a_damaged_entry_is_not_the_answers_fault() -> None:
    asked = question("countdown")
    damaged = {"task": "countdown", "entry": {"question": "", "answer": asked.gold, "metadata": {}}}
    verdict = judge(f"<answer>{asked.gold}</answer>", Question("", asked.gold, "text", meta={"gym": damaged}))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "entry_unusable")


@needs_sandbox
def test_settings_reach_the_scorer_and_json_text_is_read() -> None:
    asked = question("chain_sum", min_terms=5, max_terms=5)
    as_text = Question(asked.text, asked.gold, "text", meta={"gym": json.dumps(asked.meta["gym"])})
    assert judge(f"<answer>{asked.gold}</answer>", as_text).outcome is Outcome.PASS


HOSTILE = [
    "__import__('os').system('touch /tmp/x')",
    "().__class__.__base__.__subclasses__()",
    "open('/etc/passwd').read()",
    "(print)('x')",
    "[print][0]('x')",
    "exit()",
    r"'\x5f\x5fimport\x5f\x5f'",
    "(lambda: 1)",
    "[x for x in 'a']",
    "print ('x')",
    "(print#\n('x'))",
    "a.b",
]


@needs_sandbox
@pytest.mark.parametrize("task", ["countdown", "spiral_matrix", "n_queens", "polynomial_multiplication"])
def test_a_hostile_answer_is_not_evaluated(task: str) -> None:
    asked = question(task)
    for answer in HOSTILE:
        verdict = judge(f"<answer>{answer}</answer>", asked)
        assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "unsafe_answer"), answer


@pytest.mark.parametrize("answer", HOSTILE)
def test_a_hostile_answer_is_no_plain_expression(answer: str) -> None:
    assert not plain_expression(answer)


@pytest.mark.parametrize(
    "answer", ["3 * (4 + 5)", "x**2*sin(x)/2 + C", "['a', 'b', \"c\"]", "[[1, 2], [3, 4]]", "-1.5 + 2e3", "log(x) - 3"]
)
def test_mathematics_is_a_plain_expression(answer: str) -> None:
    assert plain_expression(answer)


@needs_sandbox
def test_a_scorer_that_hangs_is_killed_and_the_next_answer_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    gym._worker().start()
    monkeypatch.setattr(gym._worker(), "seconds", 1.0)
    asked = question("countdown")
    verdict = judge("<answer>9**9**9**9</answer>", asked)
    assert verdict.outcome is not Outcome.PASS
    assert judge(f"<answer>{asked.gold}</answer>", asked).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("text", "meta", "outcome", "reason"),
    [
        ("<answer>1</answer>", {}, Outcome.UNSCORABLE, "not_gym"),
        ("<answer>1</answer>", {"gym": "nothing"}, Outcome.UNSCORABLE, "not_gym"),
        ("<answer>1</answer>", {"gym": {"task": "chain_sum"}}, Outcome.UNSCORABLE, "not_gym"),
        ("<answer>1</answer>", {"gym": {"task": "no_such", "entry": {}}}, Outcome.UNSCORABLE, "unknown_task"),
        ("<think>1", {"gym": {"task": "chain_sum", "entry": {"answer": "1"}}}, Outcome.FAIL, "unclosed_think"),
        ("", {"gym": {"task": "chain_sum", "entry": {"answer": "1"}}}, Outcome.FAIL, "no_answer"),
    ],
)
def test_what_cannot_be_scored(text: str, meta: dict, outcome: Outcome, reason: str) -> None:
    verdict = judge(text, Question("", "1", "number", meta=meta))
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "reasoning_gym" else find(name, *rest)
    )
    verdict = judge("1", Question("", "1", "number", meta={"gym": {"task": "chain_sum", "entry": {"answer": "1"}}}))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "needs reasoning-gym")
