"""What a server lists under /models, on the assumption that it may be anything."""

from __future__ import annotations

import math
from typing import Any

from selftaught_builder.recipe import Prices

_DEAREST = 1.0
"""Dollars a token: a server that lists more means something else by its number."""


def listed(listing: Any) -> list[dict[str, Any]]:
    """Return the rows of a /models reply that name a model; nothing where it lists nothing."""
    rows = listing.get("data") if isinstance(listing, dict) else None
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def listed_prices(row: dict[str, Any]) -> Prices | None:
    """Return what a row says the model costs, as OpenRouter lists it: dollars a token, as text; None where it says nothing.

    A price for each request besides, or one that depends (-1), is as good as none.
    """
    pricing = row.get("pricing")
    if not isinstance(pricing, dict) or _dollars(pricing.get("request", 0)) != 0:
        return None
    each = [_dollars(pricing.get(name)) for name in ("prompt", "completion")]
    cached = _dollars(pricing.get("input_cache_read"))
    if each[0] is None or each[1] is None:
        return None
    return Prices(input=each[0] * 1e6, output=each[1] * 1e6, cached=None if cached is None else cached * 1e6)


def _dollars(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and 0 <= amount <= _DEAREST else None
