"""Dataset versions and Axolotl YAMLs to train with, Axolotl's own judgement of them, and who stands in for it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selftaught_builder.recipe import Train
from selftaught_builder.training import Order, Trainer, render_yaml

JUDGE = Path(__file__).parents[1] / "training" / "judge.py"


def write_version(folder: Path, rows: int = 32, first: int = 1) -> Path:
    """Write a dataset version of sums with the columns that matter here; return its folder."""
    (folder / "data").mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist([row_of(n) for n in range(first, first + rows)]),
        folder / "data" / "train-00000-of-00001.parquet",
    )
    (folder / "README.md").write_text("---\npretty_name: sums\n---\n")
    return folder


def row_of(n: int) -> dict[str, Any]:
    rationale = f"{n} + 7 = {n + 7}. The answer is {n + 7}."
    messages = [
        {"role": "user", "content": f"How much is {n} + 7?"},
        {"role": "assistant", "content": rationale},
    ]
    return {"messages": messages, "question": f"{n} + 7", "answer": str(n + 7), "rationale": rationale}


def write_yaml(folder: Path, data: Path, base_model: Path | str, steps: int = 3, **train: Any) -> Path:
    """Render the YAML of one training into its fresh folder; return the file."""
    folder.mkdir(parents=True)
    given = {"learning_rate": 0.01, "warmup_steps": 0, "sequence_len": 128, **train}
    settings = Train.model_validate(given if "/" not in train.get("recipe", "") else train)
    file = folder / "axolotl.yaml"
    file.write_text(render_yaml(settings, Order(data, str(base_model), folder, steps), folder.parent, "cpu"))
    return file


def judge(trainer: Trainer, cases: list[dict[str, Any]]) -> list[Any]:
    """Let Axolotl's schema judge many YAMLs in one process; one event, or None, for each."""
    command = [trainer.python, JUDGE]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def interpreter(folder: Path, *command: str | Path) -> Path:
    """Write a trainer's interpreter that runs something else."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
    python.chmod(0o755)
    return python
