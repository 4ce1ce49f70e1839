from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.common.errors import InputError, RecipeError
from selftaught_builder.common.keys import attempt_id
from selftaught_builder.prompts.examples import load_examples
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.recipe import Prompt
from selftaught_builder.recipe.parameters import parameters_of
from selftaught_builder.sampling.plan import Asking, Known, Plan
from support.reading import failed_in
from support.stores import EXAMPLES, SUMS, WHO, Scripted, reasoned

CHOICES = [{"question": "Where do fish live?", "choices": {"A": "in trees", "B": "in water"}, "answer": "B"}]


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path / "sums")


def failed(scripted: Scripted, **recipe: Any) -> list[Asking]:
    scripted.verify()
    changed = scripted.room.recipe.model_copy(update=recipe)
    parents = failed_in(scripted.store, changed, scripted.scope)
    return [Asking(question, parents[question.hash]) for question in scripted.questions if question.hash in parents]


def plan(scripted: Scripted, askings: list[Asking], kind: str = "rationalized", k: int = 1) -> Plan:
    parameters = parameters_of(scripted.room.recipe, kind=kind)
    known = Known.of(scripted.store, kind)
    return Plan(kind, askings, k, scripted.room.prompter, parameters, WHO.weights, known)


def test_only_questions_without_a_kept_sample_are_asked_again(scripted: Scripted) -> None:
    scripted.attempt(0)
    scripted.attempt(0, "The answer is 1.")
    wrong = scripted.attempt(1, "The answer is 1.", sample_index=0)
    scripted.attempt(1, "The answer is 2.", sample_index=1)
    scripted.attempt(2, "", error="server", finish_reason="")
    assert failed(scripted) == [Asking(scripted.questions[1], wrong)]


def test_a_right_answer_that_the_policy_refuses_is_a_failure(scripted: Scripted) -> None:
    scripted.attempt(0, "2 + 3 = 6, less one. The answer is 5.")
    scripted.attempt(1, finish_reason="length")
    assert [asking.question for asking in failed(scripted)] == scripted.questions[:2]
    assert [asking.question for asking in failed(scripted, keep="true")] == [scripted.questions[1]]


def test_evaluated_and_rationalized_attempts_make_no_question_kept(scripted: Scripted) -> None:
    parent = scripted.attempt(0, "The answer is 1.")
    scripted.attempt(0, kind="evaluated")
    scripted.attempt(0, reasoned(scripted.questions[0]), kind="rationalized", parent=parent)
    assert failed(scripted) == [Asking(scripted.questions[0], parent)]


def test_the_parent_is_the_first_completion_that_failed(scripted: Scripted) -> None:
    scripted.attempt(0, "The answer is 1.", sample_index=2)
    scripted.attempt(0, "", sample_index=0, error="timeout", finish_reason="")
    first = scripted.attempt(0, "The answer is 1.", sample_index=1)
    assert [asking.parent for asking in failed(scripted)] == [first]
    tasks = list(plan(scripted, failed(scripted), k=2))
    assert [(task.parent, task.kind, task.sample_index) for task in tasks] == [
        (first, "rationalized", 0),
        (first, "rationalized", 1),
    ]


def test_a_policy_that_fails_on_the_data_is_an_input_error(scripted: Scripted) -> None:
    scripted.attempt(0)
    with pytest.raises(InputError, match="Could not convert"):
        failed(scripted, keep="completion::INTEGER > 3")


def test_what_was_rationalized_is_not_asked_again(scripted: Scripted) -> None:
    parent = scripted.attempt(0, "The answer is 1.")
    done = scripted.attempt(0, reasoned(scripted.questions[0]), kind="rationalized", parent=parent, sample_index=0)
    askings = failed(scripted)
    (task,) = plan(scripted, askings, k=2)
    assert task.sample_index == 1
    assert attempt_id(task.key, 1) != done
    assert plan(scripted, askings, k=2).size == 2


def test_a_failed_try_is_tried_again_under_the_next_number(scripted: Scripted) -> None:
    parent = scripted.attempt(0, "The answer is 1.")
    first = scripted.attempt(0, "", kind="rationalized", sample_index=0, error="timeout", finish_reason="")
    (task,) = plan(scripted, failed(scripted))
    assert (attempt_id(task.key, 1), task.tries, task.parent) == (first, 1, parent)


