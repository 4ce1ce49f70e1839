"""The `local` serving: llama.cpp's own server around one model after the other, on this machine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.serving.base import Timed
from selftaught_builder.serving.local import LlamaServer, LocalModel, resolve_model
from selftaught_builder.serving.served import ServedEndpoint
from selftaught_builder.serving.supervised import how_it_ended, open_log

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings


class LocalServing(Timed):
    """A local model: a shipped name, a GGUF file or a Llama-family checkpoint's folder, which is converted once.

    A LoRA adapter has to be merged first: that is what Axolotl's `merge-lora` does, and llama.cpp reads adapters in a
    format of its own.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder, from which a relative path starts.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        super().__init__()
        self.settings, self._room = settings, room
        self._server: LlamaServer | None = None

    def load(self, model: str | Path | None = None) -> None:
        """Serve a model; see `Serving.load`."""
        named = str(model or self.settings.model)
        beside = self._room / named
        found = resolve_model(str(beside) if beside.exists() else named)
        if self._server and self._serves(self._server, found):
            return
        self.release()
        server = LlamaServer(found, slots=self.settings.slots, context=self.settings.context, log=self._log)
        self._server = server
        with self.timed():
            server.start()
        if self.closed:
            self.release()

    def release(self) -> None:
        """Stop the server."""
        server, self._server = self._server, None
        if server:
            server.stop()

    def client(self) -> ServedEndpoint:
        """Return a fresh endpoint of what is loaded."""
        server = self._server
        if server is None:
            raise RuntimeError("load a model first")
        served = self.settings.model_copy(update={"model": server.model.name})
        client = OpenAIEndpoint(served, base_url=server.base_url, slots=server.slots, weights=server.model.weights)
        return ServedEndpoint(client, endpoint="local", diagnose=self._diagnose)

    @cached_property
    def _log(self) -> Path:
        return open_log(self._room, "local")

    def _serves(self, server: LlamaServer, model: LocalModel) -> bool:
        alive = server.process is not None and server.process.poll() is None
        return alive and (server.model.weights, server.model.name) == (model.weights, model.name)

    def _diagnose(self) -> str:
        process = self._server.process if self._server else None
        status = process.poll() if process else None
        return "" if status is None else f"the model's server {how_it_ended(status)}, its log is {self._log}"
