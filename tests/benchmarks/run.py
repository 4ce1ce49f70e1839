"""Run all benchmarks, one after the other, and print their Markdown tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ORDER = (
    "bench_startup.py",
    "bench_overhead.py",
    "bench_readers.py",
    "bench_memory.py",
    "bench_answer.py",
    "bench_verify.py",
    "bench_faults.py",
    "bench_replicas.py",
)


def main() -> int:
    """Run those that the command line names, all of them where it names none; return how many failed."""
    here = Path(__file__).parent
    chosen = [name for name in ORDER if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    return sum(subprocess.run([sys.executable, str(here / name)]).returncode != 0 for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
