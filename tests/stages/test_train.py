"""A round's training as the store keeps it, whatever becomes of the trainer; a stand-in plays Axolotl's part."""

from __future__ import annotations

import json
import multiprocessing
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.common.errors import StoreBusyError, UnwritableError
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.stages import train as training
from selftaught_builder.stages.train import train_round
from selftaught_builder.training import Trainer, TrainingError, TrainingFailedError, trainer_files
from selftaught_builder.training.checkpoint import Checkpoint
from support import servers
from support.rooms import server_room
from support.sglang import gone, wait_until
from support.trainings import interpreter

STAND_IN = Path(servers.__file__).with_name("trainer_stand_in.py")


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("SELFTAUGHT_TRAINER", str(interpreter(tmp_path / "trainer", sys.executable, STAND_IN)))
    folder = server_room(tmp_path / "room", "http://127.0.0.1:9/v1", train={"device": "cpu"})
    (folder / "v1-0123abcd").mkdir()
    room = open_room(folder)
    room.store(create=True)
    return room


def train(room: Room) -> Checkpoint:
    return train_round(room, 1, "v1-0123abcd", "org/model", lambda progress: None)


def trainings(room: Room) -> list[dict[str, Any]]:
    return room.store().sql("SELECT weights, error, losses FROM trainings").to_dicts()


def times(room: Room) -> int:
    """How often the trainer trained."""
    return len((room.folder / "trainings" / "trained").read_text().splitlines())


