"""Endpoint verifiers: they ask a model about an attempt.

What they ask are attempts of kind `probed`: journalled, never asked twice, counted in `spending`, and never judged, exported or
counted as attempts at a question. The verdict is made of those that are there, and asking and judging are two things: whoever
has the store can judge without any endpoint.
"""

from selftaught_builder.probing.choosing import ENDPOINT_VERIFIERS
from selftaught_builder.probing.verifier import EndpointVerifier

__all__ = ["ENDPOINT_VERIFIERS", "EndpointVerifier"]
