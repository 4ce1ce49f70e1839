"""Reading what a server sent, on the assumption that it may be anything.

Bodies are hostile input: not JSON, JSON without what the protocol promises, lone surrogates, NaN. Each becomes a `Reply`
with an error class; none becomes an exception. But a completion that is there was paid for: what is wrong with the text
around it does not lose it, and what no file could hold of the text itself is replaced, and said to be (`provider.changed`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from selftaught_builder.common.secrets import MASK, SECRET_LENGTH, scrub, scrub_bytes
from selftaught_builder.endpoints.base import Reply

ERROR_TEXT_LIMIT = 2000
"""Characters of an error that are kept."""
NAME_LIMIT = 200
"""Characters kept of what a server calls itself, its model, and its reason for ending."""

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
KEPT_FROM_PAYLOAD = ("id", "created", "system_fingerprint", "service_tier")

_TEXTS = ("completion", "reasoning", "finish_reason", "model", "error_text")
_SHOWN = 300
_DEAREST = 1e4
"""Dollars that one reply may cost; a server that says more means something else."""
_LEAST_OF_A_KEY = 4


@dataclass(frozen=True, slots=True)
class Received:
    """What came over the wire.

    Attributes:
        raw: the body, or what there is to say where none arrived.
        status: the HTTP status.
        headers: the response's.
        error: the class of error where there is no whole response.
    """

    raw: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def read_reply(received: Received, *keys: str) -> Reply:
    """Return what a response is: a completion, or an error of some class.

    Args:
        received: the response.
        keys: the API keys, which the reply then does not hold, whatever the server echoes.
    """
    reply = _read(received)
    if reply.error:  # read anew, since a cut could leave half a key
        received = replace(received, raw=_without_keys(received.raw, keys))
        reply = _read(received)
    masked = keys if reply.error else [key for key in keys if len(key) >= SECRET_LENGTH]
    if masked:
        _rewrite(reply, lambda text: scrub(text, *masked), "key")
    _cut(reply)
    return reply


def read_json(raw: bytes, key: str) -> Any:
    """Return the JSON of a body that is no completion, without the key; None where it is none."""
    try:
        return orjson.loads(scrub_bytes(raw, key) if len(key) >= SECRET_LENGTH else raw)
    except orjson.JSONDecodeError:
        return None


def error_class(status: int) -> str:
    """Return the error class of an HTTP status other than 200."""
    if status in (401, 402, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    if 300 <= status < 400:
        return "redirect"
    if status in (408, 409) or status >= 500:
        return "server"
    return "bad_request" if status >= 400 else "malformed"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for (given in seconds or as a date), or None.

    A date is compared with the server's own clock where it tells the time, since the two may differ.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        then, now = _date(value), _date(headers.get("Date", ""))
        if then is None:
            return None
        seconds = then - (time.time() if now is None else now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def parse_completion(raw: bytes) -> Reply:
    """Read the body of a 200 from /chat/completions or /completions."""
    try:
        payload, strict, replaced = _load(raw)
    except ValueError as error:
        return _malformed(f"not JSON ({error})", raw)
    if not isinstance(payload, dict):
        return _malformed("not an object", raw)
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _failed(payload["error"], raw) if payload.get("error") else _malformed("no choices", raw)
    reply = _read_choice(choices[0], raw)
    reply.model = _text(payload.get("model"))
    for name in KEPT_FROM_PAYLOAD:
        value = payload.get(name)
        if isinstance(value, str) or _count(value) is not None:
            reply.provider[name] = value
    if len(choices) > 1:
        reply.provider["choices"] = len(choices)
    _read_usage(reply, payload.get("usage"))
    if replaced:
        reply.provider["changed"] = ["bytes"]
    if not strict:
        _rewrite(reply, clean_text, "surrogates")
    return reply


def split_reasoning(text: str) -> tuple[str, str]:
    """Split `<think>…</think>` off a completion; return (reasoning, rest).

    An unclosed block has no rest. A closing tag alone means that the prompt opened the block.
    """
    opened = text.lstrip().startswith(THINK_OPEN)
    body = text.lstrip()[len(THINK_OPEN) :] if opened else text
    if THINK_CLOSE in body:
        reasoning, _, rest = body.partition(THINK_CLOSE)
        return reasoning.strip(), rest.strip()
    return (body.strip(), "") if opened else ("", text)


def clean_text(text: str) -> str:
    """Return text that every file format here can hold: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _read(received: Received) -> Reply:
    if received.status == 200 and not received.error:
        return parse_completion(received.raw)
    text = received.raw.decode("utf-8", "replace")
    if received.error:
        return Reply(error=received.error, error_text=text)
    error = error_class(received.status)
    provider: dict[str, Any] = {"status": received.status}
    if error == "rate_limit" and "insufficient_quota" in text:  # OpenAI's word for it; waiting pays no bill
        error = "auth"
    to = f" to {received.headers.get('Location', '')}" if error == "redirect" else ""
    wait = read_retry_after(received.headers)
    if wait is not None:
        provider["retry_after"] = wait
    said = f"HTTP {received.status}{to}: {text}"
    return Reply(error=error, error_text=said, retry_after=wait, provider=provider)


