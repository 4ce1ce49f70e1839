from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def read_rows() -> Callable[[str], list[dict]]:
    """Read a JSON Lines file of the data folder that SELFTAUGHT_DATA names."""
    folder = os.environ.get("SELFTAUGHT_DATA")

    def read(name: str) -> list[dict]:
        if not folder or not (Path(folder) / name).is_file():
            pytest.skip(f"SELFTAUGHT_DATA names no folder with {name}")
        with (Path(folder) / name).open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return read


@pytest.fixture(scope="session")
def gsm8k(read_rows: Callable[[str], list[dict]]) -> list[dict]:
    return [row for name in ("train-0", "train-1", "test") for row in read_rows(f"gsm8k/{name}.jsonl")]
