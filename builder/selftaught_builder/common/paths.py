"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def expand(name: str | Path) -> Path:
    """Return a path with `~` read as a home folder; as it stands where it names nobody's, which pathlib raises for."""
    return Path(os.path.expanduser(name))


def model_name(folder: Path) -> str:
    """Return what to call a checkpoint: its folder's name, or the one above where that says no more than `model`."""
    while folder.name in ("model", "merged"):
        folder = folder.parent
    return folder.name