def _load(raw: bytes) -> tuple[Any, bool, bool]:
    """Read JSON and what is nearly JSON; say whether it was JSON, and whether bytes that are no UTF-8 were replaced.

    NaN counts as null; control characters and lone surrogates may stand in a text.
    """
    try:
        return orjson.loads(raw), True, False
    except orjson.JSONDecodeError as error:
        try:
            text, replaced = raw.decode("utf-8-sig"), False
        except UnicodeDecodeError:
            text, replaced = raw.decode("utf-8-sig", "replace"), True
        try:
            return json.loads(text, strict=False, parse_constant=lambda _: None), False, replaced
        except (ValueError, RecursionError):
            raise error from None


def _read_choice(choice: dict[str, Any], raw: bytes) -> Reply:
    reply = Reply(finish_reason=_text(choice.get("finish_reason")))
    message = choice.get("message")
    if isinstance(message, dict):
        content = message.get("content")
        thought = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(message.get("refusal"), str):
            reply.provider["refusal"] = message["refusal"]
    elif "text" in choice:
        content, thought = choice["text"], None
    else:
        return _malformed("a choice without message or text", raw)
    if isinstance(content, list):
        content = "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        return _malformed(f"content is {type(content).__name__}, not text", raw)
    reasoning, completion = split_reasoning(content or "")
    reply.reasoning = "\n".join(filter(None, (_text(thought), reasoning)))
    reply.completion = completion
    if choice.get("logprobs"):
        reply.provider["logprobs"] = True
    return reply


def _rewrite(reply: Reply, function: Callable[[str], str], what: str) -> None:
    """Pass every text of a reply through a function, and note in `provider.changed` where that changed one."""
    texts = {name: getattr(reply, name) for name in _TEXTS} | reply.provider
    rewritten = {name: function(text) for name, text in texts.items() if isinstance(text, str)}
    changed = {name: text for name, text in rewritten.items() if text != texts[name]}
    for name, text in changed.items():
        if name in _TEXTS:
            setattr(reply, name, text)
        else:
            reply.provider[name] = text
    if changed:
        reply.provider.setdefault("changed", []).append(what)


def _cut(reply: Reply) -> None:
    """Bound what is no text of the model's; last of all, since a cut key is not found any more."""
    reply.finish_reason, reply.model = reply.finish_reason[:NAME_LIMIT], reply.model[:NAME_LIMIT]
    for name in KEPT_FROM_PAYLOAD:
        if isinstance(value := reply.provider.get(name), str):
            reply.provider[name] = value[:NAME_LIMIT]
    if reply.error_text:
        reply.error_text = clean_text(reply.error_text)[:ERROR_TEXT_LIMIT]


def _without_keys(raw: bytes, keys: Collection[str]) -> bytes:
    """Replace the keys, and the start of one that the body breaks off in."""
    raw = scrub_bytes(raw, *keys)
    for key in (key.encode() for key in keys):
        for length in range(len(key) - 1, _LEAST_OF_A_KEY - 1, -1):
            if raw.endswith(key[:length]):
                return raw[:-length] + MASK.encode()
    return raw


def _read_usage(reply: Reply, usage: Any) -> None:
    if not isinstance(usage, dict):
        return
    reply.tokens_in, reply.tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict):
        reply.tokens_cached = _count(details.get("cached_tokens"))
    cost = usage.get("cost")  # of OpenRouter and some gateways, in dollars
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost <= _DEAREST:
        reply.cost, reply.price_source = float(cost), "server"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(error: Any, raw: bytes) -> Reply:
    """Read an error that came as a success; some gateways send the status of the server behind them that way."""
    code = _count(error.get("code")) if isinstance(error, dict) else None
    kind = error_class(code) if code and 400 <= code < 600 else "malformed"
    return Reply(error=kind, error_text=f"HTTP 200 with an error: {_start(raw)}")


def _malformed(why: str, raw: bytes) -> Reply:
    return Reply(error="malformed", error_text=f"{why}: {_start(raw)}")


def _start(raw: bytes) -> str:
    return raw[:_SHOWN].decode("utf-8", "replace")
