"""What can go wrong around a training, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.common.logs import last_lines

_MENDS = {
    "diverged": "Lower train.learning_rate (or raise train.warmup_steps).",
    "memory": "Lower train.micro_batch_size or train.sequence_len, or take a smaller model or the recipe `lora`.",
    "base_model": "train.base_model is a folder with config.json, *.safetensors and a tokenizer that has a chat template, or a "
    "hub id in reach.",
    "disk": "Free space there; running again trains this round anew.",
    "environment": "The trainer's environment is broken: remove it, and install it anew (docs/training.md).",
    "data": "Look at the dataset version. Rows longer than train.sequence_len are dropped: it may be too small.",
}


class TrainingError(InputError):
    """Training cannot begin: no trainer, or a broken one, an Axolotl YAML that is wrong, or no base model."""


class TrainingFailedError(TrainingError):
    """Training began and failed: it diverged, ran out of memory, or ended without a model."""

    exit_code = 1


def explain(event: Mapping[str, Any], yaml: Path, log: Path, place: Path | None = None) -> TrainingError:
    """Return the error for a `failed` event of the launcher; where its kind says too little, with the log's end.

    Its place is the log where no other is given.
    """
    kind, text, key = event["kind"], str(event["text"]), event.get("key")
    if kind == "yaml":
        where = f"{yaml}: {key}" if key else yaml
        return TrainingError(text, place=where, mend=event.get("mend") or "Axolotl's documentation lists its keys.")
    if kind == "base_model":
        return TrainingError(f"the base model cannot be loaded: {text}", place=yaml, mend=_MENDS[kind])
    if kind == "environment":
        return TrainingError(f"Axolotl cannot be loaded: {text}", place=event.get("python"), mend=_MENDS[kind])
    messages = {
        "memory": "training ran out of memory",
        "disk": f"the disk is full: {text}",
        "data": f"there is nothing to train on: {text}",
    }
    message = messages.get(kind, text)
    return TrainingFailedError(message, place=place or log, mend=_MENDS.get(kind) or _log_end(log))


def explain_death(code: int, yaml: Path, log: Path, place: Path | None = None) -> TrainingError:
    """Return the error for a launcher that ended with the exit status `code` and said nothing; see `explain`."""
    if code in (-9, 137):
        message = "the trainer was killed (SIGKILL): most often the system was out of memory"
        return TrainingFailedError(message, place=place or log, mend=_MENDS["memory"])
    message = f"the trainer was killed by signal {-code}" if code < 0 else f"the trainer ended with status {code}"
    return TrainingFailedError(f"{message} over {yaml.name}", place=place or log, mend=_log_end(log))


def _log_end(log: Path) -> str:
    lines = last_lines(log)
    return "\n  ".join(["The log ends:", *lines]) if lines else "The log says nothing."