def test_the_hint_of_a_number_stands_after_the_question(scripted: Scripted) -> None:
    scripted.attempt(0, "The answer is 1.")
    (task,) = plan(scripted, failed(scripted))
    text = scripted.questions[0].text
    assert task.prompt.messages[-1] == {"role": "user", "content": f"{text} (5)"}
    users = [message["content"] for message in task.prompt.messages if message["role"] == "user"]
    assert users[:-1] == [
        "A hen lays 3 eggs, another 4. How many? (7)",
        "Of 12 rolls 5 are sold. How many are left? (7)",
    ]
    (plain,) = plan(scripted, failed(scripted), kind="evaluated")
    assert plain.prompt.messages[-1]["content"] == text
    assert "(7)" not in str(plain.prompt.messages)


def test_the_hint_of_choices_marks_the_right_one(tmp_path: Path) -> None:
    scripted = Scripted(
        tmp_path / "choices",
        CHOICES,
        questions={"source": "questions.jsonl", "choices": "choices"},
        verify=["answer", "hint_leak"],
        keep="true",
    )
    scripted.attempt(0, "The answer is (A).")
    (task,) = plan(scripted, failed(scripted))
    asked = "Where do fish live?\nAnswer Choices:\n(A) in trees\n(B) in water"
    assert task.prompt.messages[-1]["content"] == f"{asked} (CORRECT)"
    (plain,) = plan(scripted, failed(scripted), kind="evaluated")
    assert plain.prompt.messages[-1]["content"] == asked


def test_the_rationalizing_temperature_is_its_own_where_given(tmp_path: Path) -> None:
    recipe = Scripted(tmp_path / "sums", rationalize={"temperature": 1.5}).room.recipe
    assert parameters_of(recipe, kind="rationalized")["temperature"] == 1.5
    assert parameters_of(recipe, kind="sampled")["temperature"] == 0.7


def test_what_has_failed_before_comes_last(scripted: Scripted) -> None:
    scripted.attempt(0, "", sample_index=0, error="bad_request", finish_reason="")
    scripted.verify()
    tasks = list(plan(scripted, [Asking(question) for question in scripted.questions], kind="sampled", k=2))
    assert [task.tries for task in tasks] == [0] * 7 + [1]
    assert tasks[-1].question == scripted.questions[0]


OPEN = """{% macro system() %}{% endmacro %}
{% macro question(q, hint) %}{{ q.text }} ({{ q.gold }}){% endmacro %}
{% macro response(rationale, q) %}{{ rationale }} {{ q.gold }}{% endmacro %}"""


def test_a_template_cannot_show_the_answer_without_a_hint(scripted: Scripted) -> None:
    (scripted.room.folder / "open.jinja").write_text(OPEN)
    prompter = Prompter.of(Prompt(template="open.jinja", examples=None), scripted.room.folder)
    assert "(5)" in prompter.ask(scripted.questions[0], hint=True).messages[-1]["content"]
    with pytest.raises(RecipeError, match="no attribute 'gold'"):
        prompter.ask(scripted.questions[0])


@pytest.mark.parametrize("broken", ["{{ nothing }}", "{% macro system() %}{{ 1 // 0 }}{% endmacro %}", "\udcff"])
def test_a_template_that_fails_is_the_recipes_error(scripted: Scripted, broken: str) -> None:
    (scripted.room.folder / "broken.jinja").write_text(broken, errors="surrogateescape")
    with pytest.raises(RecipeError, match=r"broken\.jinja"):
        Prompter.of(Prompt(template="broken.jinja", examples=None), scripted.room.folder).ask(scripted.questions[0])


def test_the_answers_of_examples_are_read_as_those_of_questions(tmp_path: Path) -> None:
    (tmp_path / "examples.yaml").write_text("- {question: q, rationale: r, answer: yes}\n")
    assert [example.gold for example in load_examples(tmp_path / "examples.yaml")] == ["yes"]


def test_an_example_is_not_shown_to_its_own_question(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums", [*EXAMPLES, *SUMS])
    own, other = (str(scripted.room.prompter.ask(scripted.questions[at]).messages) for at in (0, 2))
    rationale = EXAMPLES[0]["rationale"]
    assert (rationale in own, rationale in other) == (False, True)
