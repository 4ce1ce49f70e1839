"""Finding the trainer, and what is said of its failures; no trainer is needed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest

from selftaught_builder.training import Trainer, TrainingError, TrainingFailedError, find_python, trainer_files
from selftaught_builder.training import environment as environments
from selftaught_builder.training.errors import explain, explain_death

ROOT = Path(__file__).parents[2]


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The launcher as a module: what it needs of Axolotl it imports where it uses it."""
    monkeypatch.syspath_prepend(trainer_files())
    return importlib.import_module("launch")


def make_environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_the_variable_names_an_interpreter_or_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env")
    for given in (python, tmp_path / "env"):
        monkeypatch.setenv("SELFTAUGHT_TRAINER", str(given))
        assert find_python() == python
    monkeypatch.setenv("SELFTAUGHT_TRAINER", str(tmp_path / "gone"))
    with pytest.raises(TrainingError, match=r"SELFTAUGHT_TRAINER=.*gone"):
        find_python()


def test_it_is_looked_for_upwards_from_the_working_folder_and_the_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SELFTAUGHT_TRAINER", raising=False)
    room, work = tmp_path / "a" / "datasets" / "room", tmp_path / "b"
    room.mkdir(parents=True)
    work.mkdir()
    monkeypatch.chdir(work)
    beside = make_environment(tmp_path / "a" / ".venv-train")
    assert find_python(room) == beside
    nearer = make_environment(work / ".venv-train")
    assert find_python(room) == nearer


def test_without_one_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SELFTAUGHT_TRAINER", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environments, "FOLDER", ".venv-nowhere")
    with pytest.raises(TrainingError, match=r"not installed\n.*just setup-train") as caught:
        find_python(tmp_path)
    assert caught.value.exit_code == 2
    installed = tmp_path / "site" / "trainer"
    monkeypatch.setattr(environments, "trainer_files", lambda: installed)
    with pytest.raises(TrainingError, match=r"bash .*/site/trainer/setup.sh .venv-nowhere"):
        find_python(tmp_path)


def test_an_environment_without_axolotl_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFTAUGHT_TRAINER", sys.executable)  # the builder's own
    with pytest.raises(TrainingError, match="not installed in this environment"):
        Trainer.find()


def test_an_installed_package_brings_the_trainer_along(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from selftaught_builder.training import trainer_files\n"
        "print(*sorted(str(file.relative_to(trainer_files())) for file in trainer_files().rglob('*.*')))"
    )
    asked = [sys.executable, "-c", code, str(tmp_path / "site")]
    found = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.split()
    recipes = [f"recipes/{name}.yaml" for name in ("full", "lora", "preference", "qlora", "stepwise")]
    locks = ["requirements-cpu.txt", "requirements-gpu.txt", "requirements.in", "setup.sh"]
    assert found == ["check_yaml.py", "launch.py", *recipes, *locks]


def test_the_locks_hold_hashes_and_no_address_and_the_cpus_no_cuda() -> None:
    for name in ("cpu", "gpu"):
        text = (trainer_files() / f"requirements-{name}.txt").read_text()
        packages = re.findall(r"(?m)^[a-z0-9_.\[\]-]+==", text)
        assert len(packages) > 200
        assert text.count("--hash=sha256:") >= len(packages)
        assert "://" not in text
        assert ("torch==" in packages, "nvidia-cublas==" in packages) == ((name == "gpu"),) * 2


UV = """#!/bin/sh
echo "$UV_FIND_LINKS|$*" >> "$(dirname "$0")/calls"
case "$*" in *+cpu*) exit "$CPU_BUILD_IS_MISSING" ;; *torch-backend*) exit 1 ;; esac
"""


