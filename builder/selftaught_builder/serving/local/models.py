"""Which file a local model is: a shipped name, a GGUF file, or a checkpoint that is converted once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.paths import expand, model_name
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.serving.local.gguf import CONVERTER, convert_llama
from selftaught_builder.serving.local.smollm2 import SMOLLM2, find_smollm2

_SMALL_BYTES = 60_000_000


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that can be served here.

    Attributes:
        gguf: the file to serve.
        name: the model's name, which the server will list.
        weights: the fingerprint of what the user named; of the checkpoint where `gguf` was converted from one.
    """

    gguf: Path
    name: str
    weights: str


def default_cache() -> Path:
    """Return where converted models are kept: $SELFTAUGHT_CACHE, or ~/.cache/selftaught."""
    given = os.environ.get("SELFTAUGHT_CACHE")
    return expand(given) if given else Path.home() / ".cache" / "selftaught"


def resolve_model(model: str, cache: Path | None = None, *, dtype: str = "f16") -> LocalModel:
    """Return the model that `model` names: `smollm2-135m-instruct`, a .gguf file, or a folder with a Llama checkpoint.

    A checkpoint is converted once, into `cache` (`default_cache()` where None), under its fingerprint.

    Raises:
        EndpointError: nothing here by that name, or not readable.
        InputError: the checkpoint cannot be converted.
    """
    if model == SMOLLM2:
        return LocalModel(path := find_smollm2(), SMOLLM2, fingerprint_weights(path))
    path = expand(model)
    if path.suffix == ".gguf" and path.is_file():
        return LocalModel(path, path.stem, fingerprint_weights(path))
    if path.is_dir():
        weights = fingerprint_weights(path)
        return LocalModel(
            _convert_once(path, cache or default_cache(), weights, dtype), model_name(path.resolve()), weights
        )
    raise EndpointError(
        "no model by this name on this machine",
        place=model,
        mend=f"Name {SMOLLM2}, a .gguf file, or a folder with a Llama-family checkpoint (config.json, tokenizer.json, "
        "*.safetensors). A server that is already running is `kind: openai` with its `base_url`.",
    )


def _convert_once(checkpoint: Path, cache: Path, weights: str, dtype: str) -> Path:
    out = cache / "gguf" / f"{weights.removeprefix('sha256:')}-{dtype}-v{CONVERTER}.gguf"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return out if out.is_file() else convert_llama(checkpoint, out, dtype)
    except OSError as error:
        problem = f"cannot write the converted model: {error.strerror}"
        raise EndpointError(problem, place=out.parent, mend="Set SELFTAUGHT_CACHE to a folder with space.") from None


def default_slots(gguf: Path) -> int:
    """Return how many requests to serve at once: 8 for a model over 60 MB, 32 for a tiny one."""
    return 32 if gguf.is_file() and gguf.stat().st_size <= _SMALL_BYTES else 8
