"""Endpoints: the models that answer, behind one small protocol (`base.Endpoint`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.endpoints.base import ERRORS, Endpoint, Identity, Reply, Request

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings

__all__ = ["ERRORS", "Endpoint", "Identity", "Reply", "Request", "open_endpoint"]


def open_endpoint(settings: EndpointSettings, room: Path) -> Endpoint:
    """Return the endpoint that a recipe names; enter it to start or reach it.

    Args:
        settings: the recipe's `endpoint` section.
        room: the recipe's folder; a local model's path is found from it.

    Raises:
        EndpointError: its settings are wrong, or an extra it needs is not installed.
    """
    match settings.kind:
        case "openai":
            from selftaught_builder.endpoints.openai import OpenAIEndpoint

            return OpenAIEndpoint(settings)
        case "litellm":
            from selftaught_builder.endpoints.litellm import LiteLLMEndpoint

            return LiteLLMEndpoint(settings)
        case "local":
            from selftaught_builder.endpoints.local.endpoint import LocalEndpoint

            return LocalEndpoint(settings, room)
