"""Verifiers: pure functions that annotate rationales with verdicts. Never imports the builder."""

from selftaught_verifiers import (  # noqa: F401  (importing registers them)
    answer,
    chance,
    code,
    degenerate,
    equations,
    gym,
    hint_leak,
    length_outlier,
    majority,
    near_duplicate,
    number_provenance,
)
from selftaught_verifiers.verdict import (
    Member,
    Outcome,
    Question,
    Rationale,
    Verdict,
    Verifier,
    get_verifier,
    group_verifier,
    registered,
    row_verifier,
)

__all__ = [
    "Member",
    "Outcome",
    "Question",
    "Rationale",
    "Verdict",
    "Verifier",
    "get_verifier",
    "group_verifier",
    "registered",
    "row_verifier",
]