def test_a_checkpoint_saved_by_half_is_trained_anew_and_a_whole_one_is_not(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_TRAINER", "half")
    with pytest.raises(TrainingFailedError, match="SIGKILL"):
        train(room)
    [row] = trainings(room)
    assert row["weights"] is None
    assert "SIGKILL" in row["error"]
    monkeypatch.delenv("STAND_IN_TRAINER")
    made = train(room)
    assert (made.folder / "model.safetensors").read_bytes() == b"half and half"
    assert [row["weights"] for row in trainings(room)] == [made.weights]
    assert (train(room).weights, times(room)) == (made.weights, 2)


def test_a_checkpoint_that_was_changed_since_is_no_longer_the_rounds(room: Room) -> None:
    made = train(room)
    (made.folder / "model.safetensors").write_bytes(b"something else")
    assert train(room).weights == made.weights
    (made.folder / "model.safetensors").unlink()
    assert train(room).weights == made.weights
    assert times(room) == 3


def train_slowly(folder: Path) -> None:
    """Train in a process that is killed as soon as its trainer saves something."""
    train(open_room(folder))


def test_a_trainer_that_outlives_its_killed_builder_is_waited_for(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_TRAINER", "slow")
    folder = room.folder / "trainings"
    life = multiprocessing.get_context("spawn").Process(target=train_slowly, args=(room.folder,))
    life.start()
    wait_until(lambda: list(folder.glob("*/model/model.safetensors")))
    life.kill()
    life.join()
    made = train(room)
    lines = (made.folder / "model.safetensors").read_text().splitlines()
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert times(room) == 2


def refused(*_: Any, **__: Any) -> None:
    raise StoreBusyError("kept open elsewhere")


def test_what_was_trained_and_could_not_be_recorded_is_taken_over(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "record_end", refused)
        with pytest.raises(StoreBusyError):
            train(room)
    made = train(room)
    assert times(room) == 1
    assert (made.seconds, made.steps, made.loss) == (0.0, 40, 0.5)
    assert [row["weights"] for row in trainings(room)] == [made.weights]


def test_what_was_trained_is_taken_over_in_a_copy_of_the_room(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "record_end", refused)
        with pytest.raises(StoreBusyError):
            train(room)
    copy = open_room(shutil.copytree(room.folder, room.folder.with_name("copy")))
    made = train(copy)
    assert (times(copy), made.folder.is_relative_to(copy.folder)) == (1, True)
    shutil.rmtree(made.folder.parent)
    assert (train(copy).weights, times(copy)) == (made.weights, 2)


def test_what_another_run_has_trained_meanwhile_is_not_trained_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = training.find_checkpoint

    def look_too_early(*at: Any) -> Checkpoint | None:
        found = look(*at)
        monkeypatch.setattr(training, "find_checkpoint", look)
        train(room)
        return found

    monkeypatch.setattr(training, "find_checkpoint", look_too_early)
    made = train(room)
    assert times(room) == 1
    assert [row["weights"] for row in trainings(room)] == [made.weights]


def test_a_terminal_that_went_away_is_no_unwritable_folder(room: Room) -> None:
    def gone_away(progress: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        train_round(room, 1, "v1-0123abcd", "org/model", gone_away)


def test_a_folder_that_takes_no_training_is_named(room: Room) -> None:
    (room.folder / "trainings").write_text("a file")
    with pytest.raises(UnwritableError, match=r"trainings/sums-r1-.*cannot be written.*\n.*run again"):
        train(room)


@pytest.mark.parametrize("fault", ["crash", "noise"])
def test_what_is_done_counts_however_the_interpreter_ends_and_whatever_else_it_says(
    room: Room, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("STAND_IN_TRAINER", fault)
    assert train(room).loss == 0.5


def test_the_recipe_says_what_trains(room: Room) -> None:
    assert Trainer.find(device="gpu").device == "gpu"
    train(room)
    [yaml] = (room.folder / "trainings").glob("*/axolotl.yaml")
    assert "bf16: false" in yaml.read_text()
    kept = Trainer.find(device="cpu")._environment(yaml)
    assert kept["CUDA_VISIBLE_DEVICES"] == ""


def test_an_axolotl_that_cannot_be_loaded_is_named_with_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "site" / "axolotl").mkdir(parents=True)
    (tmp_path / "site" / "axolotl" / "__init__.py").write_text("import no_such_package")
    python = interpreter(tmp_path, "env", f"PYTHONPATH={tmp_path / 'site'}", sys.executable)
    (tmp_path / "axolotl.yaml").write_text("base_model: org/model\n")
    with pytest.raises(
        TrainingError, match=r"Axolotl cannot be loaded: .*no_such_package[\s\S]*install it anew"
    ) as told:
        Trainer(python, "0.0", "cpu").check(tmp_path / "axolotl.yaml")
    assert told.value.place == sys.executable
    assert told.value.exit_code == 2


HOSTILE = r"""
import os, sys
write = lambda data: os.write(1, data)
write(b"\xff\xfe {'loss': ''} {'loss': '1.2.3'} {'loss': tensor(nan)} {'lossy': 'nan'} 'loss': 'nan'\n")
write(b"{" * 300_000 + b"x" * 300_000)
write(b"\n{'loss': '0.5', 'grad_norm': '1e-")
write(b"3', 'learning_rate': '1'}\r")
write("{'loss': 2} é".encode()[:-1])
"""


def test_only_log_lines_of_another_launchers_output_are_progress(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(trainer_files())!r}); import launch\n"
        "said = []\n"
        f"launch._run([sys.executable, '-c', {HOSTILE!r}], {{'max_steps': 9}}, lambda e, **m: said.append((e, m)))\n"
        "print([(m['step'], m['loss']) for e, m in said if e == 'step'], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.stderr.decode().strip() == "[(1, 0.5), (2, 2.0)]"


def test_nothing_is_left_of_a_group_when_the_trainer_goes(tmp_path: Path) -> None:
    """Whoever stays in the process group, as what prepares the data does, goes with it."""
    done = json.dumps({"event": "done", "model": "m", "adapter": None})
    script = f'sleep 60 > /dev/null & echo $! > "$(dirname "$3")/left"; echo {shlex.quote(done)}'
    python = interpreter(tmp_path, "sh", "-c", script, "sh")
    (tmp_path / "1").mkdir()
    Trainer(python, "0.0", "cpu").train(tmp_path / "1" / "axolotl.yaml", tmp_path / "1")
    pid = int((tmp_path / "1" / "left").read_text())
    wait_until(lambda: gone(pid))
