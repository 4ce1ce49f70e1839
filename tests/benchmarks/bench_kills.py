"""A run that is killed at random, two hundred times: what that loses, doubles, or asks and pays for again."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from common import machine, table
from crash.killing import Killing, Toll, unbroken
from faults.labs import running_lab

CONCURRENCY = 16
MIGRATIONS = 0.1  # of the kills


def tell(toll: Toll, arrived: int) -> None:
    """Say now and then how far it is."""
    if toll.kills.total() % 20 == 0:
        print(f"{toll.kills.total()} kills, {arrived:,} samples: {toll}", file=sys.stderr, flush=True)


def main() -> None:
    """Run, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.0, help="share of tries that a fault befalls")
    parser.add_argument("--seed", type=int, default=20220328)
    given = parser.parse_args()
    size = {"attempts": given.attempts, "concurrency": CONCURRENCY}
    started = time.monotonic()
    with running_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        whole, seconds = unbroken(lab, Path(scratch) / "unbroken", **size)
        killing = Killing(lab, Path(scratch) / "killed", **size, share=given.share, seed=given.seed, told=tell)
        migrations = round(MIGRATIONS * given.kills)
        killing.kill_migrations(migrations)
        killing.kill(given.kills - migrations)
        data = killing.end()
    toll = killing.toll
    table(
        "A run that is killed at random",
        [
            ("kills", f"{toll.kills.total()} ({', '.join(f'{n} in {kind}' for kind, n in toll.kills.items())})"),
            ("lives that were over before their kill", toll.over),
            ("schemas that kills in a migration left", dict(sorted(toll.left_at.items()))),
            ("attempts asked for (keys)", f"{given.attempts:,}"),
            ("requests that the server saw", f"{toll.requests:,}"),
            ("at most: keys + recorded failures + kills x in flight", f"{killing.most_requests:,}"),
            ("rows, and failures among them", f"{toll.rows:,}, {toll.failed:,}"),
            ("arrived attempts lost", toll.lost),
            ("keys with two successes", toll.doubled),
            ("keys without a success at the end", toll.missing),
            ("requests for what had arrived", toll.asked_again),
            ("bytes of the journal set aside as damaged", toll.dropped),
            ("lives that ended in a traceback", toll.tracebacks),
            ("final dataset equal to an unbroken run's", data.rows == whole.rows),
            ("the same version: its content hash too", data.content == whole.content),
            ("seconds: unbroken, and in all", f"{seconds:.0f}, {time.monotonic() - started:.0f}"),
        ],
        ("", ""),
    )
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
