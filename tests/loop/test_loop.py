"""The loop with every part real but the model's answers: Axolotl trains, and a scripted server stands in for the checkpoint."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import psutil
import pytest
import yaml

from selftaught_builder.common.keys import seed_of
from selftaught_builder.room.room import open_room
from selftaught_builder.stages.table import STAGES
from selftaught_builder.training import Trainer
from support import servers
from support.rooms import cli, server_room, start_cli

HOOK = Path(servers.__file__).with_name("serve_hook.py")
CONCURRENCY = 4
STEPS = ["0/evaluate", *(f"{number}/{stage.name}" for number in (1, 2) for stage in STAGES)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.OpenAIServer]:
    with servers.openai_server(tmp_path_factory.mktemp("loop-server")) as running:
        yield running


def loop_room(folder: Path, server: servers.OpenAIServer, base: Path, *, latency: float = 0.0) -> Path:
    hook = [sys.executable, str(HOOK), server.root, str(latency)]
    return server_room(
        folder,
        server.url,
        questions=40,
        endpoint={"kind": "external", "external": {"start": hook, "startup": 30}},
        sample={"k": 2, "concurrency": CONCURRENCY},
        evaluate={"k": 2},
        train={
            "base_model": str(base),
            "steps": {"start": 2, "growth": 1},
            "batch_size": 4,
            "learning_rate": 1e-3,
            "warmup_steps": 0,
            "sequence_len": 256,
        },
        rounds={"count": 2, "patience": None, "fall": None},
    )


def with_held_out(folder: Path) -> Path:
    return change(folder, questions={"validate": {"share": 0.2}, "evaluate": {"share": 0.2}})


def change(folder: Path, **sections: dict[str, Any]) -> Path:
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    for name, keys in sections.items():
        recipe[name] = {**recipe.get(name, {}), **keys}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, trainer: Trainer, tiny: Path, server: servers.OpenAIServer
) -> Path:
    """A room after an unbroken run of two rounds."""
    folder = with_held_out(loop_room(tmp_path_factory.mktemp("loop") / "room", server, tiny))
    done = cli("run", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def rows(folder: Path, query: str) -> list[tuple]:
    return open_room(folder).store().sql(query).rows()


def test_every_step_is_recorded_with_what_took_its_time(finished: Path):
    stages = rows(finished, "SELECT round, stage, detail FROM stages WHERE finished_at IS NOT NULL ORDER BY started_at")
    assert [f"{number}/{stage}" for number, stage, _ in stages] == STEPS
    for _, _, detail in stages:
        seconds = json.loads(detail)["seconds"]
        assert seconds["total"] >= sum(seconds.get(part, 0) for part in ("generation", "trainer", "server"))


def test_each_round_trains_from_the_base_model_on_its_own_version(finished: Path, tiny: Path):
    made = rows(
        finished,
        "SELECT round, version, base_model, steps, yaml, yaml_hash, folder, weights FROM trainings ORDER BY round",
    )
    versions = [name for (name,) in rows(finished, "SELECT version FROM dataset_versions ORDER BY number")]
    assert [row[:4] for row in made] == [(1, versions[0], str(tiny), 2), (2, versions[1], str(tiny), 2)]
    for *_, text, digest, folder, _ in made:
        assert (finished / folder / "axolotl.yaml").read_text() == text
        assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert made[0][-1] != made[1][-1]


def test_a_round_is_sampled_from_the_model_that_the_round_before_trained(finished: Path):
    trained = dict(rows(finished, "SELECT round, weights FROM trainings"))
    asked = set(rows(finished, "SELECT round, weights FROM attempts WHERE kind IN ('sampled', 'rationalized')"))
    assert asked == {(1, "unknown"), (2, trained[1])}
    evaluated = set(rows(finished, "SELECT round, weights FROM attempts WHERE kind = 'evaluated'"))
    assert evaluated == {(0, "unknown"), (1, trained[1]), (2, trained[2])}


def test_a_version_holds_its_own_round_and_nothing_evaluated_or_held_out(finished: Path):
    query = """SELECT r.version, a.round, a.kind, a.question IN (SELECT question FROM held_out_questions)
        FROM dataset_rows r JOIN attempts a ON a.id = r.attempt"""
    found = set(rows(finished, query))
    assert {(int(version[1]), number) for version, number, *_ in found} == {(1, 1), (2, 2)}
    assert {kind for _, _, kind, _ in found} <= {"sampled", "rationalized"}
    assert not any(held_out for *_, held_out in found)


def test_evaluations_stand_beside_the_base(finished: Path):
    found = rows(finished, "SELECT round, held_out, questions, correct, low, accuracy, high, p_value FROM evaluations")
    assert sorted(row[:2] for row in found) == [(n, held) for n in range(3) for held in ("evaluate", "validate")]
    for number, _, questions, correct, low, accuracy, high, p_value in found:
        assert accuracy == correct / questions
        assert low <= accuracy <= high
        assert (p_value is None) == (number == 0)


def test_running_again_asks_nothing_and_trains_nothing(finished: Path, server: servers.OpenAIServer):
    before = len(server.seeds()), rows(finished, "SELECT id, finished_at FROM trainings ORDER BY id")
    done = cli("run", finished)
    assert done.returncode == 0
    assert (len(server.seeds()), rows(finished, "SELECT id, finished_at FROM trainings ORDER BY id")) == before


def test_a_changed_recipe_leaves_finished_rounds_alone(finished: Path):
    recipe = finished / "recipe.yaml"
    text = recipe.read_text()
    try:
        recipe.write_text(text.replace("k: 2", "k: 3"))
        todo = json.loads(cli("run", finished, "--rounds", "3", "--dry-run", "--json").stdout)
    finally:
        recipe.write_text(text)
    assert [step["step"] for step in todo["steps"]] == [f"3/{stage.name}" for stage in STAGES]


def test_lineage_walks_from_a_row_to_the_base(finished: Path):
    (version,) = rows(finished, "SELECT version FROM dataset_versions ORDER BY number DESC LIMIT 1")[0]
    shown = cli("status", finished, "--lineage", f"{version}:0").stdout
    for word in ("prompt", "training", "axolotl.yaml", "base model, not trained by us", "version v1-"):
        assert word in shown


def test_the_yaml_of_the_next_training_can_be_seen_before(finished: Path):
    done = cli("train", finished, "--dry-run")
    assert done.returncode == 0, done.stderr
    (version,) = rows(finished, "SELECT version FROM dataset_versions ORDER BY number DESC LIMIT 1")[0]
    said = yaml.safe_load(done.stdout)
    assert said["datasets"][0]["path"] == str(finished / version)
    assert (said["max_steps"], said["seed"]) == (2, 1)


def test_a_models_evaluation_by_hand_agrees_with_the_loops(finished: Path):
    ((model, weights),) = rows(finished, "SELECT model, weights FROM trainings WHERE round = 2")
    before = rows(finished, "SELECT count(*) FROM attempts")
    done = cli("evaluate", finished, "--model", finished / model, "--json")
    assert done.returncode == 0, done.stderr
    found = {(one["held_out"], one["correct"], one["weights"]) for one in json.loads(done.stdout)}
    query = "SELECT held_out, correct, weights FROM evaluations WHERE round = 2 AND run = 'sums'"
    assert found == set(rows(finished, query))
    assert {one[2] for one in found} == {weights}
    # The same weights under the same prompt were asked already.
    assert rows(finished, "SELECT count(*) FROM attempts") == before


def test_lora_goes_on_from_the_last_checkpoint_with_all_rounds_so_far(
    tmp_path: Path, tiny: Path, server: servers.OpenAIServer
):
    folder = with_held_out(loop_room(tmp_path / "room", server, tiny))
    change(folder, train={"recipe": "lora", "init": "last"}, rounds={"data": "accumulate"})
    done = cli("run", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = rows(folder, "SELECT base_model, model, weights, base_weights FROM trainings ORDER BY round")
    assert first[0] == str(tiny)
    assert second[0] == first[1]
    assert second[3] == first[2]
    assert (folder / second[1] / "model.safetensors").is_file()
    rounds = set(rows(folder, "SELECT r.version[:2], a.round FROM dataset_rows r JOIN attempts a ON a.id = r.attempt"))
    assert rounds == {("v1", 1), ("v2", 1), ("v2", 2)}


def test_a_loop_that_gets_no_better_stops_and_stays_stopped(finished: Path, server: servers.OpenAIServer):
    text = (finished / "recipe.yaml").read_text()
    with open_room(finished).store().write() as connection:
        kept = connection.execute("SELECT round, accuracy FROM evaluations WHERE held_out = 'validate'").fetchall()
        connection.execute("UPDATE evaluations SET accuracy = 0.9 - 0.01 * round WHERE held_out = 'validate'")
    try:
        change(finished, rounds={"count": 3, "patience": 2})
        before = len(server.seeds())
        for _ in range(2):
            done = cli("run", finished)
            assert done.returncode == 0
            assert "no better accuracy on the validate set for 2 rounds" in " ".join(done.stdout.split())
        assert len(server.seeds()) == before
    finally:
        (finished / "recipe.yaml").write_text(text)
        with open_room(finished).store().write() as connection:
            for number, accuracy in kept:
                connection.execute(
                    "UPDATE evaluations SET accuracy = ? WHERE held_out = 'validate' AND round = ?", [accuracy, number]
                )


@pytest.mark.timeout(900)
def test_killed_in_each_stage_and_run_again_it_ends_with_the_same_versions(
    tmp_path: Path, finished: Path, tiny: Path, server: servers.OpenAIServer
):
    folder = with_held_out(loop_room(tmp_path / "room", server, tiny, latency=0.05))
    dice, kills, logged = random.Random(2203), 0, server.log.stat().st_size
    for step in STEPS:
        kills += _killed_in(folder, step, dice)
    assert kills >= len(STEPS) - 4  # a stage of milliseconds may be over before the signal arrives
    done = cli("run", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("dataset_versions", "dataset_rows"):
        columns = "* EXCLUDE (created_at, recipe_hash)" if name == "dataset_versions" else "*"
        query = f"SELECT {columns} FROM {name} ORDER BY ALL"
        assert rows(folder, query) == rows(finished, query)
    assert _bytes_of(folder) == _bytes_of(finished)
    assert [row for (row,) in rows(folder, "SELECT count(*) FROM trainings")] == [2]
    keys = {seed_of(key) for (key,) in rows(folder, "SELECT DISTINCT key FROM attempts")}
    asked = Counter(seed for seed in server.seeds(logged) if seed in keys)
    assert asked.total() <= len(keys) + kills * CONCURRENCY
    _assert_no_trainer_left(folder)


def _killed_in(folder: Path, step: str, dice: random.Random) -> bool:
    number, stage = step.split("/")
    said = "evaluate the base model" if number == "0" else f"round {number}: {stage}"
    with start_cli("run", folder, stdout=DEVNULL, stderr=PIPE) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if line.decode().strip() == said:
                time.sleep(dice.uniform(2, 9) if stage == "train" else dice.uniform(0, 0.3))
                break
        alive = run.poll() is None
        run.kill()
    return alive


def _bytes_of(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.glob("v*-*/**/*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _assert_no_trainer_left(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while left := [
        p.pid
        for p in psutil.process_iter(["cmdline"])
        if str(folder / "trainings") in " ".join(p.info["cmdline"] or [])
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
