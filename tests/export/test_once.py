"""An export compiles, checks and selects once, and hardly opens the store; a plan renders each prompt once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from selftaught_builder.prompts import Prompter
from selftaught_builder.sampling.plan import Asking, Known, Plan
from selftaught_builder.scope.asked_prompts import prompt_hashes
from selftaught_builder.selection import filter as filters
from selftaught_builder.selection import reading, selected
from support.inside import inside
from support.stores import Scripted, reasoned


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    made = Scripted(tmp_path / "sums")
    for number in (0, 1):
        made.attempt(number, reasoned(made.questions[number]))
    made.attempt(2, "No idea.")
    made.attempt(2, reasoned(made.questions[2]), kind="rationalized")
    made.verify()
    return made


def count(patch: pytest.MonkeyPatch, counts: Counter[str], module: Any, name: str) -> None:
    """Count the calls of a function."""
    real: Callable[..., Any] = getattr(module, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        counts[name] += 1
        return real(*arguments, **options)

    patch.setattr(module, name, counted)


def test_an_export_does_everything_once(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    for module, name in (
        (duckdb, "connect"),
        (filters, "chosen_verifiers"),
        (filters, "check_policy"),
        (selected, "ranked"),
        (reading, "attach_views"),
    ):
        count(monkeypatch, counts, module, name)
    done = inside("export", scripted.room.folder)
    assert done.returncode == 0, done.stderr
    assert counts.pop("connect") <= 3
    assert counts == {"chosen_verifiers": 1, "check_policy": 1, "ranked": 1, "attach_views": 1}


def test_a_plan_renders_each_prompt_once(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    room, questions = scripted.room, scripted.questions
    hashes = prompt_hashes(scripted.store, room.prompter.form.hash, hint=False)
    assert hashes.keys() == {question.hash for question in questions}
    for recorded in (hashes, {}):
        counts: Counter[str] = Counter()
        with monkeypatch.context() as patch:
            count(patch, counts, Prompter, "ask")
            known = Known(frozenset(), {})
            plan = Plan("sampled", [Asking(one) for one in questions], 3, room.prompter, {}, "w", known, recorded)
            assert plan.lacking == plan.size == 12
            tasks = list(plan)
        assert counts["ask"] == len(questions)
        assert {task.prompt.hash for task in tasks} == set(hashes.values())


def test_recorded_hashes_are_those_of_the_prompts(scripted: Scripted) -> None:
    known = Known(frozenset(), {})
    for kind in ("sampled", "rationalized"):
        hashes = prompt_hashes(scripted.store, scripted.room.prompter.form.hash, hint=kind == "rationalized")
        askings = [Asking(one) for one in scripted.questions]
        plans = [Plan(kind, askings, 2, scripted.room.prompter, {}, "w", known, some) for some in (hashes, {})]
        assert plans[0].keys() == plans[1].keys()
