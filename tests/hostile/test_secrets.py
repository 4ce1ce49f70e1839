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

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.secrets import is_secret, keys_in, without_keys
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_of
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.serving.local.server import _environment as local_server_environment
from selftaught_builder.serving.serve import serve
from selftaught_builder.training import Trainer
from support import sglang
from support.command import COMMAND, environment
from support.inside import inside
from support.rooms import attempts, server_room
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
    room = server_room(tmp_path / "room", openai_server.url)
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
        mean = server_room(tmp_path / name, openai_server.url, endpoint={"retries": 0}, questions=2)
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


SECRETS = ("OPENAI_API_KEY", "CLUSTER_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD")


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment full of keys."""
    for name in SECRETS:
        monkeypatch.setenv(name, CANARY)


def brought_up(settings: dict[str, Any], room: Path) -> None:
    """Have a server started that ends at once."""
    with serve(EndpointSettings.model_validate(settings), room) as serving, pytest.raises(EndpointError, match="ended"):
        serving.load()


def secrets_in(file: Path) -> set[str]:
    """Return the names of the variables that hold a key, by what `env` has printed into a file."""
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    assert "PATH" in lines
    return {name for name, value in lines.items() if CANARY in value}


@pytest.mark.parametrize(
    ("names", "environment", "passed"),
    [
        ({}, [], set()),
        ({"api_key_env": "CLUSTER_KEY"}, [], {"CLUSTER_KEY"}),
        ({}, ["AWS_SECRET_ACCESS_KEY", "NOT_SET"], {"AWS_SECRET_ACCESS_KEY"}),
    ],
)
def test_a_users_own_command_gets_no_key_but_what_the_recipe_names(
    tmp_path: Path, secrets: None, names: dict[str, str], environment: list[str], passed: set[str]
) -> None:
    commands = {"start": ["sh", "-c", "env > start; exit 3"], "stop": ["sh", "-c", "env > stop"]}
    external = {**commands, "environment": environment}
    settings = {"kind": "external", "model": "m", "base_url": "http://127.0.0.1:9/v1", "external": external, **names}
    brought_up(settings, tmp_path)
    assert [secrets_in(tmp_path / command) for command in commands] == [passed, passed]


@pytest.mark.parametrize(
    ("model", "environment", "passed"),
    [("base", [], set()), ("org/gated", [], {"HF_TOKEN"}), ("base", ["CLUSTER_KEY"], {"CLUSTER_KEY"})],
)
def test_sglang_gets_no_key_but_the_hubs_for_a_model_of_the_hub(
    tmp_path: Path, secrets: None, monkeypatch: pytest.MonkeyPatch, model: str, environment: list[str], passed: set[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(sglang.STAND_IN))
    monkeypatch.setenv("STAND_IN", "die")
    sglang.write_model(tmp_path / "base", "base")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nenv > "{tmp_path}/seen$1"\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    brought_up(
        {"kind": "sglang", "model": model, "sglang": {"python": str(python), "environment": environment}}, tmp_path
    )
    assert (secrets_in(tmp_path / "seen-c"), secrets_in(tmp_path / "seen-m")) == (set(), passed)


# A key in a file.


def write_key(file: Path, text: str = f"{CANARY}\nnot the key\n", mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def settings_with(folder: Path, name: str) -> EndpointSettings:
    given = {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key_file": name}
    return EndpointSettings.model_validate(given, context={"folder": folder})


def test_a_key_is_the_first_line_of_the_file_that_the_recipe_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    file = write_key(tmp_path / "key", f"\ufeff  {CANARY}\r\nnot the key\n")
    (tmp_path / "room").mkdir()
    for name in ("../key", "~/key", str(file)):
        settings = settings_with(tmp_path / "room", name)
        assert key_of(settings) == CANARY
        assert settings.names_a_key


def test_a_replica_with_a_variable_of_its_own_is_not_sent_the_key_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICA_KEY", "sk-of-the-replica")
    write_key(tmp_path / "key")
    write_key(tmp_path / "other", "sk-in-a-file")
    replicas = [{"base_url": "http://127.0.0.1:7/v1", "api_key_env": "REPLICA_KEY"},
                {"base_url": "http://127.0.0.1:6/v1", "api_key_file": "other"}]  # fmt: skip
    given = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key_file": "key", "replicas": replicas}
    settings = EndpointSettings.model_validate(given, context={"folder": tmp_path})
    assert [key_of(door) for door in settings.doors] == [CANARY, "sk-of-the-replica", "sk-in-a-file"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file"),
        ("", "no key on its first line"),
        ("\n" + CANARY, "no key on its first line"),
        ("x" * 5000, "no key on its first line"),
        (CANARY + "é", "a character that no key has"),
        (CANARY + "\0", "a character that no key has"),
    ],
)
def test_a_file_without_a_key_is_named_and_not_shown(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        write_key(tmp_path / "key", text)
    with pytest.raises(EndpointError, match=told) as raised:
        OpenAIEndpoint(settings_with(tmp_path, "key"))
    assert str(raised.value.place) == str(tmp_path / "key")
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        {"api_key_env": CANARY},
        {"api_key_env": "MY_KEY", "api_key_file": "key"},
        {"api_key": CANARY},
        {"external": {"start": ["x"], "environment": [f"A_KEY={CANARY}"]}},
        {"extra_body": {"extra_headers": {"x-api-key": CANARY}}},
        {"extra_body": {"aws_secret_access_key": CANARY}},
        {"replicas": [{"base_url": "http://127.0.0.1:9/v1", "api_key_env": CANARY}]},
    ],
)
def test_a_key_in_the_place_of_its_name_is_wrong_and_not_shown(tmp_path: Path, endpoint: dict[str, Any]) -> None:
    room = server_room(tmp_path / "room", "http://127.0.0.1:9/v1", endpoint=endpoint)
    for command in ("sample", "doctor", "status"):
        done = inside(command, room)
        assert done.returncode in (1, 2)
        assert found_in((done.stdout + done.stderr).encode()) == []


def test_a_key_in_the_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", "http://127.0.0.1:9/v1", endpoint={"api_key_file": CANARY})
    for command in ("sample", "doctor"):
        done = inside(command, room)
        assert done.returncode in (1, 2)
        assert "no such file" in done.stdout + done.stderr
        assert found_in((done.stdout + done.stderr).encode()) == []


def test_a_key_out_of_a_file_is_nowhere_either(tmp_path: Path, openai_server: OpenAIServer) -> None:
    file = write_key(tmp_path / "key", mode=0o644)
    room = server_room(
        tmp_path / "room", openai_server.url, endpoint={"api_key_file": "../key", "retries": 0}, keep="answer-only"
    )
    told = [{"kind": "none", "every": 2, "payload": {"id": CANARY, "model": CANARY}},
            {"kind": "status", "status": 500, "text": f"Bearer {CANARY} failed", "every": 3}]  # fmt: skip
    extra = {"/model_info": {"model_path": CANARY, "weight_version": CANARY}}
    openai_server.configure(api_key=CANARY, faults=told, extra=extra)
    commands = ("doctor", "sample", "verify", "export", "status", "audit", "report")
    said = {command: call(command, room, *(["--json"] if command != "report" else [])) for command in commands}
    openai_server.configure(api_key="another")
    said["refused"] = call("sample", room)
    file.unlink()
    said["gone"] = call("sample", room)
    assert b"others than its owner may read it" in said["doctor"]
    assert str(file).encode() in said["refused"].replace(b"/room/..", b"")
    assert b"no such file" in said["gone"]
    assert len(attempts(room)) == 20
    assert {name: found_in(text) for name, text in said.items() if found_in(text)} == {}
    assert found_in(_all_text(room)) == []
    assert {path for path in room.rglob("*") if path.is_file() and found_in(path.read_bytes())} == set()


def test_the_model_served_here_is_sent_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    for kind in ("local", "sglang"):
        settings = EndpointSettings.model_validate({"kind": kind, "model": "m"})
        address = find_address(settings, "http://127.0.0.1:9/v1")
        assert (address.key, CANARY in str(address.headers)) == ("", False)


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "HF_TOKEN", "GITHUB_PAT", "MY_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "apikey",
     "PGPASSWORD", "HUGGING_FACE_HUB_TOKEN", "CLIENT_SECRET", "ANTHROPIC_APIKEY", "TOKEN",
     "GEMINI_API_KEY_2", "OPENAI_API_KEYS", "TOKEN2"],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)
    assert without_keys({name: "x", "PATH": "y"}) == {"PATH": "y"}
    assert without_keys({name: "x"}, keep={name}) == {name: "x"}


@pytest.mark.parametrize("key", ["sk-proj-0123456789ab", "hf_0123456789abcdef", " gsk_0123456789abcdef\n"])
def test_a_key_under_any_name_stays_with_us(key: str) -> None:
    held = {"OPENROUTER": key, "MODEL": "sk-8b", "PATH": "/opt/sk-0123456789abcdef"}
    assert without_keys(held) == {"MODEL": "sk-8b", "PATH": "/opt/sk-0123456789abcdef"}
    assert without_keys(held, keep={"OPENROUTER"}) == held
    assert keys_in(held) == (key.strip(),)


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "TOKENIZERS_PARALLELISM", "KEYBOARD", "HF_HOME", "MONKEY", "COMPAT", "MAX_TOKENS"]
)
def test_names_of_other_things_are_not_taken_for_secrets(name: str) -> None:
    assert not is_secret(name)
