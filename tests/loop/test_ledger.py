"""What a loop would still do, by what its ledger says; nothing is asked and nothing is trained."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError, StoreBusyError
from selftaught_builder.common.names import file_name
from selftaught_builder.evaluation.summary import best, recorded
from selftaught_builder.loop.forecast import forecast
from selftaught_builder.loop.ledger import Ledger
from selftaught_builder.loop.loop import Loop
from selftaught_builder.loop.steps import Step, steps_of
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.sampling.provenance import record_questions, record_round
from selftaught_builder.stages import train as training
from selftaught_builder.stages.evaluate import conditions
from selftaught_builder.stages.table import STAGES
from selftaught_builder.training import Trained, Trainer
from support.command import selftaught
from support.rooms import start_cli
from support.sglang import wait_until
from support.stores import EXAMPLES, WHO, Scripted, scripted_room

ROWS = [{"question": f"How much is {n} + {n}?", "answer": str(2 * n)} for n in range(1, 25)]
BASE = Path(__file__).parents[2] / "datasets" / "sums" / "base"


def looping(**keys: Any) -> dict[str, Any]:
    """Return the recipe of a loop of two rounds."""
    return {
        "questions": {"source": "questions.jsonl", "validate": {"share": 0.3}},
        "endpoint": {"kind": "external", "base_url": "http://127.0.0.1:1/v1", "external": {"start": ["false"]}},
        "train": {"base_model": str(BASE)},
        "rounds": {"count": 2},
        **keys,
    }


@pytest.fixture
def room(trainer: Trainer, tmp_path: Path) -> Room:
    return open_room(scripted_room(tmp_path / "room", ROWS, **looping()))


def finish(room: Room, *steps: str, version: str = "v1-00000000") -> None:
    """Write into the ledger that these steps are done; all of the recipe's rounds where none is named."""
    ledger = Ledger(room.store(create=True), room.run)
    for step in steps_of(room.recipe, room.recipe.rounds.count):
        if not steps or str(step) in steps:
            ledger.begin(step, room.recipe)
            ledger.finish(step, {"asked": conditions(room)} if step.stage == "evaluate" else {"version": version})


def todo(room: Room, *options: Any, **more: Any) -> list[str]:
    return [str(step) for step in Loop(open_room(room.folder), **more).todo(*options)]


def evaluate(room: Room, *accuracies: float) -> None:
    """Record evaluations of the rounds from 0 on."""
    store = room.store()
    with store.write() as connection:
        for number, accuracy in enumerate(accuracies):
            row = [room.run, number, "validate", "m", f"w{number}", 10, round(10 * accuracy), 10, 0, 0, accuracy, 0, 1]
            connection.execute(
                f"INSERT INTO evaluations VALUES ({', '.join('?' * 13)}, 0, 0, 1, 9, 0, '{{}}', NULL, now())", row
            )


def test_a_finished_run_has_nothing_to_do(room: Room) -> None:
    finish(room)
    assert todo(room) == []


def test_other_few_shot_examples_evaluate_all_rounds_anew_and_train_nothing(room: Room) -> None:
    """Compared are models under one prompt; the base under the old one would be a base that knows nothing."""
    finish(room)
    (room.folder / "examples.yaml").write_text(yaml.safe_dump(EXAMPLES[:1]))
    assert todo(room) == ["0/evaluate", "1/evaluate", "2/evaluate"]
    assert todo(room, None, "export", rounds=3)[-1] == "3/export"  # a re-evaluation is not the round under way


def test_beginning_a_round_anew_forgets_all_later_ones_also_beyond_the_rounds_asked_for(room: Room) -> None:
    finish(room)
    evaluate(room, 0.1, 0.2, 0.9)
    Loop(room, rounds=1).ledger.forget(Step(1, "train"))
    assert todo(room)[:3] == ["1/train", "1/evaluate", "2/sample"]
    kept = recorded(room.store(), room.run)
    assert [one.round for one in kept] == [0]
    assert best(kept) == kept[0]


def test_steps_without_a_round_mean_the_round_under_way(room: Room) -> None:
    assert todo(room, None, "evaluate")[-1] == "1/evaluate"
    with pytest.raises(InputError, match="1/train needs 0/evaluate first"):
        todo(room, "train")
    finish(room, "0/evaluate", *(f"1/{stage.name}" for stage in STAGES))
    assert todo(room, None, "sample") == ["2/sample"]
    assert todo(room, "1/evaluate", "evaluate") == ["1/evaluate"]


def test_train_trains_the_newest_round_that_has_a_version(room: Room) -> None:
    with pytest.raises(InputError, match="no dataset version to train on yet"):
        Loop(room).train()
    finish(room, "0/evaluate", *(f"1/{stage.name}" for stage in STAGES), "2/sample")
    with pytest.raises(InputError, match=r"v1-00000000: this dataset version is gone\n.*--from 1/export"):
        Loop(room).train()


