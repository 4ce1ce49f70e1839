"""Control requests: what is sent, and what is made of replies. What servers say wrong is in `tests/hostile/test_servers.py`."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from selftaught_builder.endpoints.address import Address
from selftaught_builder.endpoints.bodies import BODY_LIMIT
from selftaught_builder.endpoints.control import Control

KEY = "sk-canary-5e1f7a09d3"
HEADERS = {"Authorization": f"Bearer {KEY}", "X-Team": "reasoning"}


class Server(ThreadingHTTPServer):
    """A server that answers every request alike, and notes it."""

    daemon_threads = True
    status, body, headers = 200, b"{}", {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []

    def says(self, body: Any = None, status: int = 200, **headers: str) -> None:
        """Say this from now on."""
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers = status, headers


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.command, self.path, sent, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response(server.status)
        for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.body)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def control(server: Server) -> Control:
    return Control(Address(f"http://127.0.0.1:{server.server_address[1]}/v1", HEADERS, KEY))


def test_a_body_makes_it_a_post(server: Server, control: Control) -> None:
    assert control.ask("/health") == control.ask("models", {"a": "\ud800"}) == (200, {})
    (*got, _, heard), (*posted, sent, said) = server.asked
    assert (got, posted) == (["GET", "/health"], ["POST", "/v1/models"])
    assert json.loads(sent) == {"a": "\ud800"}
    for headers in (heard, said):
        assert headers["content-type"] == "application/json"
        assert (headers["authorization"], headers["x-team"]) == (HEADERS["Authorization"], "reasoning")


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 500, 503])
def test_statuses_come_as_they_are(server: Server, control: Control, status: int) -> None:
    server.says(b"" if status == 204 else {"message": "so"}, status)
    assert control.ask("/x") == (status, "" if status == 204 else {"message": "so"})


def test_a_redirect_is_not_followed(server: Server, control: Control) -> None:
    server.says({}, 307, Location="/elsewhere")
    assert control.ask("/x", {}) == (307, {})
    assert [path for _, path, *_ in server.asked] == ["/x"]


def test_this_machine_is_asked_without_proxy(server: Server, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert control.ask("/x") == (200, {})


def test_the_key_is_in_nothing_that_comes_back(server: Server, control: Control) -> None:
    server.says({"said": f"Bearer {KEY}"})
    assert control.ask("/x") == (200, {"said": "Bearer [key]"})
    server.says(f"<html>{KEY}</html>".encode(), 502)
    assert control.ask("/x") == (502, "<html>[key]</html>")
    assert control.scrub(KEY) == "[key]"


def test_a_compressed_body_is_read_within_bounds(server: Server, control: Control) -> None:
    encoded = {"Content-Encoding": "gzip"}
    server.says(gzip.compress(b'{"a": 1}'), **encoded)
    assert control.ask("/x") == (200, {"a": 1})
    server.says(gzip.compress(b" " * (BODY_LIMIT + 1)), **encoded)
    assert control.ask("/x") == (200, f"the body is over {BODY_LIMIT} bytes")


def test_without_a_reply_the_status_is_0_and_the_body_says_why() -> None:
    status, why = Control(Address("http://127.0.0.1:9/v1")).ask("/x")
    assert status == 0
    assert "Cannot connect to host 127.0.0.1:9" in why


def test_what_is_listed_is_that_which_has_a_name(server: Server, control: Control) -> None:
    server.says({"data": [{"id": "m"}, {"id": 5}, "m"]})
    assert control.models() == [{"id": "m"}]
    server.says([])
    assert control.models() == []
