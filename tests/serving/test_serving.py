"""Servings: real processes that come up, take other weights, and go; SGLang's part is played by a stand-in."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import EndpointError, RecipeError, SelftaughtError
from selftaught_builder.common.logs import last_lines
from selftaught_builder.endpoints import Identity, Request
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.room.room import open_room
from selftaught_builder.serving.base import Serving
from selftaught_builder.serving.checkpoint import find_wanted
from selftaught_builder.serving.pool import open_pool
from selftaught_builder.serving.ports import check_port, free_port
from selftaught_builder.serving.serve import serve
from selftaught_builder.serving.sglang import options
from selftaught_builder.serving.sglang.launch import launch_command
from selftaught_builder.serving.supervised import Supervised
from support import servings, sglang
from support.rooms import attempts, server_room
from support.sglang import gone, running, seen, wait_until, write_model
from support.stages import sample

ASKED = Request(({"role": "user", "content": "How much is 3 + 4?"},), "chat", {"temperature": 0.7}, 5)
ask = partial(servings.ask, ASKED)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A room with a base model, and the stand-in on the path of the interpreters it starts."""
    monkeypatch.setenv("PYTHONPATH", str(sglang.STAND_IN))
    monkeypatch.delenv("STAND_IN", raising=False)
    write_model(tmp_path / "room" / "base", "base")
    return tmp_path / "room"


def sglang_settings(model: str = "base", base_url: str | None = None, **section: Any) -> EndpointSettings:
    section = {"python": sys.executable, "startup": 60, **section}
    return EndpointSettings.model_validate({"kind": "sglang", "model": model, "base_url": base_url, "sglang": section})


def tensors(folder: Path) -> str:
    """What the stand-in's replies say of the weights in a folder."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in folder.glob("*.safetensors"))).hexdigest()[:12]


def answers_from(serving: Serving, folder: Path, expected: str | None = None) -> Identity:
    """Check that the replies and the identity are those of a folder's weights."""
    identity, reply = ask(serving)
    assert identity is not None
    assert reply.error is None
    assert reply.completion == f"{expected or tensors(folder)} says 5"
    assert identity.weights == fingerprint_weights(folder)
    return identity


def pid_of(serving: Any) -> int:
    return seen(serving._server.routes.control.base_url.removesuffix("/v1"))["pid"]


@pytest.mark.parametrize("kind", ["openai", "litellm"])
def test_a_standing_server_is_given_no_checkpoint(kind: str, tmp_path: Path) -> None:
    with serve(EndpointSettings.model_validate({"kind": kind, "model": "gpt"}), tmp_path) as serving:
        serving.load()
        serving.load("gpt")
        with pytest.raises(EndpointError, match=r"endpoint.kind: [\s\S]*local, sglang or external"):
            serving.load(write_model(tmp_path / "round-1", "one"))
        assert serving.seconds == 0
        assert not serving.takes_checkpoints


def test_sglang_is_started_anew_for_each_model_and_once_for_the_same(room: Path) -> None:
    one = write_model(room / "round-1", "one")
    with serve(sglang_settings(args={"tp_size": 2}), room) as serving:
        serving.load()
        assert answers_from(serving, room / "base") == Identity("sglang", "base", fingerprint_weights(room / "base"))
        first = pid_of(serving)
        serving.load()
        serving.load(room / "base")
        assert pid_of(serving) == first
        spent = serving.seconds
        serving.load(one)
        assert serving.seconds > spent > 0
        assert gone(first)
        assert answers_from(serving, one).model == "round-1"
        second = pid_of(serving)
        write_model(one, "one, trained again")
        serving.load("round-1")
        assert answers_from(serving, one).model == "round-1"
        third = pid_of(serving)
        assert gone(second)
        serving.release()
        assert gone(third)
        serving.load(one)
        last = pid_of(serving)
    assert gone(last)