def test_a_forecast_counts_what_is_done_and_makes_no_file(room: Room) -> None:
    before = sorted(room.folder.rglob("*"))
    assert forecast(Loop(room), None, "1/sample").passed_over == 0
    assert sorted(room.folder.rglob("*")) == before
    finish(room, "0/evaluate", "1/sample")
    foreseen = forecast(Loop(room), None, "1/export")
    assert foreseen.passed_over == 2
    assert [one.step for one in foreseen.steps] == [f"1/{stage.name}" for stage in STAGES[1:5]]


def test_a_forecast_knows_that_the_loop_has_stopped(room: Room) -> None:
    finish(room)
    evaluate(room, 0.9, 0.8, 0.8)
    foreseen = forecast(Loop(room, rounds=3))
    assert foreseen.steps == []
    assert "fell from 90.0%" in (foreseen.stopped or "")


def test_what_was_trained_on_is_not_evaluated(trainer: Trainer, tmp_path: Path) -> None:
    """A set held out later may hold what an earlier round has learnt."""
    scripted = Scripted(tmp_path / "sums", ROWS, keep="answer = 'pass'")
    for place in range(len(ROWS)):
        scripted.attempt(place)
    version = scripted.export()
    room = scripted.amended(**looping())
    finish(room, "0/evaluate", *(f"1/{stage.name}" for stage in STAGES[:-1]), version=version.name)
    with pytest.raises(InputError, match=r"\d questions that are held out by now were trained on.*\n.*--run"):
        Loop(room).run("1/evaluate", "1/evaluate")


def test_a_training_keeps_others_from_writing_until_it_is_recorded(
    trainer: Trainer, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = room.store(create=True)
    (room.folder / "v1-00000000").mkdir()

    def train(*_: Any, **__: Any) -> Trained:
        with pytest.raises(StoreBusyError), store.writer():
            pass
        return Trained(BASE, None, 1, [(1, 0.5)], 1.0, "0")

    monkeypatch.setattr(Trainer, "train", train)
    monkeypatch.setattr(training, "folder_to_serve", lambda room, trained: room.folder / "v1-00000000")
    monkeypatch.setattr(training, "fingerprint_weights", lambda path: "sha256:1")
    training.train_round(room, 1, "v1-00000000", str(BASE), lambda progress: None)
    assert store.sql("SELECT weights, seconds IS NOT NULL FROM trainings").rows() == [("sha256:1", True)]


def test_ctrl_c_while_a_server_starts_ends_the_run_at_once(room: Room) -> None:
    """In an event loop the first Ctrl-C would wait for the start, which may take half an hour."""
    hook = {"start": ["sh", "-c", "touch started; exec sleep 600"], "startup": 600}
    scripted_room(room.folder, ROWS, **looping(endpoint={**room.recipe.endpoint.model_dump(), "external": hook}))
    with start_cli("run", room.folder, stdout=DEVNULL, stderr=PIPE) as run:
        try:
            wait_until((room.folder / "started").exists)
            run.send_signal(signal.SIGINT)
            _, told = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 130
    assert b"Run the same command again to go on" in told
    assert b"Traceback" not in told


@given(st.text(max_size=200))
def test_a_name_becomes_a_file_s_name_and_different_ones_stay_different(name: str) -> None:
    made = file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}", made)
    assert made == name or made != file_name(name + "x")


@pytest.mark.parametrize("run", ["../../out", "a'b", "/", "x" * 300, "\x1b[31m"])
def test_a_run_s_name_leads_no_file_out_of_the_room(tmp_path: Path, run: str) -> None:
    scripted = Scripted(tmp_path / "deep" / "sums")
    scripted.attempt(0)
    scripted.verify()
    room = open_room(scripted.room.folder, run=run)
    with scripted.store.writer():
        record_questions(scripted.store, run, room.recipe.name, room.divided)
        record_round(scripted.store, run, 1, room.recipe, [WHO])
    finish(room, *(f"1/{stage.name}" for stage in STAGES[:4]))
    Loop(room).run("1/export", "1/export")
    assert [path.name for path in tmp_path.rglob("v1-*")]
    assert not [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "deep")]
    assert list((tmp_path / "deep").iterdir()) == [room.folder]


def test_a_part_of_a_run_is_json_too(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums")
    scripted.attempt(0)
    finish(scripted.room, "1/sample")
    done = selftaught("run", scripted.room.folder, "--from", "1/verify", "--until", "1/verify", "--json")
    assert json.loads(done.stdout) == {"done": ["1/verify"], "stopped": None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], ["train: the recipe does not train", "Add a `train` section"]),
        (["evaluate"], ["questions: no question is held out", "validate: {share"]),
        (["run", "--rounds", "2"], ["2 rounds, and no training between them"]),
        (["run", "--rounds", "0"], ["--rounds"]),
        (["run", "--run", "\udcff"], ["--run: not UTF-8"]),
        (["run", "--from", "nonsense"], ["--from: no step `nonsense`"]),
        (["run", "--until", "\x1b[31m"], ["--until: no step `\\x1b[31m`"]),
        (["report"], ["has no rounds to report"]),
        (["status", "--lineage", "nonsense"], ["no attempt or dataset version `nonsense`"]),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], said: list[str]) -> None:
    folder = Scripted(tmp_path / "sums").room.folder
    done = selftaught(arguments[0], folder, *arguments[1:])
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not [part for part in said if part not in done.stderr], done.stderr
