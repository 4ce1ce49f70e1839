"""A changed recipe says what it costs, and `report` forgets no sitting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.stages.changes import changed_recipe
from support.inside import inside
from support.rooms import server_room
from support.servers import OpenAIServer
from support.stores import Scripted

PRICES = {"prices": {"input": 1, "output": 2}}


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    made = Scripted(tmp_path / "sums", keep="answer = 'pass'", sample={"k": 2})
    made.attempt(0, cost=0.25, sample_index=0)
    made.attempt(0, cost=0.5, sample_index=1)
    made.attempt(1, "The answer is 1.", cost=0.25, sample_index=0)
    made.attempt(1, kind="rationalized", cost=0.125, sample_index=0)
    made.verify()
    with made.store.write() as connection:
        connection.execute("UPDATE rounds SET prompt_form = (SELECT hash FROM prompt_forms)")
    return made


@pytest.mark.parametrize(
    ("recipe", "what", "attempts", "cost"),
    [
        ({"prompt": {"system": "Be brief."}}, ["prompt"], 4, 1.125),
        ({"sample": {"k": 2, "temperature": 0.2}}, ["temperature 0.7 → 0.2"], 4, 1.125),
        ({"sample": {"k": 1}}, ["sample.k 2 → 1"], 1, 0.5),
        ({"rationalize": {"k": 0}}, ["rationalize.k 100 → 0"], 1, 0.125),
        ({"rationalize": {"k": 100, "temperature": 0.1}}, ["rationalize: temperature 0.7 → 0.1"], 1, 0.125),
        ({"endpoint": {"model": "another"}}, ["model smollm2-135m-instruct → another"], 4, 1.125),
        ({"endpoint": {"extra_body": {"top_k": 5}}}, ["top_k none → 5"], 4, 1.125),
        ({"sample": {"k": 9}}, ["sample.k 2 → 9"], 0, None),
        ({"verify": ["answer", "hint_leak", "equations", "degenerate"]}, ["verifiers (+degenerate)"], 0, None),
        ({"export": {"draw_on": "store"}}, ["draw_on recipe → store"], 0, None),
    ],
)
def test_what_no_longer_counts_is_counted(
    scripted: Scripted, recipe: dict[str, Any], what: list[str], attempts: int, cost: float | None
) -> None:
    changed = changed_recipe(Workspace(scripted.amended(**recipe)))
    assert changed is not None
    assert (list(changed.what), changed.attempts, changed.cost) == (what, attempts, cost)
    if attempts:
        assert f"{attempts} attempts no longer count (they had cost ${cost:.4f})" in changed.line
    else:
        assert "all attempts still count" in changed.line


def test_what_changes_no_attempt_is_not_mentioned(scripted: Scripted) -> None:
    assert changed_recipe(Workspace(scripted.room)) is None
    for recipe in (
        {"keep": "true"},
        {"description": "words"},
        {"sample": {"k": 2, "concurrency": 3, "budget": {"attempts": 9}}},
    ):
        assert changed_recipe(Workspace(scripted.amended(**recipe))) is None


def test_an_edited_example_is_another_prompt(scripted: Scripted) -> None:
    file = scripted.room.folder / "examples.yaml"
    file.write_text(file.read_text().replace("3 + 4 = 7.", "Both together are 3 + 4 = 7."))
    changed = changed_recipe(Workspace(scripted.amended()))
    assert changed is not None
    assert (changed.what, changed.attempts) == (("prompt",), 4)


def test_run_and_sample_say_it_before_they_ask(openai_server: OpenAIServer, tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", openai_server.url, questions=3, endpoint=PRICES)
    assert inside("run", room).returncode == 0
    recipe = yaml.safe_load((room / "recipe.yaml").read_text())
    recipe["sample"]["temperature"] = 0.2
    (room / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    before = openai_server.stats()["requests"]
    for command in ("run", "sample"):
        done = inside(command, room, "--dry-run")
        assert "the recipe has changed since the last run: temperature 0.7 → 0.2; " in done.stdout
        assert "attempts no longer count (they had cost $0.000" in done.stdout
        told = json.loads(inside(command, room, "--dry-run", "--json").stdout)
        assert told["changed"]["what"] == ["temperature 0.7 → 0.2"]
        assert next(step["requests"] for step in told["steps"] if step["step"] == "1/sample") == 6
    assert openai_server.stats()["requests"] == before
    asked = inside("sample", room)
    assert "the recipe has changed since the last run" in asked.stdout + asked.stderr
    again = inside("run", room)
    assert "the recipe has changed" not in again.stdout + again.stderr


def test_status_says_would_export_until_there_is_a_version(openai_server: OpenAIServer, tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", openai_server.url, questions=4, endpoint=PRICES)
    for command in ("sample", "verify"):
        assert inside(command, room).returncode == 0
    before = inside("status", room).stdout
    assert "would export" in before
    assert "exported rows" not in before
    assert json.loads(inside("status", room, "--json").stdout)["funnel"]["would_export"] is True
    assert inside("export", room).returncode == 0
    after = inside("status", room).stdout
    assert "exported rows" in after
    assert "would export" not in after


def test_report_counts_what_earlier_sittings_paid_for(openai_server: OpenAIServer, tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", openai_server.url, questions=4, endpoint=PRICES, rationalize={"k": 0})
    assert inside("sample", room).returncode == 0
    assert inside("run", room).returncode == 0
    told = json.loads(inside("report", room, "--json").stdout)
    status = json.loads(inside("status", room, "--json").stdout)
    (sample,) = (stage for stage in told["stages"] if stage["stage"] == "sample")
    (spending,) = status["spending"]
    assert (sample["planned"], sample["completions"], sample["reused"]) == (8, 8, 0)
    for name in ("tokens_in", "tokens_out", "cost", "completions", "truncated"):
        assert sample[name] == spending[name]
    assert told["cost"]["usd"] == status["cost"]["usd"] == spending["cost"] > 0
    assert told["cost_per_row"] == status["cost"]["per_kept_row"] == spending["cost"] / status["funnel"]["exported"]
    card = next(room.glob("v1-*/README.md")).read_text(encoding="utf-8")
    assert f"Cost of the run so far: ${spending['cost']:.4f}" in card.replace("$0.0001", f"${spending['cost']:.4f}")
    assert "per row" in card
    shown = inside("report", room).stdout
    assert "Cost in all: $" in shown
    assert "per kept row: $" in shown
