"""An SGLang server that is up, and the model that it serves: what it must say of itself to be believed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.endpoints.fingerprint import fingerprint_weights
from selftaught_builder.endpoints.weights import named_weights
from selftaught_builder.serving.checkpoint import Wanted
from selftaught_builder.serving.sglang.adapters import adapter_name
from selftaught_builder.serving.sglang.routes import UNSET, Routes, Served
from selftaught_builder.serving.supervised import Supervised, how_it_ended


@dataclass(frozen=True, slots=True)
class RunningServer:
    """An SGLang server.

    Attributes:
        routes: its routes.
        process: what we started; None for a server that was found running.
    """

    routes: Routes
    process: Supervised | None = None

    def alive(self) -> bool:
        """Whether it has not ended, as far as we can tell."""
        return self.process is None or self.process.status() is None

    def end(self) -> None:
        """Stop it, if we started it."""
        if self.process:
            self.process.end()

    def diagnose(self) -> str:
        """Return what became of it, "" when nothing is known."""
        status = self.process.status() if self.process else None
        if self.process is None or status is None:
            return ""
        return f"SGLang {how_it_ended(status)}, its log is {self.process.log}"

    def problem(self, served: Served, wanted: Wanted, *, own: bool = False) -> str:
        """Return why what is served cannot be what is wanted, "" when it can.

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

    def mismatch(self, problem: str) -> EndpointError:
        """Return the error of a server that serves something else than it was told to."""
        mend = "Nothing was asked. Check who else changes this server's weights, and that it sees the same disk."
        return EndpointError(problem, place=self.routes.control.base_url, mend=mend)

    def _told_by_path(self, served: Served) -> bool:
        """Whether the path is all that there is to go by: of a server that we started, or an old one on this machine."""
        return self.process is not None or (served.version is None and self.routes.control.on_this_machine)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What was brought into a server and then seen served.

    Attributes:
        server: the server.
        base: the whole model.
        served: what the server said of it.
        own: whether that is the recipe's own model.
        adapter: the adapter on it, if any.
    """

    server: RunningServer
    base: Wanted
    served: Served
    own: bool
    adapter: Wanted | None = None

    @property
    def name(self) -> str:
        """The name of what answers."""
        return (self.adapter or self.base).name

    @property
    def weights(self) -> str:
        """The fingerprint of what answers, or what the server calls its weights."""
        if found := (self.adapter or self.base).weights:
            return found
        if self.served.version in (None, "", UNSET):
            return UNKNOWN_WEIGHTS
        return named_weights(self.served.path, self.served.version)

    def verify(self) -> None:
        """Ask once more what is served.

        Raises:
            EndpointError: it is something else by now.
        """
        problem = self.server.problem(self.server.routes.served(), self.base, own=self.own)
        if not problem and self.adapter and adapter_name(self.adapter) not in self.server.routes.adapters():
            problem = f"has lost the adapter {self.adapter.where}"
        if problem:
            raise self.server.mismatch(problem)


def find_change(path: str, wanted: Wanted) -> str:
    """Return what is wrong when the files that were loaded are not those that were fingerprinted, else ""."""
    if wanted.weights is None or not Path(path).is_dir():
        return ""
    found = fingerprint_weights(Path(path))
    return "" if found == wanted.weights else f"serves {path}, whose weights are {found}, not {wanted.weights}"


def _same_folder(left: str, right: str) -> bool:
    with suppress(OSError):
        return Path(left).is_dir() and Path(left).samefile(right)
    return False
