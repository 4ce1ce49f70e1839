"""The `sglang` serving: one SGLang server, started by us or found running, and each round's weights brought into it.

There are three ways for weights to come in: start the server anew (`restart`), /update_weights_from_disk (`update_weights`),
and for LoRA /load_lora_adapter (`adapter`). Whichever it was, the server must then name the weights that were asked for:
the path, the weight_version, which we set to the weights' fingerprint, and the files behind the path where they are here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_place
from selftaught_builder.endpoints.control import Control
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.serving.base import Timed
from selftaught_builder.serving.checkpoint import Wanted, find_wanted
from selftaught_builder.serving.served import ServedEndpoint
from selftaught_builder.serving.sglang.adapters import ADAPTER_PREFIX, adapter_name, refuse_misfit, refuse_other_base
from selftaught_builder.serving.sglang.launch import plan_launch, wait_until_healthy
from selftaught_builder.serving.sglang.routes import UNSET, Routes, Served
from selftaught_builder.serving.sglang.running import LoadedModel, RunningServer, find_change
from selftaught_builder.serving.supervised import Supervised, open_log

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings


class SGLangServing(Timed):
    """An SGLang server.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        super().__init__()
        self.settings, self._room = settings, room
        swap = settings.sglang.swap
        self._swap = "update_weights" if settings.base_url is not None and swap == "restart" else swap
        self._own: Wanted | None = None
        self._server: RunningServer | None = None
        self._loaded: LoadedModel | None = None

    def load(self, model: str | Path | None = None) -> None:
        """Serve a model; see `Serving.load`."""
        wanted = self._own_model() if model is None else find_wanted(model, self._room)
        base = wanted if self._swap != "adapter" else self._own_model()
        refuse_misfit(wanted, base)
        with self.timed():
            self._loaded = None
            loaded = self._bring(base)
            if self._swap == "adapter":
                loaded = replace(loaded, adapter=wanted if wanted != base else None)
                self._bring_adapter(loaded)
            self._loaded = loaded

    def release(self) -> None:
        """Stop the server if we started it."""
        server, self._server = self._server, None
        self._loaded = None
        if server:
            server.end()

    def client(self) -> ServedEndpoint:
        """Return a fresh endpoint of what is loaded."""
        loaded = self._loaded
        if loaded is None:
            raise RuntimeError("load a model first")
        settings = self.settings.model_copy(update={"model": loaded.served.name})
        base_url = loaded.server.routes.control.base_url
        return ServedEndpoint(
            OpenAIEndpoint(settings, base_url=base_url, weights=loaded.weights),
            endpoint="sglang" if self.settings.base_url is None else None,
            model=loaded.name,
            extra={"lora_path": adapter_name(loaded.adapter)} if loaded.adapter else None,
            verify=loaded.verify,
            diagnose=loaded.server.diagnose,
        )

    @cached_property
    def _log(self) -> Path:
        return open_log(self._room, "sglang")

    def _own_model(self) -> Wanted:
        self._own = self._own or find_wanted(self.settings.model, self._room)
        return self._own

    def _bring(self, base: Wanted) -> LoadedModel:
        """Make the server serve a whole model, and return what it then says it serves."""
        server, brought = self._reach(base)
        served = server.routes.served()
        own = base == self._own
        if own and served.name == base.where != served.path:  # a server that is known by the recipe's name for it
            base = self._own = _seen_here(server, served, base)
        problem = server.problem(served, base, own=own)
        if problem and self._swap != "adapter":
            server.routes.update_weights(base.where, base.weights or UNSET, self.settings.sglang.startup)
            served, brought = server.routes.served(), True
            problem = server.problem(served, base, own=own)
        if not problem and brought:
            problem = find_change(served.path, base)
        if problem:
            raise server.mismatch(problem)
        return LoadedModel(server, base, served, own)

    def _reach(self, base: Wanted) -> tuple[RunningServer, bool]:
        """Return a server that is up, and whether it was started just now, with these weights."""
        if self._server and not (self._server.alive() and self._may_stay(self._server, base)):
            self.release()
        if self._server:
            return self._server, False
        if self.settings.base_url is None:
            return self._start(base), True
        control = Control(find_address(self.settings, self.settings.base_url))
        self._server = RunningServer(Routes(control, key_place(self.settings)))
        return self._server, False

    def _may_stay(self, server: RunningServer, base: Wanted) -> bool:
        """Whether a server can go on: one of ours under `restart` only if it has these weights already."""
        return self._swap != "restart" or not server.problem(server.routes.served(), base)

    def _start(self, base: Wanted) -> RunningServer:
        plan = plan_launch(self.settings, self._room, base)
        environment, limit = {"PYTHONUNBUFFERED": "1"}, self.settings.sglang.startup
        process = Supervised(plan.command, folder=self._room, environment=environment, keep=plan.keep, log=self._log)
        server = self._server = RunningServer(plan.routes, process)
        try:
            wait_until_healthy(process, plan.routes, base.where, limit, lambda: self.closed)
        except BaseException:
            self.release()
            raise
        return server

    def _bring_adapter(self, loaded: LoadedModel) -> None:
        """Load the adapter wanted, and unload those of other rounds."""
        routes, adapter, limit = loaded.server.routes, loaded.adapter, self.settings.sglang.startup
        name = adapter_name(adapter) if adapter else None
        present = routes.adapters()
        for other in present:
            if other.startswith(ADAPTER_PREFIX) and other != name:
                routes.unload_adapter(other, limit)
        if adapter is None or name is None or name in present:
            return
        refuse_other_base(adapter, loaded.served.path)
        routes.load_adapter(name, adapter.where, limit)
        problem = find_change(adapter.where, adapter)
        if name not in routes.adapters():
            problem = f"does not list the adapter {name} after loading it"
        if problem:
            raise loaded.server.mismatch(problem)


def _seen_here(server: RunningServer, served: Served, base: Wanted) -> Wanted:
    """Return a model that the server calls as the recipe does, with the place and the weights that it has there."""
    here = server.routes.control.on_this_machine and Path(served.path).is_dir()
    return replace(base, where=served.path, weights=fingerprint_weights(Path(served.path)) if here else None)
