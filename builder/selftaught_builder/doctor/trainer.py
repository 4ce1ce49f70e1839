"""The trainer's environment: found, Axolotl's version, and what it would train on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.doctor.finding import Finding
from selftaught_builder.training import Trainer, TrainingError

if TYPE_CHECKING:
    from selftaught_builder.recipe import Recipe


def examine_trainer(folder: Path | None = None, recipe: Recipe | None = None) -> list[Finding]:
    """Look for the trainer. That it is absent is a fault only where the recipe trains."""
    try:
        trainer = Trainer.find(folder)
    except TrainingError as error:
        if recipe and recipe.train:
            return [Finding("trainer", "fail", error.message, error.mend or "")]
        return [Finding("trainer", "ok", "not installed; only `train` in a recipe needs it")]
    findings = [Finding("trainer", "ok", f"Axolotl {trainer.version} on the {trainer.device}: {trainer.python}")]
    if recipe and recipe.train and recipe.train.device == "gpu" and trainer.device == "cpu":
        mend = (
            "Install the trainer's CUDA build on a machine with a GPU (docs/training.md), or set `train.device: cpu`."
        )
        findings.append(Finding("trainer", "fail", "`train.device` is gpu, and there is no usable GPU", mend))
    return findings
