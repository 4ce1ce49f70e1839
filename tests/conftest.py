"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import servers


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
