"""The hub, played by a local server: real `datasets` and `huggingface_hub` in a process of their own speak to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SHA = "a" * 40
FILES = {
    "README.md": b"",
    "train.jsonl": b"".join(
        json.dumps({"question": f"question {n}", "answer": f"so #### {n}"}).encode() + b"\n" for n in range(50)
    ),
}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as reading one public data set takes."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/datasets/o/n/tree/"):
            files = [{"type": "file", "path": name, "size": len(FILES[name]), "oid": "b" * 40} for name in FILES]
            self.reply(200, json.dumps(files if path.endswith(SHA) else []).encode())
        elif path == "/api/datasets/o/n" or path.startswith("/api/datasets/o/n/revision/"):
            siblings = [{"rfilename": name} for name in FILES]
            self.reply(200, json.dumps({"id": "o/n", "sha": SHA, "siblings": siblings, "private": False}).encode())
        elif "/resolve/" in path and path.rpartition("/")[2] in FILES:
            self.send_file(path.rpartition("/")[2])
        else:
            known = path.startswith("/datasets/o/n/")
            self.reply(404, b"{}", {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

    def send_file(self, name: str) -> None:
        body, asked = FILES[name], self.headers.get("Range")
        headers = {"ETag": f'"{name}"', "Accept-Ranges": "bytes"}
        if not asked or self.command == "HEAD":
            return self.reply(200, body, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last or len(body)) + 1]
        end = int(first) + len(part) - 1
        return self.reply(206, part, headers | {"Content-Range": f"bytes {first}-{end}/{len(body)}"})

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "X-Repo-Commit": SHA} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


SCRIPT = """
import json, pathlib, sys
from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions import load_questions
from selftaught_builder.recipe import Questions
for settings in json.loads(sys.argv[1]):
    try:
        found = load_questions(Questions(answer="answer|after:####", **settings), pathlib.Path())
        print(json.dumps([found.rows, len(found.questions), found.questions[0].gold, found.questions[0].split]))
    except QuestionError as error:
        print(json.dumps(str(error)))
"""


def ask(endpoint: str, home: Path, *settings: dict[str, Any]) -> list[Any]:
    path = os.pathsep.join(part for part in sys.path if part)
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": path,
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(settings)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=200)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_data_set_of_the_hub_is_streamed_no_further_than_the_limit(hub: str, tmp_path: Path) -> None:
    source = {"source": "hf://o/n"}
    whole, limited, shuffled, pinned = ask(
        hub,
        tmp_path,
        source,
        source | {"split": "train", "limit": 3},
        source | {"split": "train", "limit": 3, "shuffle": 1},
        {"source": f"hf://o/n@{SHA}", "split": "train"},
    )
    assert whole == [50, 50, "0", ""]
    assert limited == [3, 3, "0", "train"]
    assert shuffled[:2] == [50, 3]
    assert pinned == [50, 50, "0", "train"]


def test_what_can_be_wrong_with_a_hub_source_is_an_input_error(hub: str, tmp_path: Path) -> None:
    split, config, name = ask(
        hub,
        tmp_path,
        {"source": "hf://o/n", "split": "test"},
        {"source": "hf://o/n/other", "split": "train"},
        {"source": "hf://o/none"},
    )
    assert "Available splits: ['train']" in split
    assert "questions.split" in split
    assert "hf://OWNER/NAME/CONFIG" in config
    assert "404" in name
    assert "--questions FILE" in name


def test_a_hub_out_of_reach_names_the_local_copy(tmp_path: Path) -> None:
    (said,) = ask("http://127.0.0.1:9", tmp_path, {"source": "hf://o/n"})
    assert "the hub is out of reach" in said
    assert "--questions FILE" in said
