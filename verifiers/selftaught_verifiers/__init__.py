"""Verifiers: pure functions that annotate rationales with verdicts. Never imports the builder."""

from selftaught_verifiers import answer, equations, hint_leak  # noqa: F401  (importing registers them)
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
