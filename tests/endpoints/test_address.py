"""Where a server is: what the openai package's variables come to, what may be shown, and when a proxy is asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.address import Address, find_address, split_url
from selftaught_builder.recipe import EndpointSettings

CANARY = "sk-canary-5e1f7a09d3"
PATHS = st.from_regex(r"[a-z0-9_-]{1,9}(/[a-z0-9_-]{1,9}){0,2}", fullmatch=True)


def settings(**given: Any) -> EndpointSettings:
    return EndpointSettings.model_validate({"kind": "openai", "model": "m", **given})


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


def test_the_first_url_that_is_given_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_address(settings()).base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/env/")
    assert find_address(settings()).base_url == "http://127.0.0.1:9/env"
    named = settings(base_url="http://127.0.0.1:9/recipe")
    assert find_address(named).base_url == "http://127.0.0.1:9/recipe"
    assert find_address(named, "http://127.0.0.1:9/given/").base_url == "http://127.0.0.1:9/given"


def test_headers_are_those_of_the_openai_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: reasoning")
    headers = find_address(settings(base_url="http://127.0.0.1:9/v1")).headers
    assert (headers["OpenAI-Organization"], headers["OpenAI-Project"]) == ("org-1", "proj-1")
    assert headers["Authorization"] == f"Bearer {CANARY}"
    assert "OpenAI/Python" in headers["User-Agent"]
    assert headers["X-Team"] == "reasoning"


def test_without_a_key_only_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    found = find_address(settings(base_url="http://127.0.0.1:9/v1"))
    assert (found.key, "Authorization" in found.headers) == ("", False)
    with pytest.raises(EndpointError, match=r"no API key for models\.invalid"):
        find_address(settings(base_url="http://models.invalid/v1"))


def test_an_address_shows_no_key() -> None:
    found = find_address(settings(base_url="http://127.0.0.1:9/v1"))
    assert CANARY not in repr(found) + str(found)
    assert found.scrub(f"Bearer {CANARY}") == "Bearer [key]"


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{CANARY}@127.0.0.1:9/v1",
        f"user:{CANARY}@host",
        f"http://127.0.0.1/v1?key={CANARY}",
        "ftp://host/v1",
        "http:///v1",
        "http://127.0.0.1:many/v1",
        "http://[::1/v1",
        "host:30000",
    ],
)
def test_what_is_no_base_url_is_refused_and_a_credential_in_it_not_shown(url: str) -> None:
    with pytest.raises(EndpointError, match=r"endpoint\.base_url: ") as raised:
        split_url(url, "OPENAI_API_KEY")
    assert CANARY not in str(raised.value)


def test_what_only_the_openai_package_refuses_is_no_url() -> None:
    with pytest.raises(EndpointError, match="no URL"):
        find_address(settings(), "http://127.0.0.1:9/v\x001")


@given(PATHS)
def test_a_path_starts_at_the_root_or_at_the_openai_routes(path: str) -> None:
    address = Address("http://127.0.0.1:9/v1")
    assert address.url(path) == f"http://127.0.0.1:9/v1/{path}"
    assert address.url(f"/{path}") == f"http://127.0.0.1:9/{path}"


def test_a_proxy_is_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "near.invalid")
    for url in ("http://127.0.0.1:9/v1", "http://localhost/v1", "http://[::1]:9/v1"):
        assert (Address(url).on_this_machine, Address(url).proxy) == (True, None)
    assert Address("http://near.invalid/v1").proxy is None
    assert Address("http://far.invalid/v1").proxy == "http://proxy.invalid:3128"
    assert not Address("http://far.invalid/v1").on_this_machine
