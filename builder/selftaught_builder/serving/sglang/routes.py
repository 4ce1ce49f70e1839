"""SGLang's routes for what it serves: asking, and changing it (sglang/srt/entrypoints/http_server.py, release 0.5.23)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.control import Control

DRAIN_SECONDS = 60.0
"""How long requests that others have under way may hold a change of weights up."""

UNSET = "default"
"""SGLang's weight_version where nobody set one."""

_LONGEST_NAME = 4096

# What SGLang says where it has changed the weights but not flushed its cache, for requests that are running.
_BUSY = ("running", "queued", "flush")


@dataclass(frozen=True, slots=True)
class Served:
    """What an SGLang server says of itself.

    Attributes:
        path: the folder or id its weights were loaded from.
        name: the model's name; it becomes the path when weights are updated.
        version: the weight_version; `default` where none was set, None where this SGLang knows of none.
    """

    path: str
    name: str
    version: str | None


class Routes:
    """The routes of one server.

    Args:
        control: its door.
        key_place: where its key stands, for errors.
    """

    def __init__(self, control: Control, key_place: str) -> None:
        self.control, self._key_place = control, key_place

    def healthy(self) -> bool:
        """Whether the server generates."""
        return self.control.ask("/health")[0] == 200

    def served(self) -> Served:
        """Return what is served.

        Raises:
            EndpointError: no reply, or no SGLang.
        """
        status, body = self.control.ask("/model_info")
        if status == 404:
            status, body = self.control.ask("/get_model_info")
        if status == 200 and isinstance(body, dict) and _is_name(path := body.get("model_path")):
            rows = [row for row in self.control.models() if not row.get("parent")]
            name = body.get("served_model_name") or (rows[0]["id"] if rows else path)
            version = body.get("weight_version")
            if _is_name(name) and (_is_name(version) or not isinstance(version, str)):
                return Served(path, name, version if isinstance(version, str) else None)
        raise self._failure("does not say as SGLang what it serves", status, body)

    def update_weights(self, path: str, version: str, limit: float) -> None:
        """Change the weights to those at `path`, a folder or id as the server sees it.

        SGLang answers 400 while requests are under way, with the weights changed but the old cache in place; so it is asked
        again until they are through.

        Args:
            path: where the weights are.
            version: the weight_version to report from now on.
            limit: seconds that loading may take.

        Raises:
            EndpointError: it refuses.
        """
        body = {"model_path": path, "weight_version": version, "abort_all_requests": False, "flush_cache": True}
        deadline = time.monotonic() + DRAIN_SECONDS
        while True:
            status, reply = self.control.ask("/update_weights_from_disk", body, timeout=limit)
            if status == 200 and isinstance(reply, dict) and reply.get("success") is True:
                return
            busy = status == 400 and any(word in _message(reply).lower() for word in _BUSY)
            if not busy or time.monotonic() > deadline:
                raise self._failure(f"does not take the weights of {path}", status, reply)
            time.sleep(0.5)

    def adapters(self) -> list[str]:
        """Return the names of the LoRA adapters that are loaded."""
        return [row["id"] for row in self.control.models() if row.get("parent")]

    def load_adapter(self, name: str, path: str, limit: float) -> None:
        """Load a LoRA adapter from a folder; requests ask for it by `lora_path: name` (the model's name alone gets the base).

        Raises:
            EndpointError: it refuses: LoRA is not enabled, say, or the adapter's rank is larger than `max_lora_rank`.
        """
        body = {"lora_name": name, "lora_path": path}
        status, reply = self.control.ask("/load_lora_adapter", body, timeout=limit)
        if status != 200:
            raise self._failure(f"does not take the adapter {path}", status, reply)

    def unload_adapter(self, name: str, limit: float) -> None:
        """Unload a LoRA adapter.

        Raises:
            EndpointError: it refuses.
        """
        status, reply = self.control.ask("/unload_lora_adapter", {"lora_name": name}, timeout=limit)
        if status != 200:
            raise self._failure(f"does not unload the adapter {name}", status, reply)

    def _failure(self, problem: str, status: int, reply: Any) -> EndpointError:
        place = self.control.base_url
        if status == 0:
            return EndpointError(f"cannot be reached: {reply}", place=place, mend="Check that the server is up.")
        if status in (401, 403):
            mend = f"Put a key that may do this into {self._key_place}."
            return EndpointError(f"refuses the API key (HTTP {status})", place=place, mend=mend)
        return EndpointError(problem, place=place, mend=f"It says (HTTP {status}): {_message(reply)[:600]}")


def _is_name(value: Any) -> TypeGuard[str]:
    """Whether a server may call something so; a path is no longer than that, either."""
    return isinstance(value, str) and len(value) < _LONGEST_NAME


def _message(reply: Any) -> str:
    if isinstance(reply, dict):
        return str(reply.get("message") or reply.get("error_message") or reply.get("error") or reply)
    return str(reply)
