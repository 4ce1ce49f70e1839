"""Verifiers: pure functions that annotate rationales with verdicts. Never imports the builder."""

# Importing a module registers its verifiers; docs/verifiers.md has a section on each.
from selftaught_verifiers.answer import answer as _answer  # noqa: F401
from selftaught_verifiers.code import code as _code  # noqa: F401
from selftaught_verifiers.form import degenerate as _degenerate  # noqa: F401
from selftaught_verifiers.groups import chance as _chance  # noqa: F401
from selftaught_verifiers.groups import length_outlier as _length_outlier  # noqa: F401
from selftaught_verifiers.groups import majority as _majority  # noqa: F401
from selftaught_verifiers.groups import near_duplicate as _near_duplicate  # noqa: F401
from selftaught_verifiers.gym import gym as _gym  # noqa: F401
from selftaught_verifiers.hints import leak as _leak  # noqa: F401
from selftaught_verifiers.reasoning import equations as _equations  # noqa: F401
from selftaught_verifiers.reasoning import number_provenance as _number_provenance  # noqa: F401
from selftaught_verifiers.verdict.verdict import (
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
