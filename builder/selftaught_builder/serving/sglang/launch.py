"""Starting an SGLang server: its interpreter, its command line and address, and the wait until it generates."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.paths import expand
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_place
from selftaught_builder.endpoints.control import Control
from selftaught_builder.serving.checkpoint import Wanted
from selftaught_builder.serving.ports import check_port, free_port
from selftaught_builder.serving.sglang.options import INSTALL, Option, installed_options, render_arguments
from selftaught_builder.serving.sglang.routes import Routes
from selftaught_builder.serving.supervised import Supervised, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Mapping

    from selftaught_builder.recipe import EndpointSettings, SGLangSettings

_POLL_SECONDS = 0.25
# What SGLang needs to be told when it starts without an adapter; the recipe's own arguments come after these.
_LORA = {"enable_lora": True, "max_lora_rank": 64, "lora_target_modules": ["all"]}


@dataclass(frozen=True, slots=True)
class Launch:
    """A start that nothing speaks against so far.

    Attributes:
        command: the program and its arguments.
        routes: where the server will answer.
        keep: names of variables that look like keys and reach the server all the same.
    """

    command: list[str]
    routes: Routes
    keep: frozenset[str]


def plan_launch(settings: EndpointSettings, room: Path, base: Wanted) -> Launch:
    """Return how to start a server with a model.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder.
        base: the model to start with.

    Raises:
        EndpointError: no interpreter, no SGLang in its environment, or a port that is taken.
        RecipeError: an argument that this SGLang does not understand.
    """
    python = _find_python(settings.sglang.python, room)
    options = installed_options(python)
    given = _given(settings.sglang)
    host, port = str(given.get("host", "127.0.0.1")), int(given.get("port", 0))
    if port:
        check_port(host, port)
    else:
        port = free_port(host)
    command = launch_command(python, settings.sglang, base, port, options)
    routes = Routes(Control(find_address(settings, _base_url(host, port))), key_place(settings))
    hub = [] if base.weights else ["HF_TOKEN"]  # an id is the hub's
    return Launch(command, routes, frozenset([*settings.sglang.environment, *hub]))


def launch_command(
    python: Path, settings: SGLangSettings, base: Wanted, port: int, options: Mapping[str, Option] | None
) -> list[str]:
    """Return the command that starts the server.

    Args:
        python: the interpreter of SGLang's environment.
        settings: the recipe's `endpoint.sglang` section.
        base: the model to start with.
        port: where to listen.
        options: what this SGLang understands, None when that is not known.

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
    if settings.swap == "adapter":
        ours |= _LORA
    words = render_arguments({**ours, **_given(settings), "port": port}, options)
    return [str(python), "-m", "sglang.launch_server", *words]


def wait_until_healthy(
    process: Supervised, routes: Routes, model: str, limit: float, is_closed: Callable[[], bool]
) -> None:
    """Return when a server that was started generates.

    Args:
        process: the server's.
        routes: the server's.
        model: what it loads, for an error.
        limit: seconds that loading may take.
        is_closed: whether nobody waits for it any more.

    Raises:
        EndpointError: it ended, took too long, or is not waited for any more.
    """
    deadline = time.monotonic() + limit
    while True:
        status = process.status()
        if status is None and routes.healthy():  # of a server that has ended, another may have the port
            return
        problem = ""
        if status is not None:
            problem = f"SGLang {how_it_ended(status)} while loading"
        elif is_closed():
            problem = "the start of SGLang was broken off"
        elif time.monotonic() > deadline:
            problem = f"SGLang did not load the model within {limit:g} s"
        if problem:
            mend = f"Its log is {process.log}, and ends:\n{routes.control.scrub(process.last_lines())}"
            raise EndpointError(problem, place=model, mend=mend)
        time.sleep(_POLL_SECONDS)


def _given(settings: SGLangSettings) -> dict[str, Any]:
    """Return the recipe's own arguments by SGLang's names for them."""
    return {name.lstrip("-").replace("-", "_"): value for name, value in settings.args.items()}


def _base_url(host: str, port: int) -> str:
    """Return where a server that listens there is reached from this machine."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - the user's own choice
    return f"http://[{reached}]:{port}/v1" if ":" in reached else f"http://{reached}:{port}/v1"


def _find_python(given: str, room: Path) -> Path:
    """Return the interpreter of SGLang's environment, as a path that does not follow a venv's links."""
    candidates = [room / expand(given), expand(given)]
    if "/" not in given and (found := shutil.which(given)):
        candidates.append(Path(found))
    for path in candidates:
        if path.is_file():
            return path.absolute()
    mend = f"{INSTALL}name its interpreter in `endpoint.sglang.python` (docs/serving.md)."
    raise EndpointError("no such interpreter", place=given, mend=mend)
