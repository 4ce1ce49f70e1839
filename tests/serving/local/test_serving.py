"""Serving one checkpoint after the other with llama.cpp's real server, ours and a user's own."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.common.errors import EndpointError, InputError
from selftaught_builder.endpoints import Identity, Request
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.serving.ports import free_port
from selftaught_builder.serving.serve import serve
from support import servings
from support.sglang import gone, wait_until, write_model

pytest.importorskip("gguf", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")

ASKED = Request(({"role": "user", "content": "the thing"},), "chat", {"temperature": 0, "max_tokens": 6}, 5)
ask = partial(servings.ask, ASKED)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> Path:
    """A room with a base model and the first round's."""
    monkeypatch.setenv("SELFTAUGHT_CACHE", str(tmp_path / "cache"))
    tiny.write(tmp_path / "room" / "base")
    tiny.write(tmp_path / "room" / "round-1", tensors=tiny.weights(tiny.config(), seed=1))
    return tmp_path / "room"


def settings(**changes: Any) -> EndpointSettings:
    return EndpointSettings.model_validate({"kind": "local", "model": "base", "slots": 1, "context": 128, **changes})


def pid_of(serving: Any) -> int:
    return serving._server.process.pid


def test_one_server_for_many_stages_and_another_for_other_weights(room: Path) -> None:
    with serve(settings(), room) as serving:
        serving.load()
        identity, said = ask(serving)
        assert identity == Identity("local", "base", fingerprint_weights(room / "base"))
        first, spent = pid_of(serving), serving.seconds
        serving.load(room / "base")
        assert ask(serving)[1].completion == said.completion
        assert (pid_of(serving), serving.seconds) == (first, spent)
        serving.load(room / "round-1")
        assert gone(first)
        assert serving.seconds > spent > 0
        identity, other = ask(serving)
        assert identity == Identity("local", "round-1", fingerprint_weights(room / "round-1"))
        assert other.completion != said.completion
        second = pid_of(serving)
        serving.release()
        assert gone(second)
        serving.load("round-1")
        last = pid_of(serving)
        assert ask(serving)[1].completion == other.completion
    assert gone(last)


def test_a_dead_server_is_named_with_its_log_and_started_again(room: Path) -> None:
    with serve(settings(), room) as serving:
        serving.load()
        pid = pid_of(serving)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gone(pid))
        _, reply = ask(serving, identify=False)
        log = room / ".selftaught" / "local.log"
        assert reply.error in ("unreachable", "connection")
        assert reply.error_text is not None
        assert reply.error_text.startswith(f"the model's server was ended by SIGKILL, its log is {log}: ")
        assert log.is_file()
        serving.load()
        assert ask(serving)[1].error is None


def test_what_local_cannot_serve(room: Path, tiny: Any) -> None:
    tiny.write(room / "bert", config=tiny.config(architectures=["BertModel"], model_type="bert"))
    write_model(room / "lora", "lora", adapter_of=room / "base")
    with serve(settings(), room) as serving:
        for name, told in (
            ("bert", "not of the Llama family"),
            ("lora", r"merge-lora"),
            ("none", "no model by this name"),
        ):
            with pytest.raises(InputError, match=told):
                serving.load(room / name)
        assert serving.seconds == 0


HOOK = """#!/bin/sh
gguf=$({python} -c "
import os
from selftaught_builder.serving.local import resolve_model
print(resolve_model(os.environ['SELFTAUGHT_MODEL']).gguf)")
exec {python} -m selftaught_builder.serving.local.process --gguf "$gguf" --alias "$SELFTAUGHT_SERVED_NAME" \\
    --port {port} --slots 1 --context 128
"""


def test_a_users_own_command_with_a_real_server(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    port = free_port("127.0.0.1")
    (room / "serve.sh").write_text(HOOK.format(python=sys.executable, port=port))
    given = settings(
        kind="external",
        base_url=f"http://127.0.0.1:{port}/v1",
        external={"start": ["sh", "serve.sh"], "startup": 120},
    )
    said = []
    with serve(given, room) as serving:
        for name in ("base", "round-1"):
            serving.load(room / name)
            identity, reply = ask(serving)
            assert identity is not None
            assert identity.weights == fingerprint_weights(room / name)
            said.append(reply.completion)
    assert said[0] != said[1]
    with pytest.raises(EndpointError, match="cannot be reached"):
        serve(settings(kind="sglang", base_url=given.base_url), room).load()
