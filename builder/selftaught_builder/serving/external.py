"""The `external` serving: the user's own command brings the model up, wherever that is, and we wait until it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.common.backoff import backoff
from selftaught_builder.common.errors import EndpointError
from selftaught_builder.endpoints.address import find_address
from selftaught_builder.endpoints.api_key import key_place
from selftaught_builder.endpoints.control import Control
from selftaught_builder.endpoints.openai import OpenAIEndpoint
from selftaught_builder.endpoints.replies import NAME_LIMIT
from selftaught_builder.serving.base import Timed
from selftaught_builder.serving.checkpoint import Wanted, find_wanted
from selftaught_builder.serving.served import ServedEndpoint
from selftaught_builder.serving.supervised import Supervised, how_it_ended, open_log

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings, ExternalSettings

_POLL_SECONDS, _LONGEST_POLL = 0.25, 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """What the start command has brought up, or is about to.

    Attributes:
        process: the command; it may have ended well and left a job behind.
        model: what it serves.
    """

    process: Supervised
    model: Wanted

    def diagnose(self) -> str:
        """Return what became of the command, "" while it runs."""
        status = self.process.status()
        if status is None:
            return ""
        log = f"its log is {self.process.log}"
        return f"the start command {how_it_ended(status)}, {log}" if status else log


class ExternalServing(Timed):
    """A server that `endpoint.external.start` brings up at `endpoint.base_url`.

    A checkpoint is served under a name that ends with its fingerprint's first digits; the server must list that name before
    it counts as up. So an old server that still answers at the address is never taken for the new one.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder, in which the commands run.
    """

    def __init__(self, settings: EndpointSettings, room: Path) -> None:
        super().__init__()
        assert settings.external is not None  # noqa: S101 - the recipe is checked for it
        assert settings.base_url is not None  # noqa: S101
        self.settings, self._room = settings, room
        self._external: ExternalSettings = settings.external
        self._base_url: str = settings.base_url
        self._running: Running | None = None

    def load(self, model: str | Path | None = None) -> None:
        """Serve a model; see `Serving.load`."""
        wanted = find_wanted(self.settings.model if model is None else model, self._room)
        if wanted.weights:
            wanted = replace(wanted, name=f"{wanted.name}-{wanted.weights.removeprefix('sha256:')[:8]}")
        control = Control(find_address(self.settings, self._base_url))
        if self._running and wanted == self._running.model and _lists(control, wanted):
            return
        self.release()
        with self.timed():
            self._start(wanted, control)

    def release(self) -> None:
        """End what `start` left running with it, and run `stop`."""
        running, self._running = self._running, None
        if running:
            running.process.end()

    def client(self) -> ServedEndpoint:
        """Return a fresh endpoint of what is loaded."""
        running = self._running
        if running is None:
            raise RuntimeError("load a model first")
        settings = self.settings.model_copy(update={"model": running.model.name})
        return ServedEndpoint(OpenAIEndpoint(settings, weights=running.model.weights), diagnose=running.diagnose)

    @cached_property
    def _log(self) -> Path:
        return open_log(self._room, "external")

    def _start(self, wanted: Wanted, control: Control) -> None:
        environment = {
            "SELFTAUGHT_MODEL": wanted.where,
            "SELFTAUGHT_SERVED_NAME": wanted.name,
            "SELFTAUGHT_BASE_URL": control.base_url,
        }
        process = Supervised(
            self._external.start,
            folder=self._room,
            environment=environment,
            keep={*self._external.environment, *([self.settings.api_key_env] if self.settings.names_a_key else [])},
            log=self._log,
            stop=self._external.stop or (),
        )
        self._running = Running(process, wanted)
        try:
            self._wait(process, wanted, control)
        except BaseException:
            self.release()
            raise

    def _wait(self, process: Supervised, wanted: Wanted, control: Control) -> None:
        """Return when the model answers; a command that has ended well may have left a job behind that will."""
        limit, polls = self._external.startup, 0
        deadline = time.monotonic() + limit
        while not (_lists(control, wanted) and _generates(control, wanted)):
            status = process.status()
            problem = ""
            if status:
                problem = f"the start command {how_it_ended(status)}"
            elif self.closed:
                problem = "the start was broken off"
            elif control.ask("models")[0] in (401, 403):
                problem = f"{control.base_url} refuses the API key in {key_place(self.settings)}"
            elif time.monotonic() > deadline:
                names = ", ".join(row["id"][:NAME_LIMIT] for row in control.models()[:5]) or "nothing"
                problem = f"{control.base_url} does not serve `{wanted.name}` within {limit:g} s (it lists: {names})"
            if problem:
                mend = (
                    f"It has to serve $SELFTAUGHT_MODEL there as $SELFTAUGHT_SERVED_NAME. "
                    f"Variables that look like keys reach it where `external.environment` lists them. "
                    f"Its log is {process.log}, and ends:\n{control.scrub(process.last_lines())}"
                )
                raise EndpointError(problem, place=" ".join(self._external.start), mend=mend)
            time.sleep(backoff(polls, first=_POLL_SECONDS, longest=_LONGEST_POLL, factor=1.5))
            polls += 1


def _lists(control: Control, wanted: Wanted) -> bool:
    return any(row["id"] == wanted.name for row in control.models())


def _generates(control: Control, wanted: Wanted) -> bool:
    """Whether the server gets as far as to answer: some list their model while it is still loading."""
    body = {"model": wanted.name, "prompt": "1", "max_tokens": 1}
    return 0 < control.ask("completions", body, timeout=60.0)[0] < 500
