"""Endpoints: the models that answer, behind one small protocol (`base.Endpoint`), and what serves them (`serving.Serving`)."""

from __future__ import annotations

from selftaught_builder.endpoints.base import ERRORS, Endpoint, Identity, Reply, Request
from selftaught_builder.endpoints.pool import Opened, Pool, open_pool
from selftaught_builder.endpoints.serving import Serving, serve

__all__ = [
    "ERRORS",
    "Endpoint",
    "Identity",
    "Opened",
    "Pool",
    "Reply",
    "Request",
    "Serving",
    "open_pool",
    "serve",
]