def test_update_weights_waits_for_requests_under_way(room: Path) -> None:
    one = write_model(room / "round-1", "one")
    with serve(sglang_settings(swap="update_weights"), room) as serving:
        serving.load()
        pid = pid_of(serving)
        root = serving._server.routes.control.base_url.removesuffix("/v1")
        sglang.post(f"{root}/stand_in/hold", {"hold": True})
        url = f"{root}/v1/chat/completions"
        other = threading.Thread(target=sglang.post, args=(url, {"model": "base", "messages": []}))
        other.start()
        wait_until(lambda: "/v1/chat/completions" in seen(root)["paths"])
        loading = threading.Thread(target=serving.load, args=(one,))
        loading.start()
        wait_until(lambda: "/update_weights_from_disk" in seen(root)["paths"])
        sglang.post(f"{root}/stand_in/hold", {"hold": False})
        loading.join()
        other.join()
        assert seen(root)["paths"].count("/update_weights_from_disk") > 1
        assert answers_from(serving, one).model == "round-1"
        assert pid_of(serving) == pid
        serving.release()
        assert gone(pid)
        serving.load(one)
        assert answers_from(serving, one).model == "round-1"


@pytest.mark.parametrize("model", ["base", "served"])
def test_a_running_sglang_gets_the_weights_and_outlives_us(room: Path, model: str) -> None:
    one, port = write_model(room / "round-1", "one"), free_port("127.0.0.1")
    with running(port, "--model-path", str(room / "base"), "--served-model-name", "served") as root:
        settings = sglang_settings(model, f"{root}/v1")
        with serve(settings, room) as serving:
            serving.load()
            assert answers_from(serving, room / "base").endpoint == f"{root}/v1"
            assert "/update_weights_from_disk" not in seen(root)["paths"]
            serving.load(one)
            answers_from(serving, one)
            serving.release()
            serving.load()
            answers_from(serving, room / "base")
            serving.load(one)
            # Someone else's hands on the server: found before a sample is asked for.
            sglang.post(f"{root}/update_weights_from_disk", {"model_path": str(room / "base")})
            with pytest.raises(EndpointError, match=r"serves .*base, not .*round-1"):
                ask(serving)
        assert seen(root)


def test_the_recipes_own_weights_come_back_after_a_broken_run(room: Path) -> None:
    one, port = write_model(room / "round-1", "one"), free_port("127.0.0.1")
    with running(port, "--model-path", str(one), "--served-model-name", "served") as root:
        with serve(sglang_settings("base", f"{root}/v1"), room) as serving:
            serving.load()
            answers_from(serving, room / "base")
        serving = serve(sglang_settings("no-such-name", f"{root}/v1"), room)
        with pytest.raises(EndpointError, match=r"does not take the weights of no-such-name[\s\S]*no repo id"):
            serving.load()


def test_a_model_of_the_hub_is_served_by_its_id(room: Path) -> None:
    with serve(sglang_settings("org/model"), room) as serving:
        serving.load()
        identity, _ = ask(serving)
    assert identity == Identity("sglang", "org/model", "unknown")


def test_adapters_come_and_go_on_the_base(room: Path) -> None:
    base = room / "base"
    adapters = [write_model(room / f"lora-{n}", f"lora {n}", adapter_of=base) for n in (1, 2)]
    with serve(sglang_settings(swap="adapter", args={"max_lora_rank": 16}), room) as serving:
        serving.load()
        answers_from(serving, base)
        pid = pid_of(serving)
        for adapter in (*adapters, adapters[1]):
            serving.load(adapter)
            identity = answers_from(serving, adapter, f"{tensors(base)}+{tensors(adapter)}")
            assert identity.model == adapter.name
            assert len(serving._server.routes.adapters()) == 1
        assert pid_of(serving) == pid
        large = write_model(room / "large", "large", adapter_of=base, r=32)
        with pytest.raises(EndpointError, match=r"does not take the adapter [\s\S]*rank 32"):
            serving.load(large)
        elsewhere = write_model(room / "other", "other", adapter_of=write_model(room / "round-1", "one"))
        with pytest.raises(EndpointError, match=r"was trained from .*round-1, and the server serves .*base"):
            serving.load(elsewhere)
        with pytest.raises(EndpointError, match="this is no LoRA adapter"):
            serving.load(room / "round-1")
        serving.load()
        answers_from(serving, base)
        sglang.post(f"{serving._server.routes.control.base_url.removesuffix('/v1')}/load_lora_adapter",
                    {"lora_name": "somebody's", "lora_path": str(adapters[0])})  # fmt: skip
        serving.load(adapters[0])
        assert len(serving._server.routes.adapters()) == 2


