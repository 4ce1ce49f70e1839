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
from urllib.parse import urlsplit

import aiohttp

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.endpoints.listing import listed

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_LONGEST = 300

Get = Callable[[str], Awaitable[tuple[int, Any]]]


async def served_weights(get: Get, base_url: str, model: str) -> str:
    """Return a fingerprint of the weights behind `base_url`, or `unknown`.

    Whatever the server says, this raises nothing, and what it returns is short and printable.

    Args:
        get: fetches a URL and returns (status, parsed JSON or None).
        base_url: the OpenAI routes' root.
        model: the model asked for.
    """
    parts = urlsplit(base_url)
    root = f"{parts.scheme}://{parts.netloc}"
    # SGLang calls the second name deprecated; older ones know no other.
    sglang = await _ask(get, f"{root}/model_info") or await _ask(get, f"{root}/get_model_info")
    version = sglang.get("weight_version")
    if isinstance(version, str) and version not in ("", "default"):
        return named_weights(sglang.get("model_path"), version)
    if parts.hostname not in LOOPBACK:
        return UNKNOWN_WEIGHTS
    llama_cpp = await _ask(get, f"{root}/props")
    listing = await _ask(get, f"{base_url}/models")
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


async def _ask(get: Get, url: str) -> dict[str, Any]:
    try:
        status, body = await get(url)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return {}
    return body if status == 200 and isinstance(body, dict) else {}
