"""Which serving each kind of endpoint has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings
from selftaught_builder.serving.base import Serving
from selftaught_builder.serving.standing import Standing


def serve(settings: EndpointSettings, room: Path) -> Serving:
    """Return the serving of one endpoint; nothing is started yet.

    Args:
        settings: the recipe's `endpoint` section; its replicas have servings of their own (`pool.Pool`).
        room: the recipe's folder; relative paths start there, and logs are kept in its `.selftaught/`.
    """
    match settings.kind:
        case "local":
            from selftaught_builder.serving.local.serving import LocalServing

            return LocalServing(settings, room)
        case "sglang":
            from selftaught_builder.serving.sglang.serving import SGLangServing

            return SGLangServing(settings, room)
        case "external":
            from selftaught_builder.serving.external import ExternalServing

            return ExternalServing(settings, room)
    return Standing(settings)
