from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.sampling.committer import COMMIT_EVERY, COMMIT_EVERY_AT_MOST, pause_after


@given(seconds=st.floats(0, 1000))
def test_readers_have_most_of_the_time_but_wait_for_no_commit_for_long(seconds: float) -> None:
    pause = pause_after(seconds)
    assert COMMIT_EVERY <= pause <= COMMIT_EVERY_AT_MOST
    assert pause >= min(5 * seconds, COMMIT_EVERY_AT_MOST)
