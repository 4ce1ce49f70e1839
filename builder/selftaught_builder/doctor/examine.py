"""The whole examination, in the order in which a run would meet its parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.common.paths import expand
from selftaught_builder.doctor.disk import examine_disk
from selftaught_builder.doctor.environment import examine_environment
from selftaught_builder.doctor.finding import Finding, noting
from selftaught_builder.doctor.keys import examine_keys
from selftaught_builder.doctor.trainer import examine_trainer

if TYPE_CHECKING:
    from selftaught_builder.recipe import Recipe
    from selftaught_builder.room.room import Room


def examine(path: Path | None = None, *, endpoint: bool = True) -> Iterator[Finding]:
    """Examine this machine, and a room where one is given; yield what is found as it is found.

    Args:
        path: the room's folder or recipe; without it only what every room shares is looked at.
        endpoint: whether the room's endpoint may be asked: about seven requests of at most 32 tokens.
    """
    opened: list[Finding] = []
    room = _open(path, opened) if path else None
    recipe = room.recipe if room else None
    yield from examine_environment(_extras(recipe))
    yield from opened
    yield from examine_keys(recipe)
    questions: int | None = None
    if room:
        from selftaught_builder.doctor.store import examine_store

        counted: list[Finding] = []
        with noting("questions", counted):
            questions = _count(room, counted)
        yield from counted
        yield from examine_store(room.store_path)
    yield from examine_disk(room.store_path.parent if room else Path.cwd(), recipe, questions)
    yield from examine_trainer(room.folder if room else None, recipe)
    if room and endpoint:
        from selftaught_builder.doctor.endpoint import examine_endpoint

        yield from examine_endpoint(room)


def _open(path: Path, findings: list[Finding]) -> Room | None:
    """Open the room, and check what a run checks before it asks anything: recipe, prompts, verifiers, policy."""
    from selftaught_builder.room.room import open_room
    from selftaught_builder.selection.filter import compile_filter

    room = None
    with noting("recipe", findings):
        room = open_room(path)
        _ = room.prompter
        compile_filter(room.recipe)
        who = room.recipe.endpoint
        findings.append(Finding("recipe", "ok", f"{room.recipe.name}: {who.kind}, {who.model}"))
    return room


def _count(room: Room, findings: list[Finding]) -> int | None:
    """Count the questions, where reading them neither costs network nor fills a cache."""
    from selftaught_builder.questions.sources import is_remote

    settings = room.recipe.questions
    if is_remote(settings) or (settings.source and (room.folder / expand(settings.source)).is_dir()):
        findings.append(Finding("questions", "ok", "not read here; `selftaught questions` reads and counts them"))
        return settings.limit
    count = len(room.questions.questions)
    findings.append(Finding("questions", "ok", f"{count:,} to sample"))
    return count


def _extras(recipe: Recipe | None) -> set[str]:
    if recipe is None:
        return set()
    gym = {"gym"} if (recipe.questions.source or "").startswith("gym://") else set()
    return gym | ({door.kind for door in recipe.endpoint.doors} & {"local", "litellm"})
