"""`selftaught --help` starts at once, because nothing heavy is loaded for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"aiohttp", "datasets", "duckdb", "litellm", "numpy", "openai", "polars", "pyarrow", "pydantic_ai", "torch"}
CODE = """
import sys
from selftaught_builder.cli.app import main
sys.argv = ["selftaught", *sys.argv[1:]]
try:
    main()
except SystemExit as exit_:
    print("\\nexit", exit_.code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, "--help"], capture_output=True, text=True, check=True)
    _, code, *loaded = done.stdout.splitlines()[-1].split()
    assert code == "0"
    assert "typer" in loaded
    assert HEAVY.isdisjoint(loaded)
