"""What a server says of itself, on its other routes than the completions: whatever it is, nothing but our errors comes out."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import corpus
from selftaught_builder.common.errors import EndpointError
from selftaught_builder.doctor.endpoint import context_length
from selftaught_builder.endpoints import Identity
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.control import Control
from selftaught_builder.endpoints.listing import listed
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.endpoints.probe import probe
from selftaught_builder.endpoints.weights import served_weights
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.serving.external import ExternalServing
from selftaught_builder.serving.sglang.routes import Routes
from support.inside import inside
from support.rooms import server_room

KEY = "sk-canary-5e1f7a09d3"
HUGE = 10_000_000
LISTING = b'{"data": [{"id": "m"}]}'


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return a response as it goes over the wire."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *headers]
    head += [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def told(value: object) -> bytes:
    """Return what holds a value wherever a server would say something of itself."""
    names = ["model_path", "served_model_name", "weight_version", "data", "root", "id", "max_model_len", "message"]
    return json.dumps(dict.fromkeys(names, value)).encode()


ODD: list[Any] = [
    None,
    5,
    -0.0,
    True,
    "x",
    [],
    {},
    [5],
    [{"id": 5}],
    [{"id": "m", "root": 7}],
    {"data": []},
    "a\0b",
    KEY,
]
BODIES = {
    **{f"told {number}": told(value) for number, value in enumerate(ODD)},
    **{f"all {number}": json.dumps(value).encode() for number, value in enumerate(ODD[:6])},
    "huge text": told("x" * HUGE),
    "huge listing": json.dumps({"data": [{"id": "x" * 1000}] * 4000}).encode(),
    "a key in a huge text": told("x" * 5000 + KEY),
    "NaN": b'{"model_path": NaN, "weight_version": Infinity, "data": NaN, "choices": NaN}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"data":' * 5000 + b"1" + b"}" * 5000,
    "long number": b'{"data": ' + b"9" * 100_000 + b"}",
    "lone surrogate": b'{"model_path": "\\ud800", "data": [{"id": "\\ud800"}]}',
    "no UTF-8": b'{"model_path": "\xff\xfe"}',
    "UTF-16": '{"model_path": "x"}'.encode("utf-16"),
    "a page": f"<html>{KEY}</html>".encode(),
    "nothing": b"",
    "devices": told("/dev/zero"),
    "a folder": told("/"),
    **{one.name: told(one.value) for one in corpus.TEXTS[::80]},
}
WIRE = {
    **{name: http(body) for name, body in BODIES.items()},
    "error": http(told(KEY), status="500 Whatever"),
    "refused": http(told(KEY), status="401 Whatever"),
    "odd status": http(b"{}", status="999 Whatever"),
    "redirect": http(b"", "Location: http://127.0.0.1:9/elsewhere", status="307 Whatever"),
    "half a body": http(b'{"data": [', length=5000),
    "half an error": http(b'{"data": [', length=5000, status="500 Whatever"),
    "no HTTP": b"220 smtp ready\r\n" * 3,
    "no number": b"HTTP/1.1 abc Whatever\r\n\r\n",
    "long line": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n{}",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "half in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}",
    "no gzip": http(b"{}", "Content-Encoding: gzip"),
    "hang-up": b"",
}
DRIP = "drip"


class Says(socketserver.ThreadingTCPServer):
    """A server that says one thing, whatever it is asked; where `lists`, it lists a model as it should."""

    allow_reuse_address = daemon_threads = True
    response, lists = b"", False

    @property
    def url(self) -> str:
        """The base URL of its OpenAI routes."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = self.rfile.readline()
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        server: Any = self.server
        if server.response == DRIP.encode():
            self.drip()
            return
        listing = server.lists and asked.startswith(b"GET /v1/models ")
        try:
            self.wfile.write(http(LISTING) if listing else server.response)
        except OSError:  # it was not read to the end
            return

    def drip(self) -> None:
        with suppress(OSError):  # nobody waits for it any more
            self.wfile.write(http(b"", length=5000))
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.1)


