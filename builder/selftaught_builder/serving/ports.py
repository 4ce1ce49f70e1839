"""Ports on this machine."""

from __future__ import annotations

import socket

from selftaught_builder.common.errors import EndpointError


def check_port(host: str, port: int) -> None:
    """Raise EndpointError where a server could not listen here."""
    try:
        with socket.create_server((host, port), family=_family(host)):
            return
    except (OSError, OverflowError) as error:
        problem = f"port {port} is not free: {error}"
        raise EndpointError(problem, place=host, mend="Name another port, or 0 for a free one.") from None


def free_port(host: str) -> int:
    """Return a port that is free now; another program may take it before it is used."""
    try:
        with socket.create_server((host, 0), family=_family(host)) as listening:
            return listening.getsockname()[1]
    except OSError as error:
        raise EndpointError(f"cannot listen here: {error}", place=host, mend="Name this machine's address.") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
