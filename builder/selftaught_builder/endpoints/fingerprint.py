"""Say which weights are served: a model's name and address stay the same from round to round, its weights do not."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError

_BLOCK = 1 << 20
_SETTLED_SECONDS = 2.0  # a clock of files may be this coarse: what changed a moment ago may change again unseen
_hashed: dict[tuple[Any, ...], str] = {}
# Everything beside the weights that decides what a checkpoint or an adapter answers to the same messages.
_BESIDE = (
    *("adapter_config.json", "chat_template.jinja", "config.json", "generation_config.json"),
    *("tokenizer.json", "tokenizer_config.json"),
)


def fingerprint_weights(path: Path) -> str:
    """Return `sha256:` and the first 32 hex digits of the SHA-256 over a GGUF file or a checkpoint folder.

    Of a folder the *.safetensors files count, and the files that shape what the weights answer (configuration,
    tokenizer, chat template), each with its name and size. Times and other files do not. Within a process the same
    files are read once (large ones take minutes), as long as inode, size and times say that they are the same.

    Raises:
        EndpointError: nothing there to fingerprint, or not readable.
    """
    try:
        files = _weight_files(path)
        state = _state(path, files)
        if state in _hashed:
            return _hashed[state]
        settled = time.time_ns() - max(max(one[-2:]) for one in state[1:]) > _SETTLED_SECONDS * 1e9
        found = _hash(files, named=path.is_dir())
        if settled and _state(path, files) == state:
            _hashed[state] = found
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise EndpointError(problem, place=path, mend="Check the path and its rights.") from None
    return found


def _hash(files: list[Path], *, named: bool) -> str:
    digest = hashlib.sha256()
    for file in files:
        if named:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        for block in _blocks(file):
            digest.update(block)
    return f"sha256:{digest.hexdigest()[:32]}"


def _state(path: Path, files: list[Path]) -> tuple[Any, ...]:
    """Return what changes with the files' contents. They are opened: network file systems look anew only then."""
    states = []
    for file in files:
        with file.open("rb") as stream:
            found = os.fstat(stream.fileno())
        states.append((file.name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return (path.is_dir(), *states)


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