@pytest.fixture(scope="module")
def says() -> Iterator[Says]:
    with Says(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module", autouse=True)
def _key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        yield


def openai(url: str) -> EndpointSettings:
    return EndpointSettings(kind="openai", model="m", base_url=url, retries=0, timeout=10)


@pytest.fixture(scope="module")
def endpoint(says: Says) -> OpenAIEndpoint:
    return OpenAIEndpoint(openai(says.url))


@pytest.fixture(scope="module")
def control(says: Says) -> Control:
    return Control(find_address(openai(says.url)))


def check(text: object) -> None:
    """What a person or a store gets of it is short, and without the key."""
    assert len(str(text)) < 4000
    assert KEY not in str(text)


async def identified(endpoint: OpenAIEndpoint) -> None:
    try:
        check(await endpoint.identify())
    except EndpointError as error:
        check(error)


@pytest.mark.parametrize("lists", [False, True], ids=["says it everywhere", "lists its model"])
@pytest.mark.parametrize("name", WIRE)
def test_whatever_a_server_says_of_itself(
    says: Says, endpoint: OpenAIEndpoint, control: Control, name: str, lists: bool
) -> None:
    says.response, says.lists = WIRE[name], lists

    async def met() -> None:
        async with endpoint:
            if lists:
                check(await endpoint.identify())
            else:
                await identified(endpoint)
            assert set(await probe(endpoint)) == {"seed", "n", "logprobs"}

    asyncio.run(met())
    routes = Routes(control, "OPENAI_API_KEY")
    status, _ = control.ask("/health")
    assert 0 <= status < 1000
    assert context_length(control.models(), "m") is None or name == "told 1"
    assert isinstance(routes.adapters(), list)
    for ask in (routes.served, lambda: routes.load_adapter("a", "/a", 5), lambda: routes.update_weights("/a", "v", 5)):
        try:
            check(ask())
        except EndpointError as error:
            check(error)


@pytest.mark.parametrize("name", ["huge listing", "a page", "refused", "told 5", "half a body", "broken chunks"])
def test_a_command_that_brings_up_something_odd(says: Says, tmp_path: Path, name: str) -> None:
    says.response, says.lists = WIRE[name], False
    given = {
        "kind": "external",
        "model": "m",
        "base_url": says.url,
        "external": {"start": ["sleep", "9"], "startup": 0.1},
    }
    with ExternalServing(EndpointSettings.model_validate(given), tmp_path) as serving:
        with pytest.raises(EndpointError) as raised:
            serving.load()
        check(raised.value)


@pytest.mark.parametrize("name", ["huge text", "NaN", "broken chunks"])
def test_the_doctor_survives_it(says: Says, tmp_path: Path, name: str) -> None:
    says.response = WIRE[name]
    room = server_room(tmp_path / "room", says.url, endpoint={"model": "m", "retries": 0}, questions=1)
    for lists in (False, True):
        says.lists = lists
        done = inside("doctor", room)
        assert done.returncode == 1
        assert KEY not in done.stdout + done.stderr


def test_a_reply_that_only_drips_is_given_up(says: Says, control: Control) -> None:
    says.response = DRIP.encode()
    assert control.ask("/health", timeout=0.5) == (0, "the reply does not end")


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["/", "/dev/null", "default"])
)
NAMES = st.sampled_from(["model_path", "weight_version", "data", "root", "id", "n_ctx", "max_model_len"]) | st.text()
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["/model_info", "/props", "/v1/models"]), ANYTHING),
    st.sampled_from([200, 404, 500]),
)
def test_any_json_leaves_the_weights_known_or_unknown(replies: dict[str, Any], status: int) -> None:
    async def get(path: str) -> tuple[int, Any]:
        return status, replies.get(path if path.startswith("/") else f"/v1/{path}")

    found = asyncio.run(served_weights(get, "m", on_this_machine=True))
    assert found == "unknown" or (found.startswith("weight_version:") and found.isprintable() and len(found) < 400)


@given(ANYTHING)
def test_any_json_is_a_listing(listing: Any) -> None:
    assert all(isinstance(row["id"], str) for row in listed(listing))
    assert (context_length(listed({"data": listing}), "m") or 1) > 0
    assert Identity("x", "m", "unknown")
