"""Whom an endpoint verifier has asked, as the table `probed_models` has it."""

from __future__ import annotations

from datetime import UTC, datetime

from selftaught_builder.endpoints.base import Identity
from selftaught_builder.probing.verifier import EndpointVerifier, judge_identity
from selftaught_builder.store import Store

_LAST = """
SELECT endpoint, model, weights FROM probed_models WHERE verifier = ? AND version = ? ORDER BY asked_at DESC LIMIT 1
"""


def record_asked(store: Store, verifier: EndpointVerifier, identity: Identity) -> None:
    """Store whom a verifier begins to ask."""
    row = [verifier.name, verifier.version, identity.endpoint, identity.model, identity.weights, datetime.now(UTC)]
    with store.write() as connection:
        connection.execute("INSERT OR REPLACE INTO probed_models VALUES (?, ?, ?, ?, ?, ?)", row)


def last_asked(store: Store, verifier: EndpointVerifier) -> str | None:
    """Return what stands for the weights that a verifier with an endpoint of its own asked last, None where it never did."""
    with store.read() as connection:
        row = connection.execute(_LAST, [verifier.name, verifier.version]).fetchone()
    return judge_identity(Identity(*row)) if row else None
