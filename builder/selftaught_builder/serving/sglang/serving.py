"""The `sglang` serving: one SGLang server, started by us or found running, and each round's weights brought into it.

There are three ways for weights to come in: start the server anew (`restart`), /update_weights_from_disk (`update_weights`),
and for LoRA /load_lora_adapter (`adapter`). Whichever it was, the server must then name the weights that were asked for:
the path, the weight_version, which we set to the weights' fingerprint, and the files behind the path where they are here.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.common.paths import expand
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_place
from selftaught_builder.endpoints.control import Control
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.endpoints.weights import named_weights
from selftaught_builder.serving.base import Timed
from selftaught_builder.serving.checkpoint import Wanted, find_wanted
from selftaught_builder.serving.ports import check_port, free_port
from selftaught_builder.serving.served import ServedEndpoint
from selftaught_builder.serving.sglang.options import INSTALL, Option, installed_options, render_arguments
from selftaught_builder.serving.sglang.routes import UNSET, Routes, Served
from selftaught_builder.serving.supervised import Supervised, how_it_ended, open_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from selftaught_builder.recipe import EndpointSettings

_ADAPTER_PREFIX = "selftaught-"
_POLL_SECONDS = 0.25
# What SGLang needs to be told where it starts without an adapter; the recipe's own arguments come after these.
_LORA = {"enable_lora": True, "max_lora_rank": 64, "lora_target_modules": ["all"]}


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What `load` brought in and saw served: the whole model, and the adapter on it, if any."""

    base: Wanted
    served: Served
    adapter: Wanted | None = None


