"""A stop is no error: what was done is shown, which limit it was, and how to go on; to a script as JSON."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import yaml

from selftaught_builder.cli.app import main
from support.rooms import attempts, server_room, start_cli
from support.servers import OpenAIServer

PROBE = 5
FACTS = {"by", "limit", "allowed", "spent", "message"}
ASKING = {"verify": ["answer", "hint_leak", "judge"], "verifiers": {"judge": {"of": "true", "max_tokens": 20}}}


def room_of(folder: Path, server: OpenAIServer, budget: dict[str, Any], **sections: Any) -> Path:
    """Write a room of thirty questions with a budget, whose policy keeps every right answer."""
    sample = {"k": 1, "max_tokens": 20, "concurrency": 4, "budget": budget}
    given = {"verify": ["answer", "hint_leak"], "keep": "true", **sections}
    return server_room(folder, server.url, questions=30, sample=sample, **given)


def hold_out_half(folder: Path) -> None:
    """Hold half of a room's questions out."""
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe["questions"]["evaluate"] = {"share": 0.5}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))


Command = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs the command line here, with `--json`: exit code, data, and what it said beside them."""

    def run(*arguments: str | Path) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setattr("sys.argv", ["selftaught", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        said, told = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(said), told

    return run


@pytest.fixture
def stopped(command: Command) -> Callable[..., dict[str, Any]]:
    """Return what runs a command that a budget stops, and gives its data."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        code, data, told = command(*arguments)
        assert code == 3, told
        assert told.count("stopped:") == 1
        assert "error:" not in told
        assert data["stopped"].keys() == FACTS
        assert data["stopped"]["by"] == "budget"
        return data

    return run


def test_each_command_says_what_it_did_and_which_limit_stopped_it(
    openai_server: OpenAIServer, tmp_path: Path, command: Command, stopped: Callable[..., dict[str, Any]]
) -> None:
    openai_server.configure(right=0.0)
    folder = room_of(tmp_path / "room", openai_server, {"attempts": 20})
    data = stopped("sample", folder)
    assert (data["planned"], data["reused"], data["completions"]) == (30, 0, 20)
    facts = data["stopped"]
    assert (facts["limit"], facts["allowed"], facts["spent"]) == ("sample.budget.attempts", 20, 20)
    assert facts["message"] == "the budget of the run, 20 attempts, leaves no room: 20 attempts are spent"

    room_of(folder, openai_server, {"per_round": {"attempts": 40}})
    assert command("sample", folder)[0] == 0
    data = stopped("rationalize", folder)
    assert (data["planned"], data["completions"]) == (30, 10)
    assert data["stopped"]["limit"] == "sample.budget.per_round.attempts"

    room_of(folder, openai_server, {"attempts": 45}, **ASKING)
    data = stopped("verify", folder)
    assert sum(data["answer"].values()) == 10, "what is verified before a model is asked"
    assert data["stopped"]["spent"] == 45

    room_of(folder, openai_server, {"attempts": 50})
    hold_out_half(folder)
    data = stopped("evaluate", folder)
    assert (data["completions"], data["stopped"]["spent"]) == (5, 50)
    assert len(attempts(folder)) == 50


def test_a_run_says_how_far_it_is(openai_server: OpenAIServer, tmp_path: Path, command: Command) -> None:
    openai_server.configure(right=0.0)
    code, data, told = command("run", room_of(tmp_path / "room", openai_server, {"attempts": 35}))
    assert code == 3
    assert (data["done"], data["step"]) == (["1/sample", "1/verify"], "1/rationalize")
    assert (data["asked"]["planned"], data["asked"]["completions"]) == (30, 5)
    assert "1/rationalize: 5 of 30 completions are there, 5 of them from this sitting." in told
    assert "Raise `sample.budget.attempts`, then run the same command again to go on." in told


def test_what_is_not_stopped_says_so(openai_server: OpenAIServer, tmp_path: Path, command: Command) -> None:
    openai_server.configure(right=1.0)
    folder = room_of(tmp_path / "room", openai_server, {"attempts": 30})
    for name in ("sample", "rationalize", "run"):
        code, data, told = command(name, folder)
        assert code == 0, told
        assert data["stopped"] is None


@pytest.mark.parametrize("name", ["sample", "run"])
def test_an_interruption_has_the_same_shape(openai_server: OpenAIServer, tmp_path: Path, name: str) -> None:
    openai_server.configure(latency=0.2)
    folder = room_of(tmp_path / "room", openai_server, {"attempts": 1000})
    with start_cli(name, folder, "--json", stderr=PIPE, stdout=PIPE) as run:
        while openai_server.stats()["requests"] < PROBE + 3:
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        said, told = run.communicate(timeout=60)
    assert run.returncode == 130
    data = json.loads(said)
    assert data["stopped"] == {"by": "user", "limit": None, "allowed": None, "spent": None, "message": "interrupted"}
    assert data.get("asked", data)["completions"] == len(attempts(folder))
    assert told.count(b"stopped: interrupted") == 1
    assert b"error:" not in told
