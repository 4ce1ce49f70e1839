"""What is spent of a budget, as `status` shows it: the figures that hold back the next request, and whether it suffices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.common.errors import InputError
from selftaught_builder.loop.forecast import forecast
from selftaught_builder.loop.loop import Loop
from selftaught_builder.room.room import open_room
from selftaught_builder.spending.spent import Spent, spent
from support.command import environment, selftaught
from support.stores import SUMS, Scripted, scripted_room

ENDPOINT = {
    "kind": "openai",
    "model": "m",
    "base_url": "http://127.0.0.1:9/v1",
    "prices": {"input": 1.0, "output": 4.0},
}
FULL = {
    "usd": 2.5,
    "tokens": 1000,
    "attempts": 20,
    "seconds": 60,
    "per_round": {"attempts": 4},
    "per_question": {"tokens": 600},
}
UNSAID = {"tokens_in": None, "tokens_out": None}


def scripted(folder: Path, budget: dict[str, Any], **endpoint: Any) -> Scripted:
    """Return a room of four questions with a budget; of three attempts the tokens and the cost are known."""
    made = Scripted(folder / "sums", endpoint={**ENDPOINT, **endpoint}, sample={"k": 2, "budget": budget})
    for question, number in ((0, 1), (0, 2), (1, 2)):
        made.attempt(question, round=number, cost=0.25, created_at=f"2026-01-0{number}T00:00:0{question}+00:00")
    made.verify()
    return made


def by_key(found: Spent | None) -> dict[str, tuple[str, float, float, float]]:
    assert found is not None
    return {limit.key: (limit.of, limit.allowed, limit.spent, limit.left) for limit in found.limits}


def at_most(found: Spent | None) -> int:
    assert found is not None
    return found.at_most


def test_every_limit_has_its_account(tmp_path: Path) -> None:
    found = spent(scripted(tmp_path, FULL).room)
    assert by_key(found) == {
        "sample.budget.usd": ("the run", 2.5, 0.75, 1.75),
        "sample.budget.tokens": ("the run", 1000, 45, 955),
        "sample.budget.attempts": ("the run", 20, 3, 17),
        "sample.budget.seconds": ("the run", 60, pytest.approx(0.3), pytest.approx(59.7)),
        "sample.budget.per_round.attempts": ("round 2", 4, 2, 2),
        "sample.budget.per_question.tokens": ("a question", 600, 30, 570),
    }
    assert at_most(found) == 0


def test_what_nobody_knows_counts_at_its_most_and_is_said(tmp_path: Path) -> None:
    made = scripted(tmp_path, {"tokens": 100, "attempts": 9})
    made.attempt(2, **UNSAID, cost=0.1)
    made.attempt(2, **UNSAID, error="timeout", error_text="", finish_reason="")
    made.attempt(3, **UNSAID, error="rate_limit", error_text="", finish_reason="")
    made.verify()
    found = spent(made.room)
    tokens = by_key(found)["sample.budget.tokens"]
    assert tokens[2] > 45 + 2 * 512, "the most that two completions may have"
    assert tokens[3] == 0
    assert at_most(found) == 2, "one that was refused costs nothing"
    assert at_most(spent(made.amended(sample={"budget": {"usd": 1}}))) == 1, "of the other the cost is known"
    assert at_most(spent(made.amended(sample={"budget": {"attempts": 9}}))) == 0


def test_without_a_store_nothing_is_spent_and_none_is_made(tmp_path: Path) -> None:
    budget = {"attempts": 5, "per_round": {"tokens": 7}}
    room = open_room(scripted_room(tmp_path / "sums", endpoint=ENDPOINT, sample={"budget": budget}))
    expected = {"sample.budget.attempts": ("the run", 5, 0, 5), "sample.budget.per_round.tokens": ("round 1", 7, 0, 7)}
    assert by_key(spent(room)) == expected
    assert not room.store_path.exists()
    assert spent(open_room(scripted_room(tmp_path / "sums"))) is None


def test_status_shows_it_in_80_columns(tmp_path: Path) -> None:
    made = scripted(tmp_path, {**FULL, "usd": 12345678.9})
    made.attempt(2, **UNSAID)
    made.verify()
    done = selftaught("status", made.room.folder, env=environment(COLUMNS="80"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    table = [" ".join(line.split()) for line in lines]
    assert "Budget allowed spent left" in table
    assert "round 2: attempts 4 2 2" in table
    assert any(line.startswith("dearest question: tokens 600 ") for line in table)
    assert "1 attempts of which nobody knows the tokens count at the most they may have" in table
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_status_gives_it_to_a_script(tmp_path: Path) -> None:
    made = scripted(tmp_path, {"tokens": 100})
    data = json.loads(selftaught("status", made.room.folder, "--json").stdout)["budget"]
    limit = {"key": "sample.budget.tokens", "of": "the run", "unit": "tokens", "allowed": 100, "spent": 45, "left": 55}
    assert data == {"limits": [limit], "at_most": 0}


def test_status_shows_the_rest_where_nobody_knows_the_price(tmp_path: Path) -> None:
    made = scripted(tmp_path, {"usd": 1}, kind="external", external={"start": ["true"]}, prices=None)
    done = selftaught("status", made.room.folder)
    assert done.returncode == 0, done.stderr
    assert "nobody knows what `m` charges" in done.stdout
    assert "source rows" in done.stdout
    with pytest.raises(InputError, match="nobody knows what `m` charges"):
        forecast(Loop(made.room))


def test_an_api_may_still_say_what_it_charges(tmp_path: Path) -> None:
    made = scripted(tmp_path, {"usd": 1}, prices=None)
    assert by_key(spent(made.room)) == {"sample.budget.usd": ("the run", 1, 0.75, 0.25)}
    assert [one.suffices for one in forecast(Loop(made.room)).budget] == [None]


def test_a_forecast_counts_what_verifiers_ask_and_what_is_there(tmp_path: Path) -> None:
    folder = scripted_room(
        tmp_path / "sums",
        endpoint=ENDPOINT,
        sample={"k": 3, "max_tokens": 100, "budget": {"attempts": 110, "tokens": 9999}},
        rationalize={"k": 1},
        verify=["answer", "equations", "hint_leak", "judge", "regenerate"],
        verifiers={"judge": {"votes": 3, "max_tokens": 10, "sample": 5}, "regenerate": {"k": 2, "max_tokens": 7}},
    )
    questions = len(SUMS)
    foreseen = forecast(Loop(open_room(folder)))
    steps = {step.step: (step.requests, step.tokens_out) for step in foreseen.steps}
    judged, again = 3 * 5, 2 * (3 * questions + questions)
    assert steps["1/sample"] == (12, 1200)
    assert steps["1/verify"] == (judged + again, 10 * judged + 7 * again)
    assert steps["1/verify_rationalized"] == (3 * 4 + 2 * (4 + 4), 10 * 12 + 7 * 16)
    assert not foreseen.measured
    assert [(one.needed, one.suffices) for one in foreseen.budget] == [(None, None), (12 + 47 + 4 + 28, True)]
    assert not (folder / "store.duckdb").exists()


def test_a_forecast_leaves_out_what_the_round_has(tmp_path: Path) -> None:
    budget = {"tokens": 120, "attempts": 9}
    made = Scripted(tmp_path / "sums", endpoint=ENDPOINT, sample={"k": 2, "budget": budget})
    for question, index in ((0, 0), (0, 1), (1, 0), (1, 7)):  # an eighth sample is no part of the stage
        made.attempt(question, sample_index=index)
    made.attempt(2, sample_index=0, error="server", error_text="", finish_reason="")
    made.verify()
    foreseen = forecast(Loop(made.room), until="sample")
    assert [(step.requests, step.tokens_in, step.tokens_out) for step in foreseen.steps] == [(5, 50, 25)]
    assert foreseen.steps[0].cost == pytest.approx((50 * 1 + 25 * 4) / 1e6)
    assert [(one.limit.left, one.needed, one.suffices) for one in foreseen.budget] == [(45, 75, False), (4, 5, False)]
    done = selftaught("run", made.room.folder, "--dry-run", "--until", "sample", env=environment(COLUMNS="80"))
    assert "the run: tokens 45 75 may not suffice" in [" ".join(line.split()) for line in done.stdout.splitlines()]
