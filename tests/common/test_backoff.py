from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.backoff import backoff

SECONDS = st.floats(0.01, 100)
SHARE = st.floats(0, 1)
NUMBER = st.integers(0, 5000)


@given(number=NUMBER, first=SECONDS, longest=SECONDS, factor=st.floats(1, 4), jitter=SHARE, chance=SHARE)
def test_no_wait_is_over_the_limit_or_below_what_chance_leaves(
    number: int, first: float, longest: float, factor: float, jitter: float, chance: float
) -> None:
    whole = backoff(number, first=first, longest=longest, factor=factor)
    spread = backoff(number, first=first, longest=longest, factor=factor, jitter=jitter, chance=chance)
    assert whole <= longest
    assert whole * (1 - jitter) - 1e-9 <= spread <= whole + 1e-9


@given(number=NUMBER, first=SECONDS, longest=SECONDS, factor=st.floats(1, 4), jitter=SHARE, chance=SHARE)
def test_a_later_wait_is_never_shorter_at_the_same_chance(
    number: int, first: float, longest: float, factor: float, jitter: float, chance: float
) -> None:
    one, next_one = (
        backoff(n, first=first, longest=longest, factor=factor, jitter=jitter, chance=chance)
        for n in (number, number + 1)
    )
    assert one <= next_one + 1e-9


@given(first=SECONDS, least=SECONDS, chance=SHARE)
def test_chance_leaves_the_least_as_far_as_the_wait_has_so_many(first: float, least: float, chance: float) -> None:
    wait = backoff(0, first=first, longest=100, jitter=1, least=least, chance=chance)
    assert min(least, first) - 1e-9 <= wait <= first + 1e-9


def test_the_waits_double_from_the_first_to_the_limit() -> None:
    assert [backoff(n, first=1, longest=60) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [backoff(n, first=0.25, longest=0.5, factor=1.5) for n in range(3)] == [0.25, 0.375, 0.5]
