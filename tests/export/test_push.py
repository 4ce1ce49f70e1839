"""`selftaught push`, by the real huggingface_hub, against a local server that takes a hub's part."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TOKEN = "hf_canary0123456789"
OLD = "data/validation-00000-of-00001.parquet"


@dataclass
class Hub:
    url: str = ""
    refuse: int = 0
    created: list[dict[str, Any]] = field(default_factory=list)
    commits: list[list[dict[str, Any]]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if state.refuse:
                return self.answer(state.refuse, {"error": "no"})
            if "/tree/" in self.path:
                return self.answer(200, [{"type": "file", "path": OLD, "size": 4, "oid": "b" * 40}])
            return self.answer(200, {"sha": "0" * 40, "siblings": [{"rfilename": OLD}], "id": "me/set"})

        def do_POST(self) -> None:
            state.tokens.add(self.headers.get("Authorization"))
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if state.refuse:
                return self.answer(state.refuse, {"error": "no"})
            if self.path.endswith("/repos/create"):
                state.created.append(json.loads(raw))
                return self.answer(200, {"url": f"{state.url}/datasets/me/set"})
            if self.path.endswith("/validate-yaml"):
                return self.answer(200, {"errors": [], "warnings": []})
            if "/preupload/" in self.path:
                files = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in json.loads(raw)["files"]
                ]
                return self.answer(200, {"files": files})
            if "/commit/" in self.path:
                state.commits.append([json.loads(line) for line in raw.splitlines()])
                return self.answer(
                    200, {"commitUrl": f"{state.url}/datasets/me/set/commit/{'a' * 40}", "commitOid": "a" * 40}
                )
            if "/tag/" in self.path:
                state.tags.append(json.loads(raw))
                return self.answer(200, {})
            return self.answer(404, {})

        def log_message(self, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "v1-0123abcd"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# card\n")
    (folder / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 rows PAR1")
    (folder / "notes.txt").write_text("not part of the version")
    return folder


def push(hub_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_ENDPOINT": hub_url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "selftaught_builder.cli", "push", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_push_is_one_commit_and_one_tag(hub: Hub, version: Path) -> None:
    done = push(hub.url, str(version), "me/set")
    assert done.returncode == 0, done.stderr
    assert len(hub.created) == len(hub.commits) == len(hub.tags) == 1
    header, *operations = hub.commits[0]
    assert header["value"]["summary"] == version.name
    files = {op["value"]["path"]: op["value"] for op in operations if op["key"] == "file"}
    assert set(files) == {"README.md", "data/train-00000-of-00001.parquet"}
    assert base64.b64decode(files["README.md"]["content"]) == (version / "README.md").read_bytes()
    assert [op["value"]["path"] for op in operations if op["key"] == "deletedFile"] == [OLD]
    assert hub.tags[0]["tag"] == version.name
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr


def test_a_dry_run_contacts_nobody(version: Path) -> None:
    done = push("http://127.0.0.1:9", str(version), "me/set", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "data/train-00000-of-00001.parquet" in done.stdout
    assert "notes.txt" not in done.stdout
    assert "nothing was sent" in done.stdout


def test_a_refused_token_is_an_input_error_without_the_token(hub: Hub, version: Path) -> None:
    hub.refuse = 401
    done = push(hub.url, str(version), "me/set")
    assert done.returncode == 2
    assert "HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_an_unreachable_hub_fails_and_says_so(version: Path) -> None:
    done = push("http://127.0.0.1:9", str(version), "me/set")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_version_is_refused(tmp_path: Path) -> None:
    done = push("http://127.0.0.1:9", str(tmp_path), "me/set")
    assert done.returncode == 2
    assert "not a dataset version" in done.stderr
