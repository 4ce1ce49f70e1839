"""Say which weights are served: a model's name and address stay the same from round to round, its weights do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from selftaught_builder.errors import EndpointError

_BLOCK = 1 << 20
# Everything beside the weights that decides what a checkpoint or an adapter answers to the same messages.
_BESIDE = (
    *("adapter_config.json", "chat_template.jinja", "config.json", "generation_config.json"),
    *("tokenizer.json", "tokenizer_config.json"),
)


def fingerprint_weights(path: Path) -> str:
    """Return `sha256:` and the first 32 hex digits of the SHA-256 over a GGUF file or a checkpoint folder.

    Of a folder the *.safetensors files count, and the files that shape what the weights answer (configuration,
    tokenizer, chat template), each with its name and size. Times and other files do not.

    Raises:
        EndpointError: nothing there to fingerprint, or not readable.
    """
    digest = hashlib.sha256()
    try:
        for file in _weight_files(path):
            if path.is_dir():
                digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            for block in _blocks(file):
                digest.update(block)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise EndpointError(problem, place=path, mend="Check the path and its rights.") from None
    return f"sha256:{digest.hexdigest()[:32]}"


def _weight_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise EndpointError("no *.safetensors in this folder", place=path, mend="Name a checkpoint's folder.")
    return weights + [file for name in _BESIDE if (file := path / name).is_file()]


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block
