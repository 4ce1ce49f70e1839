"""Which weights a server serves, as far as it tells.

A model name and a URL do not identify weights: the next round's checkpoint stands under the same ones. SGLang, llama.cpp
and vLLM name the files they serve; on this machine those are hashed. What nobody tells is `unknown`, and said so.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.endpoints.listing import listed

_LONGEST = 300

Get = Callable[[str], Awaitable[tuple[int, Any]]]


async def served_weights(get: Get, model: str, *, on_this_machine: bool) -> str:
    """Return a fingerprint of the weights that a server has, or `unknown`.

    Whatever the server says, this raises nothing, and what it returns is short and printable.

    Args:
        get: asks for a path of the server, as `Control.ask` does; it raises nothing.
        model: the model asked for.
        on_this_machine: whether the files that the server names are here.
    """
    # SGLang calls the second name deprecated; older ones know no other.
    sglang = await _ask(get, "/model_info") or await _ask(get, "/get_model_info")
    version = sglang.get("weight_version")
    if isinstance(version, str) and version not in ("", "default"):
        return named_weights(sglang.get("model_path"), version)
    if not on_this_machine:
        return UNKNOWN_WEIGHTS
    llama_cpp = await _ask(get, "/props")
    listing = await _ask(get, "models")
    roots = [row.get("root") for row in listed(listing) if row["id"] == model]
    for path in (sglang.get("model_path"), llama_cpp.get("model_path"), *roots):
        if isinstance(path, str) and path.startswith("/"):
            found = await asyncio.to_thread(_fingerprint, Path(path))
            if found:
                return found
    return UNKNOWN_WEIGHTS


def named_weights(path: object, version: str) -> str:
    """Return a fingerprint out of SGLang's names for its weights; a digest of them where they are no names to be shown."""
    name = f"{path if isinstance(path, str) else ''}@{version}"
    if len(name) > _LONGEST or not name.isprintable():
        name = f"sha256:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    return f"weight_version:{name}"


def _fingerprint(path: Path) -> str | None:
    """Hash what a server names; None for what cannot be: another format, no rights, or no file at all but a pipe, say."""
    try:
        return fingerprint_weights(path) if path.is_dir() or path.is_file() else None
    except (EndpointError, OSError):
        return None


async def _ask(get: Get, path: str) -> dict[str, Any]:
    status, body = await get(path)
    return body if status == 200 and isinstance(body, dict) else {}
