"""What a server lists under /models, on the assumption that it may be anything."""

from __future__ import annotations

from typing import Any


def listed(listing: Any) -> list[dict[str, Any]]:
    """Return the rows of a /models reply that name a model; nothing where it lists nothing."""
    rows = listing.get("data") if isinstance(listing, dict) else None
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
