"""Verification: run the recipe's verifiers over the attempts that lack their verdicts.

Costs no generation and can be repeated at will: a new version of a verifier adds verdicts beside the old ones. Row verifiers
see an attempt, group verifiers a question's attempts, queries the whole store; users' own run where they can be killed.
"""

from selftaught_builder.verification.broken import Broken, broken_verifiers
from selftaught_builder.verification.chosen import Chosen, chosen_verifiers, versions_of
from selftaught_builder.verification.verify import Verified, pending, verify

__all__ = ["Broken", "Chosen", "Verified", "broken_verifiers", "chosen_verifiers", "pending", "verify", "versions_of"]