@pytest.mark.parametrize(
    ("installed", "gpu", "missing", "calls"),
    [
        ("", False, 0, ["a,b|*torch==X+cpu", "a,b|*requirements-cpu.txt"]),
        ("", False, 1, ["a,b|*torch==X+cpu", "a,b|*--torch-backend cpu torch==X", "|*requirements-gpu.txt"]),
        ("", True, 0, ["|*requirements-gpu.txt"]),
        ("X+cpu", False, 0, ["a,b|*requirements-cpu.txt"]),
        ("X", False, 0, ["|*requirements-gpu.txt"]),
        ("0.1+cpu", False, 0, ["a,b|*torch==X+cpu", "a,b|*requirements-cpu.txt"]),
    ],
)
def test_the_set_up_takes_the_torch_that_fits(
    installed: str, gpu: bool, missing: int, calls: list[str], tmp_path: Path
) -> None:
    """A stand-in writes down what uv would be told: the real thing installs gigabytes."""
    torch = re.findall(r"(?m)^torch==([\d.]+)", (trainer_files() / "requirements.in").read_text())[0]
    for name, script in (
        ("uv", UV),
        ("nvidia-smi", f"#!/bin/sh\nexit {0 if gpu else 9}\n"),
        ("env/bin/python", f"#!/bin/sh\n{f'echo {installed}'.replace('X', torch) if installed else 'exit 1'}\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PIP_FIND_LINKS": "a b", "CPU_BUILD_IS_MISSING": str(missing)}
    setup = ["bash", trainer_files() / "setup.sh", tmp_path / "env"]
    subprocess.run(setup, env=environment, check=True, capture_output=True)
    made = (tmp_path / "calls").read_text().splitlines()
    assert len(made) == len(calls)
    for call, expected in zip(made, calls, strict=True):
        assert fnmatch(call, expected.replace("X", torch))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB.", "memory"),
        ("MemoryError: ", "memory"),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes", "memory"),
        ("OSError: org/x is not a local folder and is not a valid model identifier", "base_model"),
        ("ValueError: The dataset has no samples left after dropping samples with no trainable tokens", "data"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)", "memory"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("safetensors_rust.SafetensorError: I/O error: No space left on device (os error 28)", "disk"),
        ("KeyError: 'x'", "other"),
    ],
)
def test_a_failure_is_told_by_its_text(launch: ModuleType, text: str, kind: str, tmp_path: Path) -> None:
    event = launch._classify(text)
    assert event["kind"] == kind
    assert event["text"] == text.strip()
    (tmp_path / "log.txt").write_text("first\nthe last line\n")
    error = explain(event, tmp_path / "axolotl.yaml", tmp_path / "log.txt")
    assert isinstance(error, TrainingFailedError) == (kind != "base_model")
    mends = {
        "disk": "Free space",
        "memory": "micro_batch_size",
        "base_model": "base_model",
        "data": "sequence_len",
        "other": "the last line",
    }
    assert mends[kind] in (error.mend or "")


def test_the_last_error_in_a_launchers_output_is_told(launch: ModuleType) -> None:
    output = "Traceback\n[rank0]: ValueError: first\nsomething\nsubprocess.CalledProcessError: last\r 3/4 [bar\n"
    assert launch._classify(output, 1) == {"kind": "other", "text": "subprocess.CalledProcessError: last"}


def test_log_lines_of_torchruns_workers_are_read(launch: ModuleType) -> None:
    line = (
        "\r 50%|█| 1/2 [00:02<00:10]{'loss': '5.5', 'grad_norm': '2.9', 'learning_rate': '1e-05', "
        "'tokens/train_per_sec_per_gpu': '546', 'epoch': '0.5'}\n"
    )
    said = []
    logs = dict(launch._VALUE.findall(launch._LOGGED.search(line)[0]))
    launch._report(lambda event, **more: said.append((event, more)), 1, 2, logs)
    [(event, more)] = said
    assert event == "step"
    assert (more["loss"], more["grad_norm"], more["learning_rate"]) == (5.5, 2.9, 1e-05)
    assert more["tokens_per_second"] == 546
    for bad in ("{'loss': 'nan', 'grad_norm': '1.0'}", "{'loss': '0', 'grad_norm': 'nan'}", "{'loss': 'inf'}"):
        logs = dict(launch._VALUE.findall(launch._LOGGED.search(bad)[0]))
        with pytest.raises(launch.LaunchError, match="diverged at step 7"):
            launch._report(said.append, 7, 9, logs)


def test_a_silent_death_shows_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("\n".join(f"line {n}" for n in range(99)))
    error = explain_death(3, tmp_path / "axolotl.yaml", tmp_path / "log.txt")
    assert "status 3" in error.message
    assert "line 98" in (error.mend or "")
    assert "line 9\n" not in (error.mend or "")
    assert "signal 15" in explain_death(-15, tmp_path / "a.yaml", tmp_path / "log.txt").message
