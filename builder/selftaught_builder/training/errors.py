"""What can go wrong around a training, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selftaught_builder.errors import InputError

_MENDS = {
    "diverged": "Lower train.learning_rate (or raise train.warmup_steps).",
    "memory": "Lower train.micro_batch_size or train.sequence_len, or take a smaller model or the recipe `lora`.",
    "base_model": "train.base_model is a folder with config.json, *.safetensors and a tokenizer that has a chat template, or a "
    "hub id in reach.",
    "data": "Look at the dataset version. Rows longer than train.sequence_len are dropped: it may be too small.",
}


class TrainingError(InputError):
    """Training cannot begin: no trainer, an Axolotl YAML that is wrong, or no base model."""


class TrainingFailedError(TrainingError):
    """Training began and failed: it diverged, ran out of memory, or ended without a model."""

    exit_code = 1


def explain(event: Mapping[str, Any], yaml: Path, log: Path) -> TrainingError:
    """Return the error for a `failed` event of the launcher; where its kind says too little, with the log's end."""
    kind, text, key = event["kind"], str(event["text"]), event.get("key")
    if kind == "yaml":
        place = f"{yaml}: {key}" if key else yaml
        return TrainingError(text, place=place, mend=event.get("mend") or "Axolotl's documentation lists its keys.")
    if kind == "base_model":
        return TrainingError(f"the base model cannot be loaded: {text}", place=yaml, mend=_MENDS[kind])
    messages = {"memory": "training ran out of memory", "data": f"there is nothing to train on: {text}"}
    message = messages.get(kind, text)
    return TrainingFailedError(message, place=log, mend=_MENDS.get(kind) or last_lines(log))


def explain_death(code: int, yaml: Path, log: Path) -> TrainingError:
    """Return the error for a launcher that ended with the exit status `code` and said nothing."""
    if code in (-9, 137):
        message = "the trainer was killed (SIGKILL): most often the system was out of memory"
        return TrainingFailedError(message, place=log, mend=_MENDS["memory"])
    message = f"the trainer was killed by signal {-code}" if code < 0 else f"the trainer ended with status {code}"
    return TrainingFailedError(f"{message} over {yaml.name}", place=log, mend=last_lines(log))


def last_lines(log: Path, count: int = 8) -> str:
    """Return the last lines of a log that say something."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 65536))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "There is no log."
    lines = [line[:300] for line in text.replace("\r", "\n").splitlines() if line.strip()][-count:]
    return "\n  ".join(["The log ends:", *lines])
