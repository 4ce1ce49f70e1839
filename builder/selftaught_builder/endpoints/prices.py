"""What an endpoint charges, as far as anybody says: the recipe, or the map that litellm carries."""

from __future__ import annotations

from collections.abc import Sequence

from selftaught_builder.recipe import EndpointSettings, Prices


def known_prices(settings: EndpointSettings) -> Prices | None:
    """Return the prices of an endpoint's model; None where they are unknown, which is not zero.

    Raises:
        EndpointError: litellm is asked for and not installed.
    """
    if settings.prices or settings.kind != "litellm":
        return settings.prices
    from selftaught_builder.endpoints.litellm import mapped_prices

    return mapped_prices(settings.model)


def dearest(prices: Sequence[Prices | None]) -> Prices | None:
    """Return the most that any of several endpoints charges; None where one of them is unknown."""
    known = [each for each in prices if each]
    if len(known) < len(prices):
        return None
    return Prices(input=max(each.input for each in known), output=max(each.output for each in known))
