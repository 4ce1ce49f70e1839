"""Kill a run at random while it hands a round over: exported, trained, recorded, and its checkpoint taken into the next.

A stand-in trains. It goes on where its builder is killed, as a real trainer does for some seconds at worst.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.handing_over import HandingOver
from support.servers import openai_server

KILLS = 10


@pytest.mark.timeout(300)
def test_kills_train_nothing_twice_and_take_nothing_half_for_whole(tmp_path: Path) -> None:
    with openai_server(tmp_path) as server:
        whole = HandingOver(tmp_path / "whole", server)
        whole.end()
        killed = HandingOver(tmp_path / "killed", server, seed=2203)
        begun = handed_over = 0
        for _ in range(KILLS):
            if killed.kill():
                assert killed.trainings() == whole.trainings()
                assert killed.files() == whole.files()
                begun, handed_over = begun + killed.began, handed_over + 1
                killed.again()
    assert all(killed.kills.values()), killed.kills
    assert begun > handed_over > 1
