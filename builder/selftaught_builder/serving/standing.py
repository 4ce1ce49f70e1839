"""A server or provider that is there already, and whose weights are not ours to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.serving.base import Timed

if TYPE_CHECKING:
    from selftaught_builder.endpoints.base import Endpoint
    from selftaught_builder.recipe import EndpointSettings


class Standing(Timed):
    """A server or provider that is there already and whose weights are not ours to change (`openai`, `litellm`)."""

    takes_checkpoints = False

    def __init__(self, settings: EndpointSettings) -> None:
        super().__init__()
        self.settings = settings

    def load(self, model: str | Path | None = None) -> None:
        """Do nothing for the recipe's own model, and refuse any other."""
        if model is not None and str(model) != self.settings.model:
            raise EndpointError(
                f"`{self.settings.kind}` serves what it serves, and cannot be given {model}",
                place="endpoint.kind",
                mend="To serve checkpoints use local, sglang or external (docs/serving.md).",
            )

    def client(self) -> Endpoint:
        """Return a fresh endpoint."""
        if self.settings.kind == "litellm":
            from selftaught_builder.endpoints.litellm import LiteLLMEndpoint

            return LiteLLMEndpoint(self.settings)
        from selftaught_builder.endpoints.openai import OpenAIEndpoint

        return OpenAIEndpoint(self.settings)
