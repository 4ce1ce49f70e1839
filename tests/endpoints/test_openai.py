"""The OpenAI endpoint: what it reads, records and refuses. What servers do wrong is in `tests/faults`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.common.errors import EndpointError, SelftaughtError
from selftaught_builder.endpoints import Reply, Request, openai
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.room.room import open_room
from support.rooms import attempts, cli, server_room
from support.servers import OpenAIServer
from support.stages import sample as sample_room

CANARY = "sk-canary-5e1f7a09d3"
ASKED = ({"role": "user", "content": "How much is 3 + 4?"},)


def ask(url: str, *, style: str = "chat", seed: int = 3, **settings: Any) -> Reply:
    """Send one request through an endpoint of its own."""

    async def once() -> Reply:
        given = EndpointSettings(kind="openai", model="stand-in", base_url=url, **settings)
        async with OpenAIEndpoint(given) as endpoint:
            return await endpoint.complete(Request(ASKED, style, {"temperature": 0.7}, seed))

    return asyncio.run(once())


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selftaught_builder.sampling.retry.FIRST_WAIT", 0.12)


def raw(body: object, kind: str = "application/json") -> dict[str, Any]:
    return {"kind": "raw", "body": body if isinstance(body, str) else json.dumps(body), "type": kind}


def choices(**choice: Any) -> dict[str, Any]:
    return raw({"choices": [{"index": 0, "finish_reason": "stop", **choice}]})


def test_nobody_listening_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        reply = ask(f"http://127.0.0.1:{free.getsockname()[1]}/v1")
    assert reply.error == "unreachable"


COMPLETIONS = {
    "plain": (choices(message={"content": "So 7."}), ("So 7.", "", "stop")),
    "text": (choices(text="So 7."), ("So 7.", "", "stop")),
    "null content": (choices(message={"content": None}), ("", "", "stop")),
    "content in parts": (choices(message={"content": [{"type": "text", "text": "So 7."}]}), ("So 7.", "", "stop")),
    "reasoning_content": (choices(message={"content": "7", "reasoning_content": "3+4"}), ("7", "3+4", "stop")),
    "reasoning": (choices(message={"content": "7", "reasoning": "3+4"}), ("7", "3+4", "stop")),
    "think block": (choices(message={"content": "<think>\n3+4\n</think>\n\n7"}), ("7", "3+4", "stop")),
    "think opened by the prompt": (choices(message={"content": "3+4</think>7"}), ("7", "3+4", "stop")),
    "think never closed": (
        choices(message={"content": "<think>3+4"}, finish_reason="length"),
        ("", "3+4", "length"),
    ),
    "truncated": (choices(message={"content": "So"}, finish_reason="length"), ("So", "", "length")),
    "refused": (choices(message={"content": None, "refusal": "I won't"}), ("", "", "stop")),
    "lone surrogate": (
        raw('{"id": "\\ud800", "choices": [{"message": {"content": "a\\ud800b"}}]}'),
        ("a\ufffdb", "", ""),
    ),
}


@pytest.mark.parametrize(("fault", "expected"), COMPLETIONS.values(), ids=COMPLETIONS.keys())
def test_a_completion_is_read(openai_server: OpenAIServer, fault: dict[str, Any], expected: Any) -> None:
    openai_server.configure(faults=[fault])
    reply = ask(openai_server.url)
    assert reply.error is None
    assert (reply.completion, reply.reasoning, reply.finish_reason) == expected


def test_a_refusal_is_kept_for_provenance(openai_server: OpenAIServer) -> None:
    openai_server.configure(faults=[choices(message={"content": None, "refusal": "I won't"})])
    assert ask(openai_server.url).provider["refusal"] == "I won't"


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_usage_and_cost_are_read(openai_server: OpenAIServer, style: str) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}}
    openai_server.configure(faults=[{"kind": "changed", "payload": {"usage": usage}}])
    reply = ask(openai_server.url, style=style, prices={"input": 2.0, "output": 10.0, "cached": 0.5})
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (1000, 100, 600)
    assert reply.cost == pytest.approx((400 * 2 + 600 * 0.5 + 100 * 10) / 1e6)
    assert reply.price_source == "recipe"
    assert reply.model == "stand-in"


def test_an_unknown_price_is_none_and_not_free(openai_server: OpenAIServer) -> None:
    assert ask(openai_server.url).cost is None
    openai_server.configure(faults=[{"kind": "changed", "payload": {"usage": None}}])
    assert ask(openai_server.url, prices={"input": 2.0, "output": 10.0}).cost is None


def test_the_same_seed_gives_the_same_bytes(openai_server: OpenAIServer) -> None:
    first, again, other = (ask(openai_server.url, seed=seed).completion for seed in (5, 5, 6))
    assert first == again != other


def test_retry_after_is_read_as_seconds_and_as_a_date(openai_server: OpenAIServer) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 503, "retry_after": 1.5}])
    assert ask(openai_server.url).retry_after == 1.5
    openai_server.configure(faults=[{"kind": "status", "status": 503, "retry_after": "Fri, 01 Jan 2100 00:00:00 GMT"}])
    assert (ask(openai_server.url).retry_after or 0) > 1e8
    openai_server.configure(faults=[{"kind": "status", "status": 503, "retry_after": "soon"}])
    assert ask(openai_server.url).retry_after is None


def test_a_redirect_is_refused_and_the_key_goes_nowhere_else(
    openai_server: OpenAIServer, other_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    openai_server.configure(faults=[{"kind": "redirect", "to": f"{other_server.url}/chat/completions"}])
    reply = ask(openai_server.url)
    assert reply.error == "redirect"
    assert openai_server.stats()["authorizations"] == {f"Bearer {CANARY}": 1}
    assert other_server.stats()["authorizations"] == {}


def test_every_try_is_a_row(openai_server: OpenAIServer, tmp_path: Path, quick_retries: None) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 500, "first": 2}])
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=3, sample={"k": 1}))
    asked = sample_room(room)
    rows = attempts(room)
    assert (asked.tally.requests, asked.tally.retries, asked.tally.completions) == (9, 6, 3)
    assert [row["try"] for row in rows] == [1, 2, 3] * 3
    assert [row["error"] for row in rows] == ["server", "server", None] * 3
    assert len({row["id"] for row in rows}) == 9
    assert all(row["seed"] == rows[row_at // 3 * 3]["seed"] for row_at, row in enumerate(rows))


def test_what_trying_again_cannot_help_is_tried_once(
    openai_server: OpenAIServer, tmp_path: Path, quick_retries: None
) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 400}])
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=3, sample={"k": 1}))
    asked = sample_room(room)
    assert (asked.tally.requests, asked.tally.failed) == (3, 3)
    openai_server.configure()
    assert sample_room(room).tally.completions == 3
    assert [row["try"] for row in attempts(room)] == [1, 2] * 3


def test_a_refused_key_is_wrong_input(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    openai_server.configure(api_key="another")
    folder = server_room(tmp_path / "room", openai_server.url)
    done = cli("sample", folder)
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert _files_with(CANARY, folder) == []


def _files_with(text: str, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "stand-inn"}, "It serves: stand-in."),
        ({"base_url": "http://127.0.0.1:9/v1"}, "cannot be reached"),
        ({"base_url": "ftp://127.0.0.1/v1"}, "no http(s) URL"),
        ({"base_url": "http://me:secret@127.0.0.1/v1"}, "holds a credential"),
        ({"base_url": "me:secret@127.0.0.1/v1"}, "holds a credential"),
        ({"base_url": "http://127.0.0.1/v1?api-key=secret"}, "or a query"),
        ({"base_url": "http://127.0.0.1:port/v1"}, "no URL"),
        ({"base_url": "http://[::1/v1"}, "no URL"),
        ({"base_url": "https://models.invalid/v1"}, "Set this environment variable"),
    ],
)
def test_a_wrong_endpoint_is_an_input_error_before_anything_is_asked(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], told: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    room = open_room(server_room(tmp_path / "room", openai_server.url, endpoint=change))
    with pytest.raises(EndpointError) as raised:
        sample_room(room)
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert openai_server.stats()["requests"] == 0


def test_a_server_that_lists_no_models_is_used_all_the_same(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(models=None)
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=2))
    assert sample_room(room).tally.completions == 4


def test_a_gone_endpoint_stops_the_run_and_everything_is_kept(
    openai_server: OpenAIServer, tmp_path: Path, quick_retries: None
) -> None:
    openai_server.configure(faults=[{"kind": "reset", "after": 105}])
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=200, endpoint={"retries": 1}))
    with pytest.raises(SelftaughtError, match="gives no completions any more") as raised:
        sample_room(room)
    assert raised.value.exit_code == 1
    rows = attempts(room)
    assert sum(row["error"] is None for row in rows) == 100  # 105 less the probe's five
    assert openai_server.stats()["requests"] == len(rows) + 5 < 300
    openai_server.configure()
    assert sample_room(room).tally.completions == 300
    assert sum(row["error"] is None for row in attempts(room)) == 400


def test_a_key_withdrawn_stops_the_run_at_once(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(faults=[{"kind": "status", "status": 401, "after": 25}])
    room = open_room(server_room(tmp_path / "room", openai_server.url, questions=200))
    with pytest.raises(SelftaughtError, match="auth"):
        sample_room(room)
    assert openai_server.stats()["requests"] <= 25 + 2 * 8


def test_the_concurrency_asked_for_is_used_and_never_exceeded(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(latency=0.05)
    sample = {"k": 4, "concurrency": 24}
    sample_room(open_room(server_room(tmp_path / "room", openai_server.url, questions=60, sample=sample)))
    assert openai_server.stats()["in_flight_max"] == 24


def test_known_weights_are_shared_between_runs(openai_server: OpenAIServer, tmp_path: Path) -> None:
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"first round")
    openai_server.configure(extra={"/props": {"model_path": str(weights)}})
    folder = server_room(tmp_path / "room", openai_server.url, questions=5)
    assert sample_room(open_room(folder, run="one")).tally.completions == 10
    assert sample_room(open_room(folder, run="two")).reused == 10
    weights.write_bytes(b"second round")
    assert sample_room(open_room(folder, run="two")).tally.completions == 10


def test_unknown_weights_are_shared_within_a_run_only(openai_server: OpenAIServer, tmp_path: Path) -> None:
    folder = server_room(tmp_path / "room", openai_server.url, questions=5)
    assert sample_room(open_room(folder, run="one")).tally.completions == 10
    again = sample_room(open_room(folder, run="one"))
    assert (again.reused, again.tally.requests) == (10, 0)
    assert sample_room(open_room(folder, run="two")).tally.completions == 10
    rows = attempts(folder)
    assert {row["weights"] for row in rows} == {"unknown"}
    assert len({row["key"] for row in rows}) == 20


def test_sglangs_weight_version_is_the_weights(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.configure(extra={"/get_model_info": {"model_path": "m", "weight_version": "round-2"}})
    folder = server_room(tmp_path / "room", openai_server.url, questions=1)
    sample_room(open_room(folder))
    assert {row["weights"] for row in attempts(folder)} == {"weight_version:m@round-2"}


def test_the_probe_says_what_the_server_honours(openai_server: OpenAIServer, tmp_path: Path) -> None:
    folder = server_room(tmp_path / "room", openai_server.url, questions=1)
    sample_room(open_room(folder))
    assert all(row["seed_honoured"] is True for row in attempts(folder))
    honours = open_room(folder).store().sql("SELECT honours FROM rounds")["honours"][0]
    assert json.loads(honours) == {"seed": True, "n": True, "logprobs": False}


def test_this_machine_is_asked_without_proxy_and_netrc(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert ask(openai_server.url).error is None
    assert openai_server.stats()["authorizations"] == {f"Bearer {CANARY}": 1}


def test_a_proxy_of_the_environment_is_used_for_other_machines(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", openai_server.root)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert ask("http://models.invalid/v1").error is None
    monkeypatch.setenv("no_proxy", "models.invalid")
    assert ask("http://models.invalid/v1").error == "unreachable"


@pytest.mark.parametrize("before", range(285, 300, 5))
def test_no_part_of_a_key_shows_where_an_error_is_cut(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    openai_server.configure(faults=[raw("x" * before + CANARY, "text/plain")])
    assert CANARY[:5] not in (ask(openai_server.url).error_text or "")


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-é"])
def test_a_key_that_no_header_holds_is_wrong_input(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(EndpointError, match="OPENAI_API_KEY") as raised:
        ask("http://127.0.0.1:9/v1")
    assert key not in str(raised.value)


def test_tokens_cached_beside_the_others_never_earn_money(openai_server: OpenAIServer) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 1000}}
    openai_server.configure(faults=[{"kind": "changed", "payload": {"usage": usage}}])
    reply = ask(openai_server.url, prices={"input": 2.0, "output": 10.0, "cached": 0.5})
    assert reply.cost == pytest.approx(1000 * 0.5 / 1e6)


def test_weights_that_cannot_be_hashed_are_unknown(openai_server: OpenAIServer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "pytorch_model.bin").write_bytes(b"not safetensors")
    for number, name in enumerate(("pipe", "checkpoint", "missing")):
        openai_server.configure(extra={"/props": {"model_path": str(tmp_path / name)}})
        room = open_room(server_room(tmp_path / f"room{number}", openai_server.url, questions=1))
        assert sample_room(room).tally.completions == 2
        assert {row["weights"] for row in attempts(room)} == {"unknown"}


def identify(url: str, **settings: Any) -> Any:
    """Return who answers at a URL."""

    async def once() -> Any:
        given = EndpointSettings(kind="openai", model="stand-in", base_url=url, **settings)
        async with OpenAIEndpoint(given) as endpoint:
            return await endpoint.identify()

    return asyncio.run(once())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before tries at /models, which are not made."""
    made: list[float] = []
    pause = openai._pause

    def noted(number: int, retry_after: float | None) -> float:
        made.append(pause(number, retry_after))
        return 0.0

    monkeypatch.setattr(openai, "_pause", noted)
    return made


