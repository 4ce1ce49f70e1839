"""The trainer's environment, and what the tests train with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selftaught_builder.training import Trainer, TrainingError
from support.trainings import write_version

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    """Axolotl, or a skip; its bytecode stays with it, because compiling it anew takes most of a test's time."""
    try:
        found = Trainer.find()
    except TrainingError as error:
        pytest.skip(f"needs the trainer's environment: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPYCACHEPREFIX", raising=False)
        yield found


@pytest.fixture(scope="module")
def tiny(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of 90,000 parameters with a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    command = [trainer.python, HERE / "make_tiny.py", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=250)
    return folder


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return write_version(tmp_path / "v1")
