"""The retry decision is a pure function: bounded, and never longer than what somebody asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.backoff import backoff
from selftaught_builder.endpoints.base import ERRORS, Reply
from selftaught_builder.sampling.retry import LONGEST_RETRY_AFTER, LONGEST_WAIT, decide

FAILED = st.sampled_from(sorted(ERRORS))
SECONDS = st.none() | st.floats(0, 1e6)


@given(st.none() | FAILED, st.integers(1, 2000), st.integers(0, 20), SECONDS)
def test_no_wait_is_too_long_and_no_try_too_many(
    error: str | None, number: int, retries: int, retry_after: float | None
) -> None:
    decision = decide(Reply(error=error, retry_after=retry_after), number, retries)
    assert decision.again == (error is not None and number <= retries)
    assert 0 <= decision.wait <= LONGEST_WAIT
    if not decision.again:
        return
    assert decision.refused == (not ERRORS[error or ""])
    assert decision.at_once_elsewhere == (number == 1)
    assert decision.hold_back == (None if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER))


@given(st.integers(1, 50), st.floats(0, 1e4))
def test_who_asks_for_time_gets_it_and_another_may_be_asked_before(number: int, retry_after: float) -> None:
    def longest(low: float, high: float) -> float:
        return high

    reply = Reply(error="rate_limit", retry_after=retry_after)
    asked, unasked = decide(reply, number, 50, longest), decide(Reply(error="rate_limit"), number, 50, longest)
    assert asked.wait <= unasked.wait
    assert asked.hold_back is not None


@given(st.integers(0, 10_000), st.floats(0.001, 10), st.floats(0.001, 100), st.floats(1, 4))
def test_waits_grow_to_the_longest(before: int, first: float, longest: float, factor: float) -> None:
    wait = backoff(before, first, longest, factor)
    assert min(first, longest) <= wait <= longest
    assert wait <= backoff(before + 1, first, longest, factor)