class SGLangServing(Timed):
    """An SGLang server.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        super().__init__()
        self.settings, self._room = settings, room
        self._found_running = settings.base_url is not None
        swap = settings.sglang.swap
        self._args = {name.lstrip("-").replace("-", "_"): value for name, value in settings.sglang.args.items()}
        self._swap = "update_weights" if self._found_running and swap == "restart" else swap
        self._log: Path | None = None
        self._process: Supervised | None = None
        self._routes: Routes | None = None
        self._own: Wanted | None = None
        self._loaded: _Loaded | None = None

    def load(self, model: str | Path | None = None) -> None:
        """Serve a model; see `Serving.load`."""
        wanted = self._own_model() if model is None else find_wanted(model, self._room)
        base = wanted if self._swap != "adapter" else self._own_model()
        self._refuse_misfit(wanted, base)
        with self.timed():
            self._loaded = None
            loaded = self._bring(base)
            if self._swap == "adapter":
                loaded = replace(loaded, adapter=wanted if wanted != base else None)
                self._bring_adapter(loaded.adapter, loaded.served)
            self._loaded = loaded

    def release(self) -> None:
        """Stop the server where we started it."""
        process, self._process = self._process, None
        self._loaded, self._routes = None, None
        if process:
            process.end()

    def client(self) -> ServedEndpoint:
        """Return a fresh endpoint of what is loaded."""
        assert self._loaded is not None, "load a model first"  # noqa: S101
        assert self._routes is not None  # noqa: S101 - said for the type checker
        base, served, adapter = self._loaded.base, self._loaded.served, self._loaded.adapter
        weights = (adapter or base).weights or _reported_weights(served)
        settings = self.settings.model_copy(update={"model": served.name})
        return ServedEndpoint(
            OpenAIEndpoint(settings, base_url=self._routes.control.base_url, weights=weights),
            endpoint=None if self._found_running else "sglang",
            model=(adapter or base).name,
            extra={"lora_path": _adapter_name(adapter)} if adapter else None,
            verify=self._verify_loaded,
            diagnose=self._diagnose,
        )

    def command(self, base: Wanted, port: int, options: Mapping[str, Option] | None) -> list[str]:
        """Return the command that starts the server.

        Args:
            base: the model to start with.
            port: where to listen.
            options: what this SGLang understands, None where that is not known.

        Raises:
            RecipeError: an argument that it does not understand.
        """
        ours: dict[str, Any] = {
            "model_path": base.where,
            "served_model_name": base.name.replace(":", "-"),  # SGLang reads BASE:ADAPTER
            "host": "127.0.0.1",
            "port": port,
        }
        if base.weights and (options is None or "weight_version" in options):
            ours["weight_version"] = base.weights
        if self._swap == "adapter":
            ours |= _LORA
        words = render_arguments({**ours, **self._args, "port": port}, options)
        return [str(self._python()), "-m", "sglang.launch_server", *words]

    def _own_model(self) -> Wanted:
        self._own = self._own or find_wanted(self.settings.model, self._room)
        return self._own

    def _refuse_misfit(self, wanted: Wanted, base: Wanted) -> None:
        if base.adapter:
            mend = "Merge it first (`axolotl merge-lora`), or set `endpoint.sglang.swap: adapter` and name its base."
            raise EndpointError("this is a LoRA adapter, not a whole model", place=base.where, mend=mend)
        if wanted != base and not wanted.adapter:
            mend = "Keep the adapter unmerged, or set `endpoint.sglang.swap` to restart or update_weights."
            raise EndpointError("this is no LoRA adapter", place=wanted.where, mend=mend)

    def _bring(self, base: Wanted) -> _Loaded:
        """Make the server serve a whole model, and return what it then says it serves."""
        if self._process and (self._process.status() is not None or not self._may_stay(base)):
            self.release()
        brought = False
        if self._routes is None:
            if self.settings.base_url is not None:
                control = Control(find_address(self.settings, self.settings.base_url))
                self._routes = Routes(control, key_place(self.settings))
            else:
                self._start(base)
                brought = True
        routes = self._routes
        assert routes is not None  # noqa: S101 - said for the type checker
        served = routes.served()
        own = base == self._own
        if own and served.name == base.where != served.path:  # a server that is known by the recipe's name for it
            here = routes.control.on_this_machine and Path(served.path).is_dir()
            weights = fingerprint_weights(Path(served.path)) if here else None
            base = self._own = replace(base, where=served.path, weights=weights)
        if self._problem(served, base, own=own):
            if self._swap == "adapter":
                raise self._mismatch(self._problem(served, base, own=own))
            routes.update_weights(base.where, base.weights or UNSET, self.settings.sglang.startup)
            served, brought = routes.served(), True
        problem = self._problem(served, base, own=own)
        if not problem and brought:
            problem = self._changed(served.path, base)
        if problem:
            raise self._mismatch(problem)
        return _Loaded(base, served)

    def _may_stay(self, base: Wanted) -> bool:
        """Whether a server of ours can go on: under `restart` only where it has these weights already."""
        return self._swap != "restart" or (self._routes is not None and not self._problem(self._routes.served(), base))

    def _bring_adapter(self, adapter: Wanted | None, served: Served) -> None:
        """Load the adapter wanted, and unload those of other rounds."""
        routes = self._routes
        assert routes is not None  # noqa: S101 - said for the type checker
        name, limit = _adapter_name(adapter) if adapter else None, self.settings.sglang.startup
        loaded = routes.adapters()
        for other in loaded:
            if other.startswith(_ADAPTER_PREFIX) and other != name:
                routes.unload_adapter(other, limit)
        if adapter is None or name is None or name in loaded:
            return
        self._check_base(adapter, served)
        routes.load_adapter(name, adapter.where, limit)
        problem = self._changed(adapter.where, adapter)
        if name not in routes.adapters():
            problem = f"does not list the adapter {name} after loading it"
        if problem:
            raise self._mismatch(problem)

    def _check_base(self, adapter: Wanted, served: Served) -> None:
        """Refuse an adapter that was trained from a folder with other weights than the server's."""
        config: Any = {}
        with suppress(OSError, ValueError):
            config = json.loads((Path(adapter.where) / "adapter_config.json").read_text("utf-8"))
        named = config.get("base_model_name_or_path") if isinstance(config, dict) else None
        if not isinstance(named, str) or named == served.path or not Path(named).is_dir():
            return
        here = Path(served.path)
        if not here.is_dir() or fingerprint_weights(Path(named)) == fingerprint_weights(here):
            return
        raise EndpointError(
            f"the adapter was trained from {named}, and the server serves {served.path}",
            place=adapter.where,
            mend="Train each round from the base (`train.init: base`), or serve merged checkpoints.",
        )

    def _problem(self, served: Served, wanted: Wanted, *, own: bool = False) -> str:
        """Return why what is served cannot be what is wanted, "" where it can.

        Args:
            served: what the server says.
            wanted: what it should serve.
            own: whether that is the recipe's own model, which its user may have started without a version.
        """
        if served.path != wanted.where and not _same_folder(served.path, wanted.where):
            return f"serves {served.path}, not {wanted.where}"
        unset = served.version in (None, "", UNSET)
        if served.version == wanted.weights or (
            unset and (own or wanted.weights is None or self._told_by_path(served))
        ):
            return ""
        return f"serves {served.path} with weight_version {served.version}, not {wanted.weights or UNSET}"

    def _told_by_path(self, served: Served) -> bool:
        """Whether the path is all that there is to go by: of a server that we started, or an old one on this machine."""
        assert self._routes is not None  # noqa: S101 - said for the type checker
        return self._process is not None or (served.version is None and self._routes.control.on_this_machine)

    def _changed(self, path: str, wanted: Wanted) -> str:
        """Return what is wrong where the files that were loaded are not those that were fingerprinted, else ""."""
        if wanted.weights is None or not Path(path).is_dir():
            return ""
        found = fingerprint_weights(Path(path))
        return "" if found == wanted.weights else f"serves {path}, whose weights are {found}, not {wanted.weights}"

    def _verify_loaded(self) -> None:
        """Raise EndpointError where the server no longer serves what was loaded."""
        assert self._loaded is not None  # noqa: S101 - there is a client only of what is loaded
        assert self._routes is not None  # noqa: S101
        served, loaded = self._routes.served(), self._loaded
        problem = self._problem(served, loaded.base, own=loaded.base == self._own)
        if not problem and loaded.adapter and _adapter_name(loaded.adapter) not in self._routes.adapters():
            problem = f"has lost the adapter {loaded.adapter.where}"
        if problem:
            raise self._mismatch(problem)

    def _mismatch(self, problem: str) -> EndpointError:
        assert self._routes is not None  # noqa: S101 - said for the type checker
        mend = "Nothing was asked. Check who else changes this server's weights, and that it sees the same disk."
        return EndpointError(problem, place=self._routes.control.base_url, mend=mend)

    def _start(self, base: Wanted) -> None:
        options = installed_options(self._python())
        host = str(self._args.get("host", "127.0.0.1"))
        port = int(self._args.get("port", 0))
        if port:
            check_port(host, port)
        else:
            port = free_port(host)
        command = self.command(base, port, options)
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - the user's own choice
        reached = f"[{reached}]" if ":" in reached else reached
        routes = Routes(Control(find_address(self.settings, f"http://{reached}:{port}/v1")), key_place(self.settings))
        self._log = self._log or open_log(self._room, "sglang")
        environment = {"PYTHONUNBUFFERED": "1"}
        keep = {*self.settings.sglang.environment, *([] if base.weights else ["HF_TOKEN"])}  # an id is the hub's
        self._process = Supervised(command, folder=self._room, environment=environment, keep=keep, log=self._log)
        try:
            self._wait(self._process, routes, base)
        except BaseException:
            self.release()
            raise
        self._routes = routes

    def _wait(self, process: Supervised, routes: Routes, base: Wanted) -> None:
        limit = self.settings.sglang.startup
        deadline = time.monotonic() + limit
        while True:
            status = process.status()
            if status is None and routes.healthy():  # of a server that has ended, another may have the port
                return
            problem = ""
            if status is not None:
                problem = f"SGLang {how_it_ended(status)} while loading"
            elif self.closed:
                problem = "the start of SGLang was broken off"
            elif time.monotonic() > deadline:
                problem = f"SGLang did not load the model within {limit:g} s"
            if problem:
                mend = f"Its log is {process.log}, and ends:\n{routes.control.scrub(process.last_lines())}"
                raise EndpointError(problem, place=base.where, mend=mend)
            time.sleep(_POLL_SECONDS)

    def _python(self) -> Path:
        """Return the interpreter of SGLang's environment, as a path that does not follow a venv's links."""
        given = self.settings.sglang.python
        candidates = [self._room / expand(given), expand(given)]
        if "/" not in given and (found := shutil.which(given)):
            candidates.append(Path(found))
        for path in candidates:
            if path.is_file():
                return path.absolute()
        mend = f"{INSTALL}name its interpreter in `endpoint.sglang.python` (docs/serving.md)."
        raise EndpointError("no such interpreter", place=given, mend=mend)

    def _diagnose(self) -> str:
        status = self._process.status() if self._process else None
        return "" if status is None else f"SGLang {how_it_ended(status)}, its log is {self._log}"


def _adapter_name(adapter: Wanted) -> str:
    """Return an adapter's name on the server; it holds the fingerprint, so that it stands for no other weights."""
    return f"{_ADAPTER_PREFIX}{(adapter.weights or '').removeprefix('sha256:')[:16]}"


def _same_folder(left: str, right: str) -> bool:
    with suppress(OSError):
        return Path(left).is_dir() and Path(left).samefile(right)
    return False


def _reported_weights(served: Served) -> str:
    if served.version in (None, "", UNSET):
        return UNKNOWN_WEIGHTS
    return named_weights(served.path, served.version)
