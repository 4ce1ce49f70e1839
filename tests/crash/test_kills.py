"""Kill the command line at random within one run: nothing that had arrived is lost, doubled or asked for again.

`tests/benchmarks/bench_kills.py` does the same two hundred times over twenty thousand attempts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.killing import Killing, unbroken
from faults.labs import running_lab

MIGRATIONS, KILLS = 3, 12


@pytest.mark.timeout(600)
def test_kills_lose_nothing_double_nothing_and_change_no_row(tmp_path: Path) -> None:
    size = {"attempts": 1500, "concurrency": 16}
    with running_lab() as lab:
        whole, _ = unbroken(lab, tmp_path / "unbroken", **size)
        killing = Killing(lab, tmp_path / "killed", **size, share=0.05, seed=20220328)
        killing.kill_migrations(MIGRATIONS)
        killing.kill(KILLS)
        data = killing.end()
    toll = killing.toll
    assert toll.kills.total() == MIGRATIONS + KILLS
    assert (toll.lost, toll.doubled, toll.missing, toll.asked_again, toll.tracebacks) == (0, 0, 0, 0, 0), toll
    assert toll.failed
    assert toll.rows <= toll.requests <= killing.most_requests
    assert data == whole, "the same rows, and so the same version"