def test_an_adapter_that_is_to_be_a_model_is_refused(room: Path) -> None:
    adapter = write_model(room / "lora", "lora", adapter_of=room / "base")
    with (
        serve(sglang_settings(), room) as serving,
        pytest.raises(EndpointError, match=r"LoRA adapter[\s\S]*merge-lora"),
    ):
        serving.load(adapter)


def test_an_adapters_fingerprint_covers_its_configuration(room: Path) -> None:
    first = fingerprint_weights(write_model(room / "lora", "lora", adapter_of="base", lora_alpha=8))
    assert fingerprint_weights(write_model(room / "lora", "lora", adapter_of="base", lora_alpha=16)) != first


@pytest.mark.parametrize("fault", ["wrong_path", "rewritten"])
def test_other_weights_than_those_asked_for_are_an_error(
    room: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("STAND_IN", fault)
    one = write_model(room / "round-1", "one")
    with serve(sglang_settings(swap="update_weights"), room) as serving:
        serving.load()
        with pytest.raises(EndpointError, match=r"serves [\s\S]*Nothing was asked"):
            serving.load(one)


def test_an_old_sglang_is_known_by_its_paths(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN", "no_version")
    one = write_model(room / "round-1", "one")
    with serve(sglang_settings(swap="update_weights"), room) as serving:
        serving.load()
        serving.load(one)
        answers_from(serving, one)


@pytest.mark.parametrize(
    ("fault", "section", "told"),
    [
        ("die", {}, r"SGLang ended with status 1 while loading[\s\S]*sglang.log[\s\S]*CUDA out of memory"),
        ("late", {"startup": 0.5}, r"did not load the model within 0.5 s[\s\S]*server_args"),
        ("", {"args": {"random_seed": 1}}, r"ended with status 2[\s\S]*unrecognized arguments"),
        ("", {"python": "none/bin/python"}, r"no such interpreter[\s\S]*uv venv .venv-sglang"),
        ("", {"python": "base"}, r"no such interpreter"),
    ],
)
def test_a_start_that_fails_says_why(
    room: Path, monkeypatch: pytest.MonkeyPatch, fault: str, section: dict[str, Any], told: str
) -> None:
    monkeypatch.setenv("STAND_IN", fault)
    with serve(sglang_settings(**section), room) as serving:
        with pytest.raises(EndpointError, match=told):
            serving.load()
        assert serving._server is None


def test_what_cannot_be_started_is_said_beforehand(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(sglang_settings(args={"mem_fraction_statik": 0.8}), room) as serving:
        with pytest.raises(RecipeError, match=r"no argument `mem_fraction_statik`[\s\S]*mem_fraction_static"):
            serving.load()
        with pytest.raises(EndpointError, match="no such folder"):
            serving.load(room / "round-9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = sglang_settings(args={"port": taken.getsockname()[1]})
        with serve(settings, room) as serving, pytest.raises(EndpointError, match="is not free"):
            serving.load()
    with pytest.raises(EndpointError, match="cannot be reached"):
        serve(sglang_settings(base_url="http://127.0.0.1:9/v1"), room).load()
    monkeypatch.delenv("PYTHONPATH")
    with serve(sglang_settings(), room) as serving, pytest.raises(EndpointError, match="not installed"):
        serving.load()


@pytest.mark.parametrize("dash", ["--", ""])
def test_port_and_host_are_taken_from_the_arguments_with_dashes_and_without(room: Path, dash: str) -> None:
    port = free_port("localhost")
    with serve(sglang_settings(args={f"{dash}port": port, f"{dash}host": "localhost"}), room) as serving:
        serving.load()
        assert serving._server.routes.control.base_url == f"http://localhost:{port}/v1"


@pytest.mark.parametrize("name", ["api_key", "--api-key", "model-path", "weight_version"])
def test_some_arguments_are_not_for_a_recipe(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        sglang_settings(args={name: "x"})


def test_an_open_pool_serves_for_one_stage(room: Path) -> None:
    async def stage() -> tuple[str, int]:
        async with open_pool(sglang_settings(), room) as opened:
            (endpoint,) = (member.endpoint for member in opened.members)
            reply = await endpoint.complete(ASKED)
            return reply.completion, seen(endpoint._client.base_url.removesuffix("/v1"))["pid"]

    said, pid = asyncio.run(stage())
    assert said == f"{tensors(room / 'base')} says 5"
    assert gone(pid)


def test_a_stage_broken_off_while_the_model_loads_leaves_no_server(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN", "late")

    async def stage() -> None:
        async with open_pool(sglang_settings(), room):
            raise AssertionError("it never gets healthy")

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(stage(), 2))
    assert [
        child for child in psutil.Process().children(recursive=True) if "launch_server" in str(child.cmdline())
    ] == []


def test_a_server_that_dies_mid_stage_is_named_with_its_log(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN", "die_after=12")
    endpoint = {"kind": "sglang", "model": "base", "base_url": None, "retries": 0, "sglang": {"python": sys.executable}}
    server_room(room, "", questions=40, endpoint=endpoint)
    with pytest.raises(SelftaughtError, match=rf"SGLang ended with status 9, its log is {room}/\S+/sglang.log"):
        sample(open_room(room))
    assert {bool(row["error"]) for row in attempts(room)} == {True, False}


PARENT = """
import asyncio, sys, time
from pathlib import Path
from selftaught_builder.serving.serve import serve
from selftaught_builder.common.logs import last_lines
from selftaught_builder.recipe import EndpointSettings
serving = serve(EndpointSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
serving.load()
print("loaded", flush=True)
time.sleep(60)
"""


def parent(settings: EndpointSettings, room: Path) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join([str(sglang.STAND_IN), *filter(None, sys.path)])
    command = [sys.executable, "-c", PARENT, settings.model_dump_json(), str(room)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_a_killed_run(room: Path, number: signal.Signals) -> None:
    port = free_port("127.0.0.1")
    for process in parent(sglang_settings(args={"port": port}), room):
        pid = seen(f"http://127.0.0.1:{port}")["pid"]
        process.send_signal(number)
        process.wait()
        wait_until(lambda pid=pid: gone(pid))


# --- external -------------------------------------------------------------------------------------------------------

STAYS = """#!/bin/sh
echo "serving $SELFTAUGHT_MODEL as $SELFTAUGHT_SERVED_NAME"
{python} -m sglang.launch_server --model-path "$SELFTAUGHT_MODEL" --served-model-name "$SELFTAUGHT_SERVED_NAME" --port {port}
"""
RETURNS = """#!/bin/sh
setsid {python} -m sglang.launch_server --model-path "$SELFTAUGHT_MODEL" --served-model-name "$SELFTAUGHT_SERVED_NAME" \\
    --port {port} > /dev/null 2>&1 &
echo $! > job
"""


def external(room: Path, script: str, *, stop: list[str] | None = None, **section: Any) -> EndpointSettings:
    port = free_port("127.0.0.1")
    (room / "serve.sh").write_text(script.format(python=sys.executable, port=port))
    (room / "serve.sh").chmod(0o755)
    section = {"start": ["./serve.sh"], "stop": stop, "startup": 60, **section}
    base_url = f"http://127.0.0.1:{port}/v1"
    return EndpointSettings.model_validate(
        {"kind": "external", "model": "base", "base_url": base_url, "external": section}
    )


@pytest.mark.parametrize(
    ("script", "stop"), [(STAYS, None), (RETURNS, ["sh", "-c", "kill $(cat job); echo $? > stopped"])]
)
def test_a_users_own_command_serves_each_model(room: Path, script: str, stop: list[str] | None) -> None:
    one = write_model(room / "round-1", "one")
    settings = external(room, script, stop=stop)
    root = settings.base_url.removesuffix("/v1")
    with serve(settings, room) as serving:
        serving.load()
        assert answers_from(serving, room / "base").endpoint == settings.base_url
        first = seen(root)["pid"]
        serving.load()
        assert seen(root)["pid"] == first
        serving.load(one)
        digits = fingerprint_weights(one).removeprefix("sha256:")[:8]
        assert answers_from(serving, one).model == f"round-1-{digits}"
        assert gone(first)
        second = seen(root)["pid"]
        assert serving.seconds > 0
    wait_until(lambda: gone(second))
    assert (room / "stopped").exists() == bool(stop)


@pytest.mark.parametrize(
    ("script", "startup", "told"),
    [
        ("#!/bin/sh\necho 'sbatch: invalid partition'\nexit 3\n", 60, r"ended with status 3[\s\S]*invalid partition"),
        ("#!/bin/sh\nkill -9 $$\n", 60, r"was ended by SIGKILL"),
        ("#!/bin/sh\nexit 0\n", 0.5, r"does not serve `base-\w{8}` within 0.5 s \(it lists: nothing\)"),
        ("no script", 60, r"serve.sh: cannot be started"),
    ],
)
def test_a_command_that_brings_nothing_up(room: Path, script: str, startup: float, told: str) -> None:
    settings = external(room, script, startup=startup)
    with serve(settings, room) as serving, pytest.raises(EndpointError, match=told):
        serving.load()


def test_what_a_command_prints_is_for_its_owner_and_the_key_for_nobody(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_KEY", "sk-quite-secret")
    settings = external(room, '#!/bin/sh\necho "server_args: api_key=$CLUSTER_KEY"\nexit 3\n')
    settings = settings.model_copy(update={"api_key_env": "CLUSTER_KEY"})
    with serve(settings, room) as serving, pytest.raises(EndpointError, match=r"api_key=\[key\]") as told:
        serving.load()
    assert "sk-quite-secret" not in str(told.value)
    assert (room / ".selftaught" / "external.log").stat().st_mode & 0o077 == 0


def test_a_server_of_the_last_round_is_not_taken_for_this_rounds(room: Path) -> None:
    settings = external(room, "#!/bin/sh\n", startup=1)
    port = settings.base_url.split(":")[-1].removesuffix("/v1")
    old = running(int(port), "--model-path", str(room / "base"), "--served-model-name", "base-00000000")
    with old, pytest.raises(EndpointError, match="it lists: base-00000000"):
        serve(settings, room).load()


def test_the_stop_command_runs_for_a_killed_run(room: Path) -> None:
    settings = external(room, RETURNS, stop=["sh", "-c", "kill $(cat job) && touch stopped"])
    for process in parent(settings, room):
        pid = seen(settings.base_url.removesuffix("/v1"))["pid"]
        process.kill()
        process.wait()
        wait_until(lambda pid=pid: gone(pid) and (room / "stopped").exists())


# --- supervised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("sleep 60 & echo $! > pid; exit 4", 4),  # a child left behind in the group
        ("trap '' TERM; echo $$ > pid; while true; do sleep 0.1; done", None),
    ],
)
def test_a_command_ends_with_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, status: int | None
) -> None:
    monkeypatch.setattr("selftaught_builder.serving.supervised.GRACE_SECONDS", 0.5)
    command = Supervised(["sh", "-c", script], folder=tmp_path, environment={}, log=tmp_path / "log")
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    assert wait_until(lambda: command.status() == status)
    assert not gone(pid)
    command.end()
    command.end()
    wait_until(lambda: gone(pid))


def test_a_stop_command_that_hangs_is_ended_with_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selftaught_builder.serving.supervised.STOP_SECONDS", 0.5)
    stop = ["sh", "-c", "sleep 60 & echo $! > pid; wait"]
    Supervised(["true"], folder=tmp_path, environment={}, log=tmp_path / "log", stop=stop).end()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: gone(pid))
    assert "the stop command" in (tmp_path / "log").read_text()


def test_the_end_of_a_huge_log_is_shown_without_reading_it_all(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.truncate(2**40)  # a sparse file of a terabyte
        file.seek(0, 2)
        file.write(b"\n\xff and\r50%\rthe end\n" + b"x" * 10_000)
    assert last_lines(tmp_path / "log", 3) == ["50%", "the end", "x" * 300]
    assert last_lines(tmp_path) == last_lines(tmp_path / "none") == []


def test_ports_of_both_kinds_of_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EndpointError, match="is not free"):
        check_port("127.0.0.1", taken.getsockname()[1])
    try:
        port = free_port("::1")
    except EndpointError:
        pytest.skip("no IPv6 here")
    check_port("::1", port)


def test_a_command_whose_supervisor_is_killed_ends_all_the_same(tmp_path: Path) -> None:
    command = Supervised(["sleep", "60"], folder=tmp_path, environment={}, log=tmp_path / "log")
    [child] = psutil.Process(command._process.pid).children()
    command._process.kill()
    assert wait_until(lambda: command.status() == -signal.SIGKILL)
    command.end()
    wait_until(lambda: gone(child.pid))


# --- options --------------------------------------------------------------------------------------------------------

LOCK = Path(__file__).parents[2] / "requirements" / "sglang.txt"


@pytest.fixture(scope="module")
def wheel_options(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, options.Option]:
    """The options in SGLang's own wheel, which is fetched once, checked against its hash, and never imported."""
    kept = request.config.cache.mkdir(f"sglang-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]}")
    if not any(kept.iterdir()):
        uv, target = shutil.which("uv"), tmp_path_factory.mktemp("sglang")
        if uv is None:
            pytest.skip("needs uv to fetch SGLang's wheel")
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target)]
        command += ["--no-deps", "--require-hashes", "-r", str(LOCK)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"SGLang's wheel cannot be fetched here: {done.stderr.strip()[-200:]}")
        for number, file in enumerate(sorted(file for pattern in options.SOURCES for file in target.glob(pattern))):
            shutil.copy(file, kept / f"{number:02}-{file.name}")
        shutil.rmtree(target)
    return options.read_options(file.read_text("utf-8") for file in sorted(kept.iterdir()))


@pytest.mark.parametrize("swap", ["restart", "update_weights", "adapter"])
def test_the_rendered_command_is_one_that_sglang_understands(
    room: Path, swap: str, wheel_options: dict[str, options.Option]
) -> None:
    arguments = {
        "tp-size": 2,
        "mem_fraction_static": 0.85,
        "enable_deterministic_inference": True,
        "tensor_parallel_size": 2,
        "fp8_gemm_runner_backend": "auto",
        "lora_strict_loading": False,
        "sidecar_args": ["a", "b"],
    }
    base = find_wanted("base", room)
    python = Path(sys.executable)
    command = launch_command(python, sglang_settings(swap=swap, args=arguments).sglang, base, 30001, wheel_options)
    assert command[0] == sys.executable
    flags = {option.flag for option in wheel_options.values()}
    flags |= {option.negative for option in wheel_options.values() if option.negative}
    assert [word for word in command[3:] if word.startswith("--") and word not in flags] == []
    pairs = dict(itertools.pairwise(command))
    assert command[1:3] == ["-m", "sglang.launch_server"]
    assert pairs["--model-path"] == str(room / "base")
    assert pairs["--weight-version"] == fingerprint_weights(room / "base")
    assert (pairs["--port"], pairs["--host"]) == ("30001", "127.0.0.1")
    assert pairs["--fp8-gemm-backend"] == "auto"
    assert pairs["--sidecar-args"] == '["a", "b"]'
    assert "--no-lora-strict-loading" in command
    assert ("--enable-lora" in command) == (swap == "adapter")
    for wrong in ("tp_sise", "watermark_key", "uses_mamba_radix_cache"):
        with pytest.raises(RecipeError, match=wrong):
            launch_command(python, sglang_settings(args={wrong: 1}).sglang, base, 30001, wheel_options)


OLD = """
@dataclasses.dataclass
class ServerArgs:
    model_path: str

    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--model-path", "--model", type=str, required=True)
        parser.add_argument("--json-thing", type=json_list_type)
        parser.add_argument("--both-ways", action=argparse.BooleanOptionalAction)
        parser.add_argument("positional")
"""


def test_options_of_an_sglang_that_declares_them_to_argparse() -> None:
    found = options.read_options([OLD])
    assert sorted(found) == ["both_ways", "json_thing", "model", "model_path"]
    words = options.render_arguments({"model": "m", "json_thing": [1], "both_ways": False}, found)
    assert words == ["--model", "m", "--json-thing", "[1]", "--no-both-ways"]


def test_an_sglang_without_readable_options_is_not_checked(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = room / "sglang"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(room))
    assert options.installed_options(Path(sys.executable)) is None
    assert options.render_arguments({"any": True, "thing": None, "of_it": False}, None) == ["--any"]


NAMES = st.from_regex(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", fullmatch=True)
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(), st.floats(allow_nan=False)
)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_argparse_reads_back_what_was_rendered(arguments: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in arguments:
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name)
    read = parser.parse_args(options.render_arguments(arguments, None))
    assert vars(read) == {name: str(value) for name, value in arguments.items()}
