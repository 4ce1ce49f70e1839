"""Models served on this machine by llama.cpp's own server, out of a wheel. Needs the extra `local`."""

from selftaught_builder.serving.local.models import LocalModel, default_cache, default_slots, resolve_model
from selftaught_builder.serving.local.server import LlamaServer

__all__ = ["LlamaServer", "LocalModel", "default_cache", "default_slots", "resolve_model"]
