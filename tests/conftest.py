"""Fixtures that all tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selftaught_builder.training import Trainer, TrainingError
from support import servers
from support.trainings import write_version


@pytest.fixture(scope="session", autouse=True)
def _compiled_children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes that tests start share compiled bytecode, as an installed program would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


@pytest.fixture(scope="session")
def _stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.OpenAIServer]:
    with servers.openai_server(tmp_path_factory.mktemp("stand-in")) as server:
        yield server


@pytest.fixture
def openai_server(_stand_in: servers.OpenAIServer) -> servers.OpenAIServer:
    """A local OpenAI-compatible server (`support/openai_server.py`), as configured by default."""
    _stand_in.configure()
    _stand_in.log.write_bytes(b"")
    return _stand_in


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[servers.OpenAIServer]:
    """A second such server."""
    with servers.openai_server(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def trainer() -> Trainer:
    """Axolotl in its own environment, or a skip."""
    try:
        return Trainer.find()
    except TrainingError as error:
        pytest.skip(f"needs the trainer's environment: {error}")


@pytest.fixture(scope="session")
def tiny(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of 90,000 parameters with a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    command = [trainer.python, Path(servers.__file__).with_name("make_tiny.py"), folder]
    subprocess.run(command, check=True, capture_output=True, timeout=250)
    return folder


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A dataset version of sums to train on."""
    return write_version(tmp_path / "v1")
