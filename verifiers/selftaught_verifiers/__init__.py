"""Verifiers: pure functions that annotate rationales with verdicts. Never imports the builder."""

from selftaught_verifiers import answer, equations, hint_leak  # noqa: F401  (importing registers them)
from selftaught_verifiers.verdict import (
    Outcome,
    Question,
    Rationale,
    RowVerifier,
    Verdict,
    get_verifier,
    registered,
    row_verifier,
)

__all__ = [
    "Outcome",
    "Question",
    "Rationale",
    "RowVerifier",
    "Verdict",
    "get_verifier",
    "registered",
    "row_verifier",
]
