"""Reading what a server sent, on the assumption that it may be anything.

Bodies are hostile input: not JSON, JSON without what the protocol promises, lone surrogates, NaN. Each becomes a `Reply`
with an error class; none becomes an exception.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from selftaught_builder.endpoints.base import Reply

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
KEPT_FROM_PAYLOAD = ("id", "created", "system_fingerprint", "service_tier")


def error_class(status: int) -> str:
    """Return the error class of an HTTP status other than 200."""
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    if 300 <= status < 400:
        return "redirect"
    if status in (408, 409) or status >= 500:
        return "server"
    return "bad_request" if status >= 400 else "malformed"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for (given in seconds or as a date), or None."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def parse_completion(raw: bytes) -> Reply:
    """Read the body of a 200 from /chat/completions or /completions."""
    try:
        payload = _load(raw)
    except orjson.JSONDecodeError as error:
        return _malformed(f"not JSON ({error}): {raw[:300].decode('utf-8', 'replace')}")
    if not isinstance(payload, dict):
        return _malformed(f"not an object: {raw[:300].decode('utf-8', 'replace')}")
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _malformed(f"no choices: {raw[:300].decode('utf-8', 'replace')}")
    reply = _read_choice(choices[0])
    reply.model = _text(payload.get("model"))
    reply.provider.update(
        {name: payload[name] for name in KEPT_FROM_PAYLOAD if isinstance(payload.get(name), str | int)}
    )
    if len(choices) > 1:
        reply.provider["choices"] = len(choices)
    _read_usage(reply, payload.get("usage"))
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


def _load(raw: bytes) -> Any:
    """Read JSON; text with a lone surrogate, which orjson refuses, was paid for all the same, and is mended."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        try:
            return orjson.loads(clean_text(json.dumps(json.loads(raw), ensure_ascii=False)))
        except (ValueError, RecursionError):
            raise error from None


def _read_choice(choice: dict[str, Any]) -> Reply:
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
        return _malformed("a choice without message or text")
    if isinstance(content, list):
        content = "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        return _malformed(f"content is {type(content).__name__}, not text")
    reasoning, completion = split_reasoning(content or "")
    reply.reasoning = "\n".join(filter(None, (_text(thought), reasoning)))
    reply.completion = completion
    if choice.get("logprobs"):
        reply.provider["logprobs"] = True
    return reply


def _read_usage(reply: Reply, usage: Any) -> None:
    if not isinstance(usage, dict):
        return
    reply.tokens_in, reply.tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict):
        reply.tokens_cached = _count(details.get("cached_tokens"))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _malformed(why: str) -> Reply:
    return Reply(error="malformed", error_text=why)
