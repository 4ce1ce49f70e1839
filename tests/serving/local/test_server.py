"""The server process, with real processes, a real model file and real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.serving.local import LlamaServer, LocalModel, resolve_model

pytest.importorskip("gguf", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")

BODY = {"model": "tiny", "messages": [{"role": "user", "content": "the thing"}], "max_tokens": 6, "temperature": 1.0}


@pytest.fixture
def tiny_model(checkpoint: Path, tmp_path: Path) -> LocalModel:
    return resolve_model(str(checkpoint), tmp_path / "cache")


def gone(pid: int, within: float = 20.0) -> bool:
    """Whether the process ends; generous, as only that it ends is asserted."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read().decode()


def test_serves_chat_with_seeds_on_loopback_only(tiny_model: LocalModel, post: Callable) -> None:
    with LlamaServer(tiny_model, slots=2, context=256) as server:
        chat = f"{server.base_url}/chat/completions"
        first, again, other = (post(chat, {**BODY, "seed": seed}) for seed in (7, 7, 8))
        texts = [reply["choices"][0]["message"]["content"] for reply in (first, again, other)]
        assert texts[0] == texts[1] != texts[2]
        assert first["usage"]["completion_tokens"] == 6
        assert first["choices"][0]["finish_reason"] == "length"
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
        root = server.base_url.removesuffix("/v1")
        [model] = json.loads(get(f"{server.base_url}/models"))["data"]
        assert (model["id"], model["meta"]["n_ctx"]) == ("tiny", 256)
        assert "llamacpp:" in get(f"{root}/metrics")
        props = json.loads(get(f"{root}/props"))
        assert props["total_slots"] == 2
        settings = props["default_generation_settings"]["params"]
        assert [settings[name] for name in ("temperature", "top_p", "top_k", "min_p")] == [1.0, 1.0, 0, 0.0]
        assert server.process is not None
        listening = psutil.Process(server.process.pid).net_connections("tcp")
        assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
        with pytest.raises(urllib.error.HTTPError):
            get(f"{root}/index.html")


def test_stop_ends_the_process_even_amid_requests(tiny_model: LocalModel, post: Callable) -> None:
    server = LlamaServer(tiny_model, slots=1, context=512).start()
    assert server.process is not None
    pid, url = server.process.pid, f"{server.base_url}/chat/completions"
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(post(url, {**BODY, "max_tokens": 100_000, "ignore_eos": True}))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    server.stop()
    thread.join(60)
    assert gone(pid)
    assert outcome
    assert server.base_url == ""
    server.stop()


def test_starts_again_and_leaves_no_files(tiny_model: LocalModel, tmp_path: Path, monkeypatch: Any) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    server = LlamaServer(tiny_model, slots=1, context=64)
    for _ in range(2):
        with server:
            assert get(f"{server.base_url}/models")
    assert list(folder.iterdir()) == []


def test_started_in_a_thread_that_ends_it_lives_on(tiny_model: LocalModel) -> None:
    server = LlamaServer(tiny_model, slots=1, context=64)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        time.sleep(1.2)
        assert get(f"{server.base_url}/models")
    finally:
        server.stop()


PARENT = """
import os, sys, time
from selftaught_builder.serving.local import LlamaServer, resolve_model
server = LlamaServer(resolve_model(sys.argv[1]), slots=1, context=64).start()
holder = os.fork() if sys.argv[2] == "sibling" else 1
if holder == 0:  # a sibling that inherited the pipe's other end and outlives the parent
    time.sleep(60)
    os._exit(0)
print(server.process.pid, holder, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["alone", "sibling"])
def test_dies_when_its_parent_is_killed(tiny_model: LocalModel, how: str) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", PARENT, str(tiny_model.gguf), how]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}, text=True)
    assert parent.stdout is not None
    server, holder = map(int, parent.stdout.readline().split())
    assert psutil.pid_exists(server)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        assert gone(server)
    finally:
        if holder != 1:
            os.kill(holder, signal.SIGKILL)


@pytest.mark.parametrize("content", [b"", b"GGUF" + b"\xff" * 100, b"no model at all"])
def test_a_corrupt_file_is_a_clean_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(EndpointError, match="cannot serve this file") as caught:
        LlamaServer(resolve_model(str(path))).start()
    assert str(path) in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_model_cut_short_is_a_clean_error(tiny_model: LocalModel) -> None:
    file = tiny_model.gguf
    file.write_bytes(file.read_bytes()[:-50_000])
    with pytest.raises(EndpointError, match=r"cannot serve this file[\s\S]*The server said"):
        LlamaServer(tiny_model, slots=1, context=64).start()


def test_a_model_that_does_not_come_up_in_time_is_stopped(tiny_model: LocalModel) -> None:
    server = LlamaServer(tiny_model, slots=1, context=64, startup=0.0)
    with pytest.raises(EndpointError, match="did not load within 0 s"):
        server.start()
    assert server.process is None


def test_a_taken_port_is_named(tiny_model: LocalModel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EndpointError, match=str(port)):
            LlamaServer(tiny_model, port=port).start()


def test_a_given_port_and_log_are_used(tiny_model: LocalModel, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with LlamaServer(tiny_model, port=port, slots=1, context=64, log=tmp_path / "llama.log") as server:
        assert server.base_url == f"http://127.0.0.1:{port}/v1"
    assert (tmp_path / "llama.log").exists()


def test_an_unwritable_log_is_named(tiny_model: LocalModel, tmp_path: Path) -> None:
    server = LlamaServer(tiny_model, log=tmp_path / "none" / "llama.log")
    with pytest.raises(EndpointError, match="cannot write"):
        server.start()


def test_a_missing_file_or_engine_is_named(tiny_model: LocalModel, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(EndpointError, match="no such file"):
        LlamaServer(LocalModel(tmp_path / "none.gguf", "none", "")).start()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EndpointError, match=r"selftaught\[local\]"):
        LlamaServer(tiny_model).start()
