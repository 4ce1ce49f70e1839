"""The decision whether a task is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.endpoints.base import ERRORS, Reply
from selftaught_builder.sampling.retry import (
    FIRST_WAIT,
    LEAST_WAIT,
    LONGEST_RETRY_AFTER,
    LONGEST_WAIT,
    SPREAD,
    RetryDecision,
    decide,
    refuses,
)

CHANCE = st.floats(0, 1)
AFTER = st.none() | st.floats(0, 1e6)
FAILURES = st.builds(lambda error, after: Reply(error=error, retry_after=after), st.sampled_from(sorted(ERRORS)), AFTER)
TRIES = {
    "number": st.integers(1, 21),
    "retries": st.integers(0, 20),
    "left": st.booleans(),
    "elsewhere": st.booleans(),
    "chances": st.tuples(CHANCE, CHANCE),
}


def decided(reply: Reply, number: int = 1, retries: int = 5, **asked: Any) -> RetryDecision:
    return decide(reply, number, retries, **{"left": True, "elsewhere": False, "chances": (1.0, 1.0), **asked})


@given(st.fixed_dictionaries(TRIES))
def test_a_completion_is_the_end(tried: dict[str, Any]) -> None:
    assert decide(Reply("The answer is 5."), **tried) == RetryDecision(again=False)


@given(FAILURES, st.fixed_dictionaries(TRIES))
def test_a_failure_is_tried_again_while_there_are_tries_and_somebody_is_left(
    reply: Reply, tried: dict[str, Any]
) -> None:
    assert decide(reply, **tried).again == (tried["number"] <= tried["retries"] and tried["left"])


@given(FAILURES, st.fixed_dictionaries(TRIES))
def test_the_same_facts_and_chances_give_the_same_decision_within_bounds(reply: Reply, tried: dict[str, Any]) -> None:
    decision = decide(reply, **tried)
    assert decision == decide(reply, **tried)
    assert 0 <= decision.wait <= LONGEST_WAIT
    assert decision.wait <= FIRST_WAIT * 2 ** (tried["number"] - 1)
    if decision.again and not (tried["elsewhere"] and tried["number"] == 1):
        assert decision.wait >= min(LEAST_WAIT, LEAST_WAIT if reply.retry_after is None else reply.retry_after)


@given(FAILURES, st.fixed_dictionaries(TRIES))
def test_an_endpoint_is_held_back_for_as_long_as_it_asked_up_to_a_limit(reply: Reply, tried: dict[str, Any]) -> None:
    held = decide(reply, **tried).hold_back
    if reply.retry_after is None or tried["number"] > tried["retries"]:
        assert held is None
    else:
        assert held is not None
        assert (
            min(reply.retry_after, LONGEST_RETRY_AFTER) <= held <= min(reply.retry_after, LONGEST_RETRY_AFTER + SPREAD)
        )


def test_the_first_retry_goes_to_another_at_once_and_later_ones_wait() -> None:
    failure = Reply(error="server")
    assert decided(failure, elsewhere=True).wait == 0
    assert decided(failure, number=2, elsewhere=True).wait == 2
    assert decided(failure).wait == 1


def test_who_asks_for_time_is_held_back_even_if_nobody_is_left() -> None:
    assert decided(Reply(error="auth", retry_after=7.0), left=False) == RetryDecision(again=False, hold_back=7.0)


@pytest.mark.parametrize("error", [None, *ERRORS])
def test_an_error_that_trying_again_cannot_help_is_a_refusal(error: str | None) -> None:
    assert refuses(Reply(error=error)) == (error is not None and not ERRORS[error])
