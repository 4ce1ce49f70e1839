"""selftaught: audited rationale datasets from questions with known answers.

From Python: `open_store(path).sql(query)` gives a polars frame; `open_room`, `load_recipe` and the modules of `stages` are
what the command line is made of.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selftaught_builder.recipe import Recipe, load_recipe
    from selftaught_builder.room.room import Room, open_room
    from selftaught_builder.store import Store, open_store

__all__ = ["Recipe", "Room", "Store", "load_recipe", "open_room", "open_store"]

_HOMES = {
    "Recipe": "recipe",
    "load_recipe": "recipe",
    "Room": "room",
    "open_room": "room",
    "Store": "store",
    "open_store": "store",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `selftaught --help` starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
