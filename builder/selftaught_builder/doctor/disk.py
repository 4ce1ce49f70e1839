"""Disk space: what is free against what a run will take, roughly and rather too much."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.common.paths import expand
from selftaught_builder.doctor.finding import Finding, size

if TYPE_CHECKING:
    from selftaught_builder.recipe import Recipe

_LITTLE = 1_000_000_000
_TOKEN_BYTES, _ATTEMPT_BYTES = 4, 2_000
_PREPARED_BYTES = 500_000_000


def examine_disk(folder: Path, recipe: Recipe | None = None, questions: int | None = None) -> list[Finding]:
    """Compare the space free where a room lies with what its run will need.

    Args:
        folder: the room's folder.
        recipe: its recipe, None where there is none: then a gigabyte is little.
        questions: how many questions are asked, None where nobody counted them.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    need, what = needed(recipe, questions) if recipe else (0, "")
    text = f"{size(free)} free" + (f"; a run takes at most about {size(need)}: {what}" if what else "")
    if need > free:
        mend = "Make room, or put the room on a larger disk; an interrupted run goes on where it stopped."
        return [Finding("disk", "fail", text, mend)]
    if free < max(_LITTLE, 2 * need):
        return [Finding("disk", "warn", text, "Make room before a long run.")]
    return [Finding("disk", "ok", text)]


def needed(recipe: Recipe, questions: int | None) -> tuple[int, str]:
    """Return about how many bytes a run writes, and of what.

    An attempt is counted with every token that it may have, twice (journal and store), and 2 kB for its row and verdicts; a
    training with two copies of its base model (checkpoint and what is served) and half a gigabyte of prepared data.
    """
    parts, total = [], 0
    if questions is not None:
        attempts = questions * (recipe.sample.k + recipe.rationalize.k) * recipe.rounds.count
        total += attempts * (2 * recipe.sample.max_tokens * _TOKEN_BYTES + _ATTEMPT_BYTES)
        parts.append(f"{attempts:,} attempts")
    if recipe.train:
        base = expand(recipe.train.base_model or recipe.endpoint.model)
        base = base if base.is_absolute() else recipe.folder / base
        weights = sum(file.stat().st_size for file in base.glob("*") if file.is_file()) if base.is_dir() else 0
        total += recipe.rounds.count * (2 * weights + _PREPARED_BYTES)
        unknown = "" if weights else " (the base model's size is not known here)"
        parts.append(f"{recipe.rounds.count} checkpoints{unknown}")
    return total, ", ".join(parts)
