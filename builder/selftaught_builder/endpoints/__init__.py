"""Endpoints: one request to one server, behind one small protocol (`base.Endpoint`)."""

from selftaught_builder.endpoints.base import ERRORS, Endpoint, Identity, Reply, Request

__all__ = ["ERRORS", "Endpoint", "Identity", "Reply", "Request"]
