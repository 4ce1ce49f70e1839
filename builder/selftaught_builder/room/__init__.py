"""A room: the folder of one dataset, with its recipe, its few-shot rationales, its store and its built versions."""

from selftaught_builder.room.room import Room, open_room

__all__ = ["Room", "open_room"]
