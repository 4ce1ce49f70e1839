"""The newest dataset version of a room, and the attempts in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from selftaught_builder.room.room import Room
from selftaught_builder.store import Store


@dataclass(frozen=True)
class Newest:
    """The newest version of a room's dataset, as the store recorded it.

    Attributes:
        name: `v3-1a2b3c4d`; "" where there is none yet.
        made: when it was exported.
        policy: its policy on one line.
        attempts: the attempts in it.
        earlier: the attempts in an earlier version, and not in this one.
    """

    name: str
    made: datetime | None
    policy: str
    attempts: frozenset[str]
    earlier: frozenset[str]


_NEWEST = """
SELECT v.version, v.created_at, v.policy
FROM dataset_versions v
LEFT JOIN stages s ON s.run = ? AND s.stage = 'export' AND s.detail ->> 'version' = v.version
WHERE v.recipe_name = ?
GROUP BY ALL ORDER BY bool_or(v.run = ? OR s.run IS NOT NULL) DESC, max(v.number) DESC LIMIT 1
"""


def newest_version(store: Store, room: Room) -> Newest:
    """Return the newest version that the room's run exported; where it has none, the newest of its recipe."""
    recipe, run = room.recipe, room.run
    with store.read() as connection:
        found = connection.execute(_NEWEST, [run, recipe.name, run]).fetchone()
        if not found:
            return Newest("", None, "", frozenset(), frozenset())
        rows = connection.execute(
            "SELECT attempt, bool_or(version = ?) FROM dataset_rows WHERE recipe_name = ? GROUP BY attempt",
            [found[0], recipe.name],
        ).fetchall()
    within = frozenset(attempt for attempt, newest in rows if newest)
    earlier = frozenset(attempt for attempt, newest in rows if not newest)
    return Newest(*found, within, earlier)
