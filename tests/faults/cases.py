"""What a server can do to a client, and what becomes of it: the tests run this list, and docs/faults.md shows it.

How the lab does it stands in `lab.ANSWERS`, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from selftaught_builder.endpoints.base import ERRORS

HUGE_TEXT = 10_000_000


@dataclass(frozen=True)
class Case:
    """One thing that a server does, and the attempt row that it becomes.

    Attributes:
        name: what it is called here and in the lab.
        does: what the server does, for a reader.
        error: the row's class of error; None where it is a completion.
        said: a text that the row's `error_text` holds.
        columns: what other columns of the row hold, as they can be compared.
        remark: what else a reader should know of the row.
        quick: whether a run of many attempts can afford it.
        lab: whether the lab does it to a request; else a test arranges for it.
    """

    name: str
    does: str
    error: str | None = None
    said: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    quick: bool = True
    lab: bool = True

    @property
    def retried(self) -> bool:
        """Whether it is tried again."""
        return self.error is not None and ERRORS[self.error]

    @property
    def stops(self) -> bool:
        """Whether it ends the run where it befalls several questions in a row: all further requests would come to the same."""
        return self.error == "auth"


def status(code: int, error: str, does: str, said: str = "", **more: Any) -> Case:
    """Return a case in which the server answers with a status."""
    return Case(str(code), f"HTTP {code}: {does}", error, said or f"HTTP {code}: ", **more)


CASES = (
    status(400, "bad_request", "the request is wrong"),
    status(401, "auth", "the key is refused"),
    status(402, "auth", "there is no money on the account"),
    status(403, "auth", "the key may not do this"),
    status(404, "bad_request", "no such route or model"),
    status(408, "server", "the request came too slowly"),
    status(409, "server", "a conflict"),
    status(413, "bad_request", "the request is too large"),
    status(422, "bad_request", "a parameter is wrong"),
    status(429, "rate_limit", "too many requests, without `Retry-After`"),
    Case(
        "429 in seconds",
        "HTTP 429 with `Retry-After` in seconds",
        "rate_limit",
        "HTTP 429: ",
        {"provider": {"status": 429, "retry_after": 1.0}},
        "tried again after that time",
    ),
    Case(
        "429 as a date",
        "HTTP 429 with `Retry-After` as a date",
        "rate_limit",
        "HTTP 429: ",
        {"provider": {"status": 429, "retry_after": 1.0}},
        "the date is compared with the server's own clock",
    ),
    Case(
        "429 for a day",
        "HTTP 429 with a `Retry-After` of a day",
        "rate_limit",
        "HTTP 429: ",
        {"provider": {"status": 429, "retry_after": 86400.0}},
        "tried again after 300 s",
        quick=False,
    ),
    Case("429 without quota", "HTTP 429 `insufficient_quota`", "auth", "HTTP 429: ", remark="waiting pays no bill"),
    status(500, "server", "an error of the server"),
    status(502, "server", "a gateway without its server"),
    status(503, "server", "overloaded, or starting"),
    status(529, "server", "overloaded"),
    Case("500 without end", "HTTP 500 with a body that never ends", "server", "HTTP 500: ", remark="its start is kept"),
    Case("500 as a bomb", "HTTP 500 with a gzip bomb for a body", "server", "HTTP 500: ", remark="its start is kept"),
    Case("400 in half", "HTTP 400 with half a body", "bad_request", "HTTP 400: ", remark="the half is kept"),
    *(
        status(code, "redirect", "a redirect to another server", f"HTTP {code} to http://")
        for code in (301, 302, 303, 307, 308)
    ),
    Case("nobody", "is not there: nobody listens at its address", "unreachable", "Connect call failed", lab=False),
    Case(
        "certificate",
        "a TLS certificate that nobody vouches for",
        "certificate",
        "certificate verify failed",
        lab=False,
    ),
    Case("reset", "resets the connection without a reply", "connection", "reset"),
    Case("hang-up", "closes the connection without a reply", "connection", "Disconnected"),
    Case("half a body", "promises a body and sends half of it", "connection", "ClientPayloadError"),
    Case("half in chunks", "sends half of a chunked body", "connection", "ClientPayloadError"),
    Case("no HTTP", "speaks another protocol", "connection", "Expected HTTP/"),
    Case("long headers", "sends headers without end", "connection", "more than 8190 bytes"),
    Case("silence", "takes the request and says nothing", "timeout", "no whole reply within "),
    Case("endless", "sends a body that never ends", "timeout", "no whole reply within "),
    Case("slow drip", "sends a byte now and then", "timeout", "no whole reply within "),
    Case("flood", "sends without end, and fast", "too_large", "over 16777216 bytes", quick=False),
    Case("gzip bomb", "sends 64 MiB as 64 KiB of gzip", "too_large", "over 16777216 bytes"),
    Case("broken gzip", "sends gzip that is none", "malformed", "no gzip"),
    Case("half of gzip", "sends gzip that ends too early", "malformed", "ends too early"),
    Case("brotli", "compresses in a way that was not asked for", "malformed", "which was not asked for"),
    Case("wrong JSON", "sends JSON that breaks off", "malformed", "not JSON (unexpected end of data"),
    Case("HTML", "sends a page", "malformed", "<html>"),
    Case("nothing", "sends an empty body", "malformed", "not JSON"),
    Case("a list", "sends JSON that is no object", "malformed", "not an object: [1, 2]"),
    Case("deep JSON", "nests 100,000 lists", "malformed", "not JSON"),
    Case("no choices", "leaves `choices` out", "malformed", "no choices: "),
    Case("empty choices", "sends an empty `choices`", "malformed", "no choices: "),
    Case("no message", "sends a choice without a message", "malformed", "without message or text"),
    Case("a number", "sends a number as `content`", "malformed", "content is int"),
    Case("an error", "sends an error with HTTP 200", "malformed", "HTTP 200 with an error: "),
    Case("503 in 200", "sends an error with the code 503 and HTTP 200", "server", "HTTP 200 with an error: "),
    Case("the key", "shows the API key in an error", "bad_request", "Bearer [key]", remark="without the key"),
    Case("half the key", "hangs up in the middle of showing the key", "bad_request", "[key]", remark="without it"),
    Case(
        "the key in text",
        "shows the API key in a completion",
        columns={"completion": "Your header: Bearer [key]", "provider": {"id": "Bearer [key]", "changed": ["key"]}},
        remark="without the key",
    ),
    Case("compressed", "compresses a completion", columns={"finish_reason": "stop"}),
    Case("in pieces", "sends a completion in pieces, in time", columns={"finish_reason": "stop"}),
    Case("NaN", "sends NaN where a number belongs", columns={"tokens_in": None, "finish_reason": "stop"}),
    Case(
        "infinity", "sends numbers that nothing holds", columns={"tokens_out": None, "provider": {"id": "chatcmpl-1"}}
    ),
    Case(
        "no usage",
        "leaves `usage` out",
        columns={"tokens_in": None, "tokens_out": None, "cost": None},
        remark="cost is unknown, not zero",
    ),
    Case("no content", "leaves `content` out", columns={"completion": ""}),
    Case("null content", "sends null as `content`", columns={"completion": ""}),
    Case(
        "a refusal",
        "refuses",
        columns={"completion": "", "provider": {"id": "chatcmpl-1", "refusal": "I can't help with that."}},
    ),
    Case(
        "content_filter", "filters the completion", columns={"finish_reason": "content_filter"}, remark="never exported"
    ),
    Case("length", "truncates the completion", columns={"finish_reason": "length"}, remark="never exported"),
    Case("broken off", "breaks off generating", columns={"finish_reason": "error"}, remark="never exported"),
    Case(
        "one id",
        "gives all completions the same id",
        columns={"provider": {"id": "chatcmpl-1"}},
        remark="our ids differ",
    ),
    Case(
        "another model", "answers in another model's name", columns={"model": "stand-in", "model_replied": "somebody"}
    ),
    Case("10 MB", "sends ten million characters", columns={"completion": "x" * HUGE_TEXT}),
    Case(
        "invalid UTF-8",
        "sends bytes that are no UTF-8",
        columns={"completion": "a\ufffdb", "provider": {"id": "chatcmpl-1", "changed": ["bytes"]}},
        remark="with U+FFFD in their place",
    ),
    Case(
        "lone surrogates",
        "sends half a character",
        columns={"completion": "a\ufffdb", "provider": {"id": "chatcmpl-1", "changed": ["surrogates"]}},
        remark="with U+FFFD in its place",
    ),
    Case("NUL", "sends NUL in a text", columns={"completion": "a\0b"}, remark="as it came"),
    Case("raw NUL", "sends NUL that JSON forbids", columns={"completion": "a\0b"}, remark="as it came"),
    Case(
        "escapes",
        "sends a terminal's escape sequences",
        columns={"completion": "\x1b]0;owned\x07\x1b[2J"},
        remark="as it came",
    ),
)

BY_NAME = {case.name: case for case in CASES}


def table() -> str:
    """Return the cases as a table in Markdown."""
    lines = ["| the server | the row's `error` | tried again | the row holds |", "| --- | --- | --- | --- |"]
    for case in CASES:
        again = "yes" if case.retried else "no; in a row they stop the run" if case.stops else "no"
        lines.append(f"| {case.does} | {_class(case)} | {again} | {_holds(case)} |")
    return "\n" + "\n".join(lines) + "\n\n"


def _class(case: Case) -> str:
    return f"`{case.error}`" if case.error else "none: a completion"


def _holds(case: Case) -> str:
    said = [f"`error_text`: …{_code(case.said)}…"] if case.said else []
    columns = [f"`{name}`: {_code(value)}" for name, value in case.columns.items()]
    return "; ".join([*said, *columns, *filter(None, [case.remark])])


def _code(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Mapping):
        return ", ".join(f"`{key}` {_code(inner)}" for key, inner in value.items())
    if not isinstance(value, str):
        return f"`{value}`"
    shown = value[:60].encode("unicode_escape").decode().strip()
    return f"`{shown}`" + (f"… ({len(value):,} characters)" if len(value) > 60 else "") if value else "empty"


def bounds() -> str:
    """Return what bounds a request, as a table in Markdown."""
    from selftaught_builder.concurrency.breaker import BREAK_AFTER, LONGEST_PAUSE
    from selftaught_builder.endpoints import bodies, openai, replies
    from selftaught_builder.sampling.failures import GONE_AFTER, REFUSED_AFTER
    from selftaught_builder.sampling.retry import LONGEST_RETRY_AFTER, LONGEST_WAIT

    rows = {
        "a request, from sending to the last byte": "`endpoint.timeout`",
        "a connection, TLS included": f"{openai.CONNECT_SECONDS:g} s",
        "a body, decompressed": f"{bodies.BODY_LIMIT / 2**20:g} MiB",
        "the body of an error": f"{bodies.ERROR_BODY_LIMIT / 2**10:g} KiB, {bodies.ERROR_BODY_SECONDS:g} s",
        "`error_text`": f"{replies.ERROR_TEXT_LIMIT:,} characters",
        "a reply that litellm has read": f"{bodies.BODY_LIMIT / 2**20:g} MiB",
        "a wait before the models are asked for again, `Retry-After` included": f"{openai.LONGEST_PAUSE:g} s",
        "`finish_reason`, `model_replied` and ids": f"{replies.NAME_LIMIT} characters",
        "`Retry-After`": f"{LONGEST_RETRY_AFTER:g} s",
        "a wait before another try": f"{LONGEST_WAIT:g} s",
        "questions refused as if the key were wrong, in a row, before a run stops": f"{REFUSED_AFTER}",
        "attempts that fail in a row, before a run stops": f"{GONE_AFTER}",
        "broken connections and timeouts in a row, before the endpoint is left alone for a while": f"{BREAK_AFTER}",
        "such a pause, of which each is twice as long as the one before": f"{LONGEST_PAUSE:g} s",
        "pauses, before a run stops": "`endpoint.retries` and one more",
    }
    lines = ["| what | at most |", "| --- | --- |", *(f"| {what} | {most} |" for what, most in rows.items())]
    return "\n" + "\n".join(lines) + "\n\n"
