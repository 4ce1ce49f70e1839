"""Whatever a server sends is read without an exception, within bounds, and can be kept; the key is never in it."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.endpoints import ERRORS, Reply
from selftaught_builder.endpoints.bodies import BODY_LIMIT, ERROR_BODY_LIMIT, BodyError, read_body, read_start
from selftaught_builder.endpoints.replies import ERROR_TEXT_LIMIT, NAME_LIMIT, Received, read_reply, read_retry_after

KEY = "sk-canary-5e1f7a09d3"
MARKS = {
    "<nan>": "NaN",
    "<infinite>": "-Infinity",
    "<huge>": "1" + "0" * 40,
    "<half>": '"\\ud800"',
    "<key>": f'"{KEY}"',
}
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.sampled_from([KEY, f"a {KEY} b", "a\0b", "length", "<think>", *MARKS]),
)
USAGE = ["usage", "prompt_tokens", "prompt_tokens_details", "cached_tokens"]
NAMES = [
    "choices",
    "message",
    "content",
    "text",
    "refusal",
    "reasoning",
    "finish_reason",
    "id",
    "model",
    "created",
    "error",
]
KEYS = st.sampled_from([*NAMES, *USAGE, "code", "type"])
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5))
MESSAGES = st.dictionaries(KEYS, ANYTHING, max_size=4)
CHOICES = st.lists(st.fixed_dictionaries({"message": MESSAGES}, optional={"finish_reason": ANYTHING}), max_size=2)
PAYLOADS = ANYTHING | st.fixed_dictionaries(
    {"choices": CHOICES}, optional={"id": ANYTHING, "model": ANYTHING, "usage": ANYTHING, "created": ANYTHING}
)


def almost_json(payload: Any) -> bytes:
    """Return JSON, but for what no JSON may hold."""
    text = json.dumps(payload)
    for mark, raw in MARKS.items():
        text = text.replace(json.dumps(mark), raw)
    return text.encode()


BODIES = (
    st.binary() | PAYLOADS.map(almost_json) | st.builds(lambda a, b: a + KEY.encode() + b, st.binary(), st.binary())
)


def texts(reply: Reply) -> str:
    return orjson.dumps(vars_of(reply)).decode()


def vars_of(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in Reply.__slots__}


@given(BODIES, st.sampled_from([200, 204, 307, 400, 401, 429, 500, 529, 999]), st.sampled_from([0, 3]))
def test_any_body_is_a_reply_that_can_be_kept(raw: bytes, status: int, cut: int) -> None:
    reply = read_reply(Received(raw[: len(raw) - cut], status), KEY)
    assert reply.error is None or reply.error in ERRORS
    assert reply.error or status == 200
    assert len(reply.error_text or "") <= ERROR_TEXT_LIMIT
    assert KEY not in texts(reply)
    assert orjson.loads(texts(reply)) == vars_of(reply)


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_a_text_that_can_be_kept_is_kept_as_it_is(before: str, after: str) -> None:
    content = f"x{before.encode('utf-8', 'replace').decode()}\0{after}"
    reply = read_reply(Received(orjson.dumps({"choices": [{"message": {"content": content}}]})), KEY)
    if "</think>" not in content:
        assert (reply.error, reply.completion, reply.provider) == (None, content, {})


@pytest.mark.parametrize("length", range(4, len(KEY)))
def test_an_error_that_breaks_off_in_the_key_shows_none_of_it(length: int) -> None:
    reply = read_reply(Received(f"refused: {KEY[:length]}".encode(), 500), KEY)
    assert reply.error_text == "HTTP 500: refused: [key]"


@pytest.mark.parametrize("written", ["sk-a+b/c=0123456789", "sk-a%2Bb%2Fc%3D0123456789", "sk-a+b\\/c=0123456789"])
def test_a_key_is_masked_as_a_url_and_json_write_it(written: str) -> None:
    reply = read_reply(Received(f"refused: {written}".encode(), 500), "sk-other-key-012345", "sk-a+b/c=0123456789")
    assert reply.error_text == "HTTP 500: refused: [key]"


@pytest.mark.parametrize("before", range(ERROR_TEXT_LIMIT - len(KEY) - 12, ERROR_TEXT_LIMIT))
def test_no_part_of_the_key_shows_where_an_error_is_cut(before: int) -> None:
    assert "sk-c" not in (read_reply(Received(b"x" * before + KEY.encode() * 3, 500), KEY).error_text or "")


@pytest.mark.parametrize("before", [0, NAME_LIMIT - len(KEY), NAME_LIMIT - 5, NAME_LIMIT])
def test_no_part_of_the_key_shows_where_a_name_is_cut(before: int) -> None:
    name = "x" * before + KEY
    raw = orjson.dumps({"id": name, "model": name, "choices": [{"finish_reason": name, "message": {"refusal": name}}]})
    reply = read_reply(Received(raw), KEY)
    assert "sk-c" not in texts(reply)
    assert max(map(len, (reply.model, reply.finish_reason, reply.provider["id"]))) <= NAME_LIMIT


def test_a_placeholder_for_a_key_is_a_word_like_others_in_a_completion() -> None:
    said = Received(orjson.dumps({"choices": [{"message": {"content": "The set is EMPTY."}}]}))
    assert read_reply(said, "EMPTY").completion == "The set is EMPTY."
    assert read_reply(Received(b"key EMPTY", 401), "EMPTY").error_text == "HTTP 401: key [key]"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": formatdate(2_000_000_090, usegmt=True), "Date": formatdate(2_000_000_000, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(0, usegmt=True)}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds


class Response:
    """A response whose body is there already."""

    def __init__(self, *chunks: bytes, encoding: str = "") -> None:
        self.headers, self._chunks, self.closed = {"Content-Encoding": encoding}, chunks, False
        self.content = SimpleNamespace(iter_any=self._iterate, at_eof=lambda: False)

    async def _iterate(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    """Tells how many bytes were held at once, at most."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_bomb_is_not_decompressed_beyond_the_limit(memory: Callable[[], int]) -> None:
    response: Any = Response(gzip.compress(b" " * 16 * BODY_LIMIT, 1), encoding="gzip")
    tracemalloc.reset_peak()
    with pytest.raises(BodyError, match="over 16777216 bytes"):
        asyncio.run(read_body(response))
    assert response.closed
    assert memory() < 4 * BODY_LIMIT


def test_of_a_bomb_for_an_error_the_start_is_kept(memory: Callable[[], int]) -> None:
    response: Any = Response(gzip.compress(b" " * BODY_LIMIT, 1), encoding="gzip")
    tracemalloc.reset_peak()
    assert asyncio.run(read_start(response)) == b" " * ERROR_BODY_LIMIT
    assert response.closed
    assert memory() < BODY_LIMIT


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["", "identity", "gzip", "X-Gzip"]))
def test_a_body_is_the_same_in_whatever_pieces_it_comes(pieces: list[bytes], encoding: str) -> None:
    whole = b"".join(pieces)
    sent = gzip.compress(whole) if "zip" in encoding.lower() else whole
    response: Any = Response(*(sent[at : at + 7] for at in range(0, len(sent), 7)), encoding=encoding)
    assert asyncio.run(read_body(response)) == whole


def test_a_body_of_the_limit_is_read_and_one_more_byte_is_not() -> None:
    whole: Any = Response(b" " * BODY_LIMIT)
    assert len(asyncio.run(read_body(whole))) == BODY_LIMIT
    more: Any = Response(b" " * BODY_LIMIT, b" ")
    with pytest.raises(BodyError, match="over 16777216 bytes"):
        asyncio.run(read_body(more))
