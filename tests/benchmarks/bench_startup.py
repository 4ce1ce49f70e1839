"""CPU seconds that `selftaught --help` takes, with bytecode compiled as an installed program has it."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

from common import machine, middle, table

HELP = [sys.executable, "-c", "from selftaught_builder.cli.app import main; main()", "--help"]


def cpu_seconds(environment: dict[str, str]) -> float:
    """Run the command once; return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(HELP, stdout=subprocess.DEVNULL, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure several times, and print the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        first = cpu_seconds(environment)
        taken = [cpu_seconds(environment) for _ in range(repeats)]
    rows = [("compiled", middle(taken)), ("the first time, compiling", f"{first:.4g}")]
    table("`selftaught --help`", rows, ("bytecode", "CPU seconds"))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
