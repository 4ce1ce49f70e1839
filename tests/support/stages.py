"""Stages by themselves, as the commands of their names run them; a spent budget is raised, so that tests can expect it."""

from __future__ import annotations

from typing import Any

from selftaught_builder.common.errors import BudgetStop
from selftaught_builder.export.version import Version
from selftaught_builder.room import Room
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.stages import export as export_stage
from selftaught_builder.stages import rationalize as rationalize_stage
from selftaught_builder.stages import sample as sample_stage
from selftaught_builder.stages import verify as verify_stage
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import Asked, StageResult
from selftaught_builder.stages.watcher import Silent, Watcher
from selftaught_builder.verification import Verified


def context(room: Room, watcher: Watcher | None = None, **at: Any) -> RoundContext:
    """Return what a stage is given: `number` names the round, `client` opens the pool that answers."""
    return RoundContext(Workspace(room), watcher or Silent(), **at)


def sample(room: Room, watcher: Watcher | None = None, **at: Any) -> Asked:
    """Sample, and return what was asked."""
    return _asked(sample_stage.sample(context(room, watcher, **at)))


def rationalize(room: Room, watcher: Watcher | None = None, **at: Any) -> Asked:
    """Rationalize, and return what was asked."""
    return _asked(rationalize_stage.rationalize(context(room, watcher, **at)))


def verify_room(room: Room, watcher: Watcher | None = None, **at: Any) -> tuple[Asked, Verified]:
    """Verify, and return what was asked and which verdicts were added."""
    result = verify_stage.verify_room(context(room, watcher, **at))
    return _asked(result), result.verified


def export(room: Room, **at: Any) -> Version:
    """Export, and return the version."""
    return export_stage.write_version(context(room, **at))


def check(room: Room) -> None:
    """Check what can be checked of a recipe without asking anybody."""
    _ = Workspace(room).filter


def _asked(result: StageResult) -> Asked:
    if isinstance(result.stop, BudgetStop):
        raise result.stop
    return result.asked or Asked()