STARTING = [
    {"kind": "reset"},
    {"kind": "reset"},  # aiohttp asks once more by itself
    {"status": 429, "retry_after": 7},
    {"status": 503},
    {"status": 529, "retry_after": 86400},
    {"status": 500},
]


def test_a_server_that_starts_or_is_busy_is_waited_for(openai_server: OpenAIServer, pauses: list[float]) -> None:
    openai_server.configure(models_faults=STARTING)
    assert identify(openai_server.url, retries=5).model == "stand-in"
    first, asked, third, bounded, last = pauses
    assert (asked, bounded) == (7.0, openai.LONGEST_PAUSE)
    assert 0 < first <= 0.5 < third <= 2 < last <= 8


@pytest.mark.parametrize(("retries", "told"), [(0, "cannot be reached"), (2, "answers HTTP 503 to /models, 3 times")])
def test_one_that_stays_so_is_said_to(
    openai_server: OpenAIServer, pauses: list[float], retries: int, told: str
) -> None:
    openai_server.configure(models_faults=STARTING)
    with pytest.raises(EndpointError, match=told):
        identify(openai_server.url, retries=retries)
    assert len(pauses) == retries == openai_server.stats()["listings"] - 2


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 403}, {"status": 400}, {"kind": "redirect", "to": "/"}])
def test_what_waiting_does_not_mend_is_said_at_once(
    openai_server: OpenAIServer, pauses: list[float], fault: dict[str, Any]
) -> None:
    openai_server.configure(models_faults=[fault] * 9)
    with pytest.raises(EndpointError, match=r"refuses the API key|answers HTTP \d+ to /models\n"):
        identify(openai_server.url)
    with pytest.raises(EndpointError, match="cannot be reached"):
        identify("http://127.0.0.1:9/v1")
    assert (pauses, openai_server.stats()["listings"]) == ([], 1)


@pytest.mark.parametrize("version", ["round-2" * 10**6, "a\n\x1b[31mb", CANARY])
def test_what_a_server_calls_its_weights_is_bounded_and_without_the_key(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    found = set()
    for told in (version, f"{version}b"):
        openai_server.configure(extra={"/model_info": {"model_path": "/x", "weight_version": told}})
        found.add(identify(openai_server.url).weights)
    assert len(found) == 2  # what is cut still tells one from another
    for weights in found:
        assert weights.startswith("weight_version:")
        assert len(weights) < 400
        assert weights.isprintable()
        assert CANARY not in weights
