"""The examination: what it finds wrong, that it says the mend, and that it changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from selftaught_builder.doctor import examine
from selftaught_builder.doctor.disk import needed
from selftaught_builder.doctor.endpoint import context_length
from selftaught_builder.doctor.finding import size
from selftaught_builder.recipe import Recipe
from selftaught_builder.store import open_store
from selftaught_builder.store.lock import WriterLock, holder
from support.command import environment, selftaught
from support.inside import inside
from support.rooms import server_room
from support.servers import OpenAIServer

KEY = "sk-doctor-canary"


def told(room: Path, *options: str) -> tuple[int, list[dict[str, str]]]:
    """Return the exit code and the findings."""
    done = inside("doctor", room, "--json", *options)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["findings"]


def tree(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return what a folder holds, and when it was written."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_a_room_in_order_passes_and_nothing_is_written(
    tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai_server.configure(models=["stand-in"], api_key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    room = server_room(tmp_path / "room", openai_server.url)
    assert inside("sample", room, "--json").returncode == 0
    openai_server.configure(api_key=KEY)
    before = tree(tmp_path)
    code, findings = told(room)
    assert code == 0, findings
    assert tree(tmp_path) == before
    assert {one["level"] for one in findings} == {"ok"}
    texts = {part: "\n".join(one["text"] for one in findings if one["part"] == part) for part in _parts(findings)}
    assert f"{openai_server.url} serves stand-in" in texts["endpoint"]
    assert "tokens/s" in texts["endpoint"]
    assert "seed honoured" in texts["endpoint"]
    assert "OPENAI_API_KEY: set" in texts["keys"]
    assert "10 to sample" in texts["questions"]
    assert "opens: 20 attempts" in texts["store"]
    assert KEY not in json.dumps(findings)
    assert 0 < openai_server.stats()["requests"] <= 7


def _parts(findings: list[dict[str, str]]) -> set[str]:
    return {one["part"] for one in findings}


def test_without_a_room_or_with_no_endpoint_nobody_is_asked(tmp_path: Path, openai_server: OpenAIServer) -> None:
    room = server_room(tmp_path / "room", openai_server.url)
    for arguments in ((), (room, "--no-endpoint")):
        done = inside("doctor", *arguments)
        assert done.returncode == 0, done.stdout
        assert " 0 fail" in done.stdout
    assert openai_server.stats()["requests"] == 0
    assert sorted(path.name for path in room.iterdir()) == ["questions.jsonl", "recipe.yaml"]


def old_store(room: Path) -> None:
    """A store whose journal still waits."""
    store = open_store(room / "store.duckdb", create=True)
    store.journal.append({"table": "prompts", "hash": "h", "style": "chat", "messages": "[]"})


def newer_store(room: Path) -> None:
    open_store(room / "store.duckdb", create=True)
    with duckdb.connect(str(room / "store.duckdb")) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, now())")


def no_store(room: Path) -> None:
    with duckdb.connect(str(room / "store.duckdb")) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")


def damaged_store(room: Path) -> None:
    (room / "store.duckdb").write_bytes(b"\1" * 9999)


CASES: dict[str, tuple[dict[str, Any], Callable[[Path], None] | None, str, str, str]] = {
    "policy": ({"keep": "answr = 'pass'"}, None, "recipe", "fail", "mean `answer`?"),
    "verifier": ({"verify": ["answer", "hint_leak", "equation"], "keep": "answer-only"}, None, "recipe", "fail", "equation"),
    "unknown model": ({"endpoint": {"model": "stand-on"}}, None, "endpoint", "fail", "It serves: stand-in"),
    "nobody there": ({"endpoint": {"base_url": "http://127.0.0.1:9/v1"}}, None, "endpoint", "fail", "server is up"),
    "no price": ({"sample": {"budget": {"usd": 1}}}, None, "endpoint", "fail", "0 for what costs nothing"),
    "named key missing": ({"endpoint": {"api_key_env": "MY_KEY"}}, None, "keys", "fail", "Set MY_KEY."),
    "no such model here": ({"endpoint": {"kind": "local", "model": "nowhere"}}, None, "endpoint", "fail", ".gguf file"),
    "no SGLang": ({"endpoint": {"kind": "sglang", "base_url": None}}, None, "endpoint", "fail", "Install SGLang"),
    "questions": ({}, lambda room: (room / "questions.jsonl").unlink(), "questions", "fail", "no such file"),
    "disk": ({"sample": {"k": 10**7}}, None, "disk", "fail", "Make room"),
    "trainer": ({"train": {"device": "cpu"}}, None, "trainer", "fail", "unset it"),
    "journal": ({}, old_store, "store", "warn", "nothing is lost"),
    "newer store": ({}, newer_store, "store", "fail", "pip install -U"),
    "no store": ({}, no_store, "store", "fail", "no store"),
    "damaged store": ({}, damaged_store, "store", "fail", "restore a copy"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_with_its_mend(
    tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    sections, spoil, part, level, said = CASES[case]
    if case == "trainer":
        monkeypatch.setenv("SELFTAUGHT_TRAINER", str(tmp_path / "nowhere"))
    room = server_room(tmp_path / "room", openai_server.url, **sections)
    if spoil:
        spoil(room)
    before = tree(room)
    code, findings = told(room, *(() if part == "endpoint" else ("--no-endpoint",)))
    assert tree(room) == before
    found = [one for one in findings if one["part"] == part and one["level"] == level]
    assert found, findings
    assert said in "\n".join(f"{one['text']} {one['mend']}" for one in found)
    assert all(one["mend"] for one in found)
    assert code == (1 if level == "fail" else 0)


def test_a_missing_room_is_one_line_of_the_examination(tmp_path: Path) -> None:
    code, findings = told(tmp_path / "nowhere")
    assert (code, [one["part"] for one in findings if one["level"] == "fail"]) == (1, ["recipe"])


def test_a_refused_key_and_a_short_context_are_said(
    tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = server_room(tmp_path / "room", openai_server.url)
    openai_server.configure(api_key="another")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = inside("doctor", room)
    assert done.returncode == 1
    assert "refuses the API key" in done.stdout
    assert KEY not in done.stdout + done.stderr
    openai_server.configure(extra={"/props": {"default_generation_settings": {"n_ctx": 300}}})
    code, findings = told(room)
    assert (code, [one["text"] for one in findings if one["level"] == "fail"]) == (
        1,
        ["300 tokens, and sample.max_tokens alone asks for 512"],
    )


def test_whoever_writes_is_named(tmp_path: Path, openai_server: OpenAIServer) -> None:
    room = server_room(tmp_path / "room", openai_server.url)
    path = room / "store.duckdb"
    open_store(path, create=True)
    assert holder(path) is None
    with WriterLock(path):
        _, findings = told(room, "--no-endpoint")
        assert f"process {os.getpid()}" in " ".join(one["text"] for one in findings if one["part"] == "store")
    assert holder(path) is None


def test_it_fits_into_eighty_columns(tmp_path: Path) -> None:
    room = server_room(tmp_path / "room", "http://127.0.0.1:9/v1", train={})
    done = selftaught("doctor", room, env=environment(COLUMNS="80", SELFTAUGHT_TRAINER="/nowhere"))
    assert done.returncode == 1
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "trainer" in done.stdout


def test_a_run_is_never_foreseen_smaller_for_more_questions(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"name": "a", "questions": {"source": "q.jsonl"}})
    assert needed(recipe, None) == (0, "")
    few, many = needed(recipe, 10)[0], needed(recipe, 1000)[0]
    assert many == 100 * few > 0
    assert [one.part for one in examine(tmp_path / "none") if one.level == "fail"] == ["recipe"]


@pytest.mark.parametrize(
    ("listing", "length"),
    [
        ([{"id": "m", "max_model_len": 4096}], 4096),
        ([{"id": "other", "max_model_len": 1}, {"id": "m", "context_length": 8}], 8),
        ([{"id": "m", "max_model_len": "4096"}], None),
        ([{"id": "m", "max_model_len": True, "context_window": 10**30}], None),
        ([], None),
    ],
)
def test_the_context_length_is_read_where_servers_tell_it(listing: list[dict[str, Any]], length: int | None) -> None:
    assert context_length(listing, "m") == length


def test_sizes_are_readable() -> None:
    shown = [size(count) for count in (0, 999, 1000, 1_030_000_000, 4e13)]
    assert shown == ["0 bytes", "999 bytes", "1 kB", "1.03 GB", "40 TB"]
