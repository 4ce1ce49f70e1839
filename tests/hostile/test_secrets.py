"""A key is used and nowhere to be found afterwards: in no file, no output, and no process that could do without it."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psutil
import pytest
import yaml

from selftaught_builder.endpoints.local.server import _environment as local_server_environment
from selftaught_builder.secrecy import is_secret, without_keys
from selftaught_builder.training import Trainer
from support.command import COMMAND, environment
from support.inside import inside
from support.rooms import write_room
from support.servers import OpenAIServer

CANARY = "sk-Canary+7/f?=&Zx0123456789"  # has characters that an encoding would change
PLAIN = CANARY.encode()


def forms(secret: bytes) -> Iterator[bytes]:
    """Yield a secret as it may stand in a file: plain, in a URL, in JSON, in hex, and in base64 at any offset."""
    yield secret
    yield quote(secret).encode()
    yield quote_plus(secret).encode()
    yield quote(secret, safe="").encode()
    yield json.dumps(secret.decode())[1:-1].encode()
    yield secret.decode().replace("/", "\\/").encode()
    yield secret.hex().encode()
    yield secret[::-1]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):  # what stands before it shifts it; the ends are of its neighbours, too
            yield encode(b"." * offset + secret)[4:-4]


FORMS = tuple(dict.fromkeys(forms(PLAIN)))


def found_in(data: bytes) -> list[bytes]:
    return [form for form in FORMS if form in data]


def test_the_search_would_find_it() -> None:
    hidden = [
        b"key: " + PLAIN,
        base64.b64encode(b"Bearer " + PLAIN),
        base64.urlsafe_b64encode(b'{"k": "' + PLAIN + b'"}'),
        quote(f"https://x/?k={CANARY}", safe="").encode(),
        json.dumps({"key": CANARY}).encode(),
        PLAIN.hex().encode(),
    ]
    assert all(found_in(data) for data in hidden)
    assert not found_in(b"sk-Canary")


class Watch(threading.Thread):
    """Reads the command line of every process below this one, over and over."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.over = threading.Event()

    def run(self) -> None:
        mine = psutil.Process()
        while not self.over.wait(0.02):
            for process in mine.children(recursive=True):
                try:
                    self.seen.add(Path(f"/proc/{process.pid}/cmdline").read_bytes())
                except OSError:
                    continue

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


def script(room: Path) -> list[list[str]]:
    """Return all that is done with the key in the environment, after a first run."""
    return [
        ["doctor", str(room)],
        ["doctor", str(room), "--json"],
        ["sample", str(room), "--run", "again"],
        ["verify", str(room), "--json"],
        ["rationalize", str(room), "--run", "again", "--json"],
        ["export", str(room)],
        ["status", str(room)],
        ["status", str(room), "--json"],
        ["audit", str(room), "--json"],
        ["report", str(room), "--json", "--html", str(room / "report.html")],
        ["sql", str(room), "SELECT * FROM attempts", "--json"],
        ["sql", str(room), "SELECT getenv('OPENAI_API_KEY') AS key", "--json"],
        ["recipe", "show", str(room)],
    ]


def call(*arguments: str | Path) -> bytes:
    """Run a command here; return all that it printed."""
    done = inside(*arguments)
    return (done.stdout + done.stderr).encode()


def call_process(*arguments: str | Path) -> bytes:
    """Run a command as a process, which others can look at; return all that it printed."""
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def test_the_key_is_nowhere_after_everything_was_done_with_it(
    tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    openai_server.configure(api_key=CANARY, models=["stand-in"])
    room = write_room(tmp_path / "room", openai_server.url)
    with Watch() as watch:
        said = {"run": call_process("run", room)}
    said |= {" ".join(arguments): call(*arguments) for arguments in script(room)}
    # A server that shows the key in its errors and its replies; and one that refuses it.
    told: dict[str, list[dict[str, Any]]] = {
        "error": [{"kind": "status", "status": 500, "text": f"Bearer {CANARY} failed"}],
        "reply": [{"kind": "none", "payload": {"id": CANARY, "model": CANARY, "system_fingerprint": CANARY}}],
        "page": [{"kind": "raw", "body": f"<html>{CANARY}", "type": "text/html"}],
    }
    for name, faults in told.items():
        openai_server.configure(api_key=CANARY, models=["stand-in"], faults=faults)
        mean = write_room(tmp_path / name, openai_server.url, endpoint={"retries": 0}, questions=2)
        for command in ("sample", "status", "doctor"):
            said[f"{name} {command}"] = call(command, mean)
    openai_server.configure(api_key="another")
    said["refused"] = call_process("sample", room)
    assert b"funnel" in said[f"status {room} --json"]
    assert b"refuses the API key" in said["refused"]
    assert {name: found_in(text) for name, text in said.items() if found_in(text)} == {}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"store.duckdb", "report.html", "README.md"} <= {path.name for path in files}
    assert {path: found for path in files if (found := found_in(path.read_bytes()))} == {}
    assert found_in(_all_text(tmp_path)) == []  # what the files hold compressed
    assert any(b"selftaught_builder" in line for line in watch.seen)
    assert [line for line in watch.seen if found_in(line)] == []


def _all_text(folder: Path) -> bytes:
    """Return every cell of every store and exported file."""
    import duckdb
    import polars as pl

    cells: list[Any] = []
    for store in folder.rglob("*.duckdb"):
        with duckdb.connect(str(store), read_only=True) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                cells += connection.execute(f"SELECT * FROM {table}").fetchall()
    for file in folder.rglob("*.parquet"):
        cells += pl.read_parquet(file).rows()
    assert len(cells) > 100
    return repr(cells).encode()


def test_the_trainer_gets_no_key_but_what_its_yaml_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD"):
        monkeypatch.setenv(name, CANARY)
    dump = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w')); print('{}')"
    python = tmp_path / "python"
    command = shlex.join([sys.executable, "-c", dump, str(tmp_path / "seen.json")])
    python.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "base").mkdir()

    def given(**keys: Any) -> set[str]:
        """Return the names of the variables that hold a key in the trainer's process."""
        said = tmp_path / "axolotl.yaml"
        said.write_text(yaml.safe_dump({"base_model": str(tmp_path / "base"), **keys}))
        Trainer(python, "0", "cpu").check(said)
        seen = json.loads((tmp_path / "seen.json").read_text())
        assert "PATH" in seen
        return {name for name, value in seen.items() if CANARY in value}

    assert given() == set()
    assert given(wandb_project="mine") == {"WANDB_API_KEY"}
    assert given(hub_model_id="me/mine") == {"HF_TOKEN"}
    assert given(base_model="org/gated") == {"HF_TOKEN"}


def test_the_model_served_here_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert CANARY not in local_server_environment().values()


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "HF_TOKEN", "GITHUB_PAT", "MY_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "apikey",
     "PGPASSWORD", "HUGGING_FACE_HUB_TOKEN", "CLIENT_SECRET", "ANTHROPIC_APIKEY", "TOKEN"],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)
    assert without_keys({name: "x", "PATH": "y"}) == {"PATH": "y"}
    assert without_keys({name: "x"}, keep={name}) == {name: "x"}


@pytest.mark.parametrize("name", ["PATH", "HOME", "TOKENIZERS_PARALLELISM", "KEYBOARD", "HF_HOME", "MONKEY", "COMPAT"])
def test_names_of_other_things_are_not_taken_for_secrets(name: str) -> None:
    assert not is_secret(name)
