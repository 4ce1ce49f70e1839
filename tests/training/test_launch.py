"""Real Axolotl on a real tiny Llama: what is trained, what is masked, and every way it can end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from datasets import load_from_disk
from safetensors.numpy import load_file

from selftaught_builder.serving.local import LlamaServer, resolve_model
from selftaught_builder.training import Trained, Trainer, TrainingError, TrainingFailedError
from support.trainings import row_of, write_version, write_yaml


@pytest.fixture(scope="module")
def full(trainer: Trainer, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """A full training of a few steps: its folder, and what came of it."""
    room = tmp_path_factory.mktemp("full")
    file = write_yaml(room / "1", write_version(room / "v1"), tiny)
    seen = []
    trained = trainer.train(file, room / "1", seen.append)
    assert [(progress.step, progress.loss) for progress in seen] == list(trained.losses)
    return room, trained


def weights(model: Path) -> dict[str, np.ndarray]:
    return load_file(model / "model.safetensors")


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return set(one) == set(other) and all(one[name].tobytes() == other[name].tobytes() for name in one)


def answers(model: Path, cache: Path) -> str:
    """Serve a checkpoint and return what it says."""
    body = {"model": "x", "messages": row_of(3)["messages"][:1], "max_tokens": 4, "temperature": 0}
    with LlamaServer(resolve_model(str(model), cache), slots=1, context=128) as server:
        url = f"{server.base_url}/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["choices"][0]["finish_reason"]


def test_a_full_training_learns_and_its_model_can_be_served(
    full: tuple[Path, Trained], tiny: Path, tmp_path: Path
) -> None:
    room, trained = full
    assert [step for step, _ in trained.losses] == [1, 2, 3]
    assert trained.losses[-1][1] < trained.losses[0][1]
    assert (trained.model, trained.adapter, trained.rows) == (room / "1" / "model", None, 32)
    assert not equal(weights(trained.model), weights(tiny))
    assert answers(trained.model, tmp_path) in ("stop", "length")
    events = [json.loads(line)["event"] for line in (room / "1" / "progress.jsonl").read_text().splitlines()]
    assert events == ["start", "step", "step", "step", "done"]
    assert "Training completed" in (room / "1" / "log.txt").read_text()


def test_the_loss_covers_the_assistants_turn_and_its_end_alone(full: tuple[Path, Trained], tiny: Path) -> None:
    [prepared] = (state.parent for state in (full[0] / "1" / "prepared").glob("*/state.json"))
    vocabulary = json.loads((tiny / "tokenizer.json").read_text())["model"]["vocab"]
    texts = {index: text.replace("Ġ", " ").replace("Ċ", "\n") for text, index in vocabulary.items()}
    expected = {row_of(n)["rationale"] + "<|im_end|>" for n in range(1, 33)}
    rows = load_from_disk(str(prepared))
    assert len(rows) == 32
    for row in rows:
        trained = [token for token in row["labels"] if token != -100]
        text = "".join(texts[token] for token in trained)
        assert text in expected
        assert row["input_ids"][row["labels"].index(trained[0]) :][: len(trained)] == trained


def test_by_hand_the_same_yaml_gives_the_same_weights(
    full: tuple[Path, Trained], trainer: Trainer, tmp_path: Path
) -> None:
    room, trained = full
    file = tmp_path / "axolotl.yaml"
    file.write_text((room / "1" / "axolotl.yaml").read_text().replace(str(room / "1"), str(tmp_path)))
    environment = {**os.environ, "AXOLOTL_DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    environment["PATH"] = f"{trainer.python.parent}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = ["axolotl", "train", str(file), "--launcher", "python"]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert equal(weights(tmp_path / "model"), weights(trained.model))


def test_new_data_under_old_names_trains_anew_by_an_own_yaml(
    full: tuple[Path, Trained], trainer: Trainer, tiny: Path
) -> None:
    """The same file names, form and base model as the first training; only the rows differ."""
    room, first = full
    own = {"learning_rate": 0.01, "warmup_steps": 0, "sequence_len": 128, "micro_batch_size": 8}
    fixed = {"bf16": False, "fp16": False, "tf32": False, "attn_implementation": "sdpa", "optimizer": "adamw_torch"}
    more = {"lr_scheduler": "constant_with_warmup", "logging_steps": 1, "save_strategy": "no"}
    (room / "own.yaml").write_text(json.dumps({**own, **fixed, **more}))  # JSON is YAML
    file = write_yaml(room / "2", write_version(room / "v2", first=50), tiny, recipe="./own.yaml")
    second = trainer.train(file, room / "2")
    assert len(second.losses) == 3
    assert not equal(weights(second.model), weights(first.model))
    [prepared] = (state.parent for state in (room / "2" / "prepared").glob("*/state.json"))
    assert len(load_from_disk(str(prepared))) == 32


def test_lora_is_merged_and_can_be_served(trainer: Trainer, tiny: Path, version: Path, tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "1", version, tiny, recipe="lora", axolotl={"lora_r": 4, "lora_alpha": 8})
    trained = trainer.train(file, tmp_path / "1")
    assert trained.adapter == tmp_path / "1" / "model"
    assert trained.model == trained.adapter / "merged"
    base, merged = weights(tiny), weights(trained.model)
    adapter = load_file(trained.adapter / "adapter_model.safetensors")
    name = "model.layers.0.mlp.up_proj"
    down, up = (adapter[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
    np.testing.assert_allclose(merged[f"{name}.weight"], base[f"{name}.weight"] + 2.0 * (up @ down), atol=1e-6)
    assert np.abs(up @ down).max() > 0
    assert answers(trained.model, tmp_path / "cache") in ("stop", "length")


def test_a_training_that_diverges_stops_at_once(trainer: Trainer, tiny: Path, version: Path, tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "1", version, tiny, steps=50, learning_rate=1e30)
    with pytest.raises(TrainingFailedError, match=r"diverged at step [123] (.|\n)*Lower train.learning_rate"):
        trainer.train(file, tmp_path / "1")
    assert not list((tmp_path / "1" / "model").glob("*.safetensors"))


@pytest.mark.parametrize(("name", "said"), [("./gone", "no folder .*gone"), ("v1", "lacks config.json, .*safetensors")])
def test_a_missing_base_model_is_said(trainer: Trainer, version: Path, tmp_path: Path, name: str, said: str) -> None:
    file = write_yaml(tmp_path / "1", version, name)
    with pytest.raises(TrainingError, match=rf"base model cannot be loaded: .*{said}(.|\n)*train.base_model"):
        trainer.train(file, tmp_path / "1")


def when_it_runs(log: Path, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the trainer's process has opened its log."""

    def wait() -> None:
        while not log.exists():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def launchers(folder: Path) -> list[psutil.Process]:
    """The processes that train in `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = process.info["cmdline"] or []
        if str(folder / "axolotl.yaml") in arguments and "launch.py" in " ".join(arguments):
            found.append(process)
    return [process for process in found if process.info["status"] != psutil.STATUS_ZOMBIE]


def test_a_killed_trainer_is_said_and_nothing_is_left(
    trainer: Trainer, tiny: Path, version: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "1"
    file = write_yaml(folder, version, tiny)
    when_it_runs(folder / "log.txt", lambda: launchers(folder)[0].kill())
    with pytest.raises(TrainingFailedError, match=r"SIGKILL.*out of memory(.|\n)*train.micro_batch_size"):
        trainer.train(file, folder)
    assert not launchers(folder)


def test_ctrl_c_leaves_no_process(trainer: Trainer, tiny: Path, version: Path, tmp_path: Path) -> None:
    folder = tmp_path / "1"
    file = write_yaml(folder, version, tiny)
    when_it_runs(folder / "log.txt", lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        trainer.train(file, folder)
    assert not launchers(folder)


def test_the_trainer_ends_with_a_killed_parent(trainer: Trainer, tiny: Path, version: Path, tmp_path: Path) -> None:
    folder = tmp_path / "1"
    file = write_yaml(folder, version, tiny)
    code = (
        "import sys; from pathlib import Path; from selftaught_builder.training import Trainer\n"
        "Trainer(Path(sys.argv[1]), 'any', 'cpu').train(Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(trainer.python), str(file), str(folder)])
    when_it_runs(folder / "log.txt", parent.kill).join()
    assert parent.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 60  # generous: only that it ends is asserted
    while launchers(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not launchers(folder)
