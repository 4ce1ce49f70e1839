"""LoRA adapters: what they are called on a server, and which base they belong to."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.serving.checkpoint import Wanted

ADAPTER_PREFIX = "selftaught-"
"""How the names of our adapters begin; those of others are left alone."""


def adapter_name(adapter: Wanted) -> str:
    """Return an adapter's name on the server; it holds the fingerprint, so that it stands for no other weights."""
    return f"{ADAPTER_PREFIX}{(adapter.weights or '').removeprefix('sha256:')[:16]}"


def refuse_misfit(wanted: Wanted, base: Wanted) -> None:
    """Check that a whole model is wanted, or an adapter on one.

    Args:
        wanted: what is to answer.
        base: the whole model under it; the same when no adapter is wanted.

    Raises:
        EndpointError: an adapter in the place of a model, or the other way round.
    """
    if base.adapter:
        mend = "Merge it first (`axolotl merge-lora`), or set `endpoint.sglang.swap: adapter` and name its base."
        raise EndpointError("this is a LoRA adapter, not a whole model", place=base.where, mend=mend)
    if wanted != base and not wanted.adapter:
        mend = "Keep the adapter unmerged, or set `endpoint.sglang.swap` to restart or update_weights."
        raise EndpointError("this is no LoRA adapter", place=wanted.where, mend=mend)


def refuse_other_base(adapter: Wanted, served: str) -> None:
    """Check that an adapter was not trained from a folder with other weights than the server's.

    Args:
        adapter: the adapter.
        served: the path that the server loaded its weights from.

    Raises:
        EndpointError: it was.
    """
    config: Any = {}
    with suppress(OSError, ValueError):
        config = json.loads((Path(adapter.where) / "adapter_config.json").read_text("utf-8"))
    named = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(named, str) or named == served or not Path(named).is_dir():
        return
    here = Path(served)
    if not here.is_dir() or fingerprint_weights(Path(named)) == fingerprint_weights(here):
        return
    raise EndpointError(
        f"the adapter was trained from {named}, and the server serves {served}",
        place=adapter.where,
        mend="Train each round from the base (`train.init: base`), or serve merged checkpoints.",
    )
