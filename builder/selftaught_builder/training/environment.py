"""Where the trainer is: its environment's interpreter, and the files that come with this package for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from selftaught_builder.common.paths import expand
from selftaught_builder.common.secrets import without_keys
from selftaught_builder.training.errors import TrainingError

VARIABLE = "SELFTAUGHT_TRAINER"
FOLDER = ".venv-train"
_ASK = (
    "import importlib.metadata as m, json; names = ('axolotl', 'torch');"
    "print(json.dumps({n: m.version(n) for n in names if list(m.distributions(name=n))}))"
)


@dataclass(frozen=True)
class Environment:
    """A Python environment with Axolotl in it.

    Attributes:
        python: its interpreter.
        version: Axolotl's version.
        device: `gpu` where an NVIDIA GPU and a build of torch for it are there, else `cpu`.
    """

    python: Path
    version: str
    device: str


def trainer_files() -> Path:
    """Return the folder with the launcher, recipes and requirements: in an installed package, or the checkout's `train/`."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "trainer"
    return installed if installed.is_dir() else package.parents[1] / "train"


def find_python(room: Path | None = None) -> Path:
    """Return the trainer's interpreter.

    $SELFTAUGHT_TRAINER names it, or its environment's folder; else it is the first `.venv-train` upwards from the working
    folder, the room, or the checkout.

    Raises:
        TrainingError: there is none.
    """
    given = os.environ.get(VARIABLE)
    if given:
        path = expand(given).absolute()
        python = path / "bin" / "python" if path.is_dir() else path
        if not os.access(python, os.X_OK):
            mend = (
                "It names the trainer's interpreter, or its environment's folder; unset it to look for `.venv-train`."
            )
            raise TrainingError("no interpreter here", place=f"${VARIABLE}={given}", mend=mend)
        return python
    for start in (Path.cwd(), (room or Path.cwd()).resolve(), trainer_files()):
        for folder in (start, *start.parents):
            python = folder / FOLDER / "bin" / "python"
            if os.access(python, os.X_OK):
                return python
    raise TrainingError("Axolotl is not installed", mend=_how_to_install())


def find_environment(room: Path | None = None) -> Environment:
    """Return the trainer's environment; finding it imports neither Axolotl nor torch.

    Raises:
        TrainingError: there is none, or Axolotl is not in it.
    """
    python = find_python(room)
    try:
        command, environment = [python, "-I", "-c", _ASK], without_keys(os.environ)
        asked = subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment)
        found = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        status = getattr(error, "returncode", None)
        problem = f"this interpreter does not run: {error if status is None else f'it ended with status {status}'}"
        raise TrainingError(problem, place=python, mend=_how_to_install()) from None
    if not {"axolotl", "torch"} <= set(found):
        raise TrainingError("Axolotl is not installed in this environment", place=python, mend=_how_to_install())
    gpu = not found["torch"].endswith("+cpu") and _has_gpu()
    return Environment(python, found["axolotl"], "gpu" if gpu else "cpu")


def _has_gpu() -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") or not shutil.which("nvidia-smi"):
        return False
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return listed.returncode == 0 and b"GPU" in listed.stdout


def _how_to_install() -> str:
    files = trainer_files()
    if files.name == "train":
        return "`just setup-train` installs it."
    return f"`bash {files / 'setup.sh'} {FOLDER}` installs it (it needs uv)."
