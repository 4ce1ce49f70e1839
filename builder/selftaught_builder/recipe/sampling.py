"""`sample` and `rationalize`: how often, how fast, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selftaught_builder.recipe.section import Count, Section


class Limits(Section):
    """What may be spent on something; what is absent has no limit."""

    usd: Annotated[float, Field(ge=0)] | None = None
    """US dollars. Needs a known price: `endpoint.prices`, what the server lists at /models, or litellm's own."""
    tokens: Count | None = None
    """Prompt tokens and generated tokens together."""
    attempts: Count | None = None
    """Tries, failed ones included."""


class Spending(Limits):
    """The same, and time."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which requests were under way; those under way when they are over are waited for."""


class Budget(Spending):
    """What a run may spend. Every try of every kind counts (sampled, rationalized, evaluated, probed), over all sittings.

    A request is sent only where what is spent and what the requests in flight may cost at most leave room for it. When no room
    is left the run stops with exit code 3; raise the budget and run again to go on. A try whose tokens or cost the server
    did not say counts at its most; one that was refused (400, 401, 429, 503, ...) or reached nobody costs nothing. The five
    requests of 12 tokens that probe an endpoint are no attempts and do not count.
    """

    per_question: Limits | None = None
    """`usd`, `tokens` or `attempts` of any one question; what is beyond them is not asked, and the run goes on."""
    per_round: Spending | None = None
    """`usd`, `tokens`, `attempts` or `seconds` of any one round; when they are spent the run stops."""


class Sample(Section):
    """How rationales are sampled."""

    k: Count = 4
    """Samples per question."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """0 takes the likeliest token each time."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sample from the likeliest tokens that together have this probability."""
    max_tokens: Count = 512
    """Tokens of one completion; what is cut off is kept as truncated and never exported."""
    stop: list[str] = []
    """Texts that end a completion."""
    concurrency: Count | Literal["auto"] = "auto"
    """Requests in flight at once. `auto`: the slots of a model that we serve; at any other endpoint a number that starts at 16,
    grows while requests succeed, and is halved when the endpoint is overloaded (429, 503, 529, timeouts, broken
    connections), or cut where its latency rises."""
    requests_per_minute: Count | None = None
    """Send no more than this; the requests are spread evenly."""
    tokens_per_minute: Count | None = None
    """Spend no more than this, prompt and generated tokens together. A request counts at its most until its reply is there."""
    budget: Budget | None = None
    """What the run may spend; without it there is no limit."""


class Rationalize(Section):
    """Asking again with the answer as a hint, where no sample was kept."""

    k: Annotated[int, Field(ge=0)] = 1
    """Hinted samples per failed question; 0 turns rationalization off."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """The sampling temperature where absent."""
