"""What a running SGLang must say of itself to be believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selftaught_builder.endpoints.address import Address
from selftaught_builder.endpoints.control import Control
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.serving.checkpoint import Wanted
from selftaught_builder.serving.serve import serve
from selftaught_builder.serving.sglang.adapters import adapter_name
from selftaught_builder.serving.sglang.routes import Routes, Served
from selftaught_builder.serving.sglang.running import LoadedModel, RunningServer, find_change
from support.sglang import write_model

WANTED = Wanted("/models/base", "base", "sha256:aa")


def found(url: str = "http://127.0.0.1:9/v1") -> RunningServer:
    """Return a server that was found running."""
    return RunningServer(Routes(Control(Address(url)), "OPENAI_API_KEY"))


@pytest.mark.parametrize(
    ("path", "version", "wanted", "own", "told"),
    [
        ("/models/base", "sha256:aa", WANTED, False, ""),
        ("/models/base", "sha256:bb", WANTED, True, "weight_version sha256:bb, not sha256:aa"),
        ("/models/other", "sha256:aa", WANTED, True, "serves /models/other, not /models/base"),
        ("/models/base", "default", WANTED, False, "weight_version default, not sha256:aa"),
        ("/models/base", "default", WANTED, True, ""),  # its user started it, without a version
        ("/models/base", None, WANTED, False, ""),  # an old one on this machine
        ("org/base", "default", Wanted("org/base", "base"), False, ""),  # nobody knows its weights
    ],
)
def test_what_is_served_is_what_is_wanted_or_said(
    path: str, version: str | None, wanted: Wanted, own: bool, told: str
) -> None:
    problem = found().problem(Served(path, "base", version), wanted, own=own)
    assert (told in problem) if told else problem == ""


def test_an_old_server_elsewhere_is_not_known_by_a_path() -> None:
    elsewhere = found("http://models.invalid/v1")
    assert "weight_version None" in elsewhere.problem(Served("/models/base", "base", None), WANTED)


def test_two_paths_to_one_folder_are_one(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", "base")
    (tmp_path / "link").symlink_to(folder)
    wanted = Wanted(str(folder), "base", fingerprint_weights(folder))
    assert found().problem(Served(str(tmp_path / "link"), "base", wanted.weights), wanted) == ""


def test_files_that_changed_after_they_were_fingerprinted_are_found(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", "base")
    wanted = Wanted(str(folder), "base", fingerprint_weights(folder))
    assert find_change(str(folder), wanted) == find_change("/nowhere", wanted) == ""
    write_model(folder, "other")
    assert find_change(str(folder), wanted).endswith(f"not {wanted.weights}")


def test_a_server_that_was_found_running_is_not_ended_and_nothing_is_known_of_it() -> None:
    server = found()
    server.end()
    assert (server.alive(), server.diagnose()) == (True, "")


def test_what_answers_is_the_adapter_or_the_model_under_it() -> None:
    loaded = LoadedModel(found(), WANTED, Served("/models/base", "base", "v1"), own=True)
    assert (loaded.name, loaded.weights) == ("base", "sha256:aa")
    adapter = Wanted("/lora", "lora", "sha256:0123456789abcdef0123", adapter=True)
    loaded = LoadedModel(found(), WANTED, Served("/models/base", "base", "v1"), own=True, adapter=adapter)
    assert (loaded.name, loaded.weights) == ("lora", adapter.weights)
    assert adapter_name(adapter) == "selftaught-0123456789abcdef"
    hub = LoadedModel(found(), Wanted("org/m", "m"), Served("org/m", "m", "v1"), own=True)
    assert hub.weights == "weight_version:org/m@v1"


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "local"},
        {"kind": "sglang"},
        {"kind": "external", "base_url": "http://127.0.0.1:9/v1", "external": {"start": ["true"]}},
    ],
    ids=lambda given: given["kind"],
)
def test_there_is_no_client_before_a_model_is_loaded(tmp_path: Path, given: dict[str, Any]) -> None:
    serving = serve(EndpointSettings.model_validate({"model": "m", **given}), tmp_path)
    with pytest.raises(RuntimeError, match="load a model first"):
        serving.client()
    serving.release()
    assert not (tmp_path / ".selftaught").exists()
