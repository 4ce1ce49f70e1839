"""Serving: what starts a model's servers, changes their weights and stops them."""

from selftaught_builder.serving.base import Serving
from selftaught_builder.serving.pool import Opened, Pool, open_pool
from selftaught_builder.serving.serve import serve

__all__ = ["Opened", "Pool", "Serving", "open_pool", "serve"]
