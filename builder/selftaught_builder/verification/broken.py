"""Verifiers that crash, hang or fail on some attempts: such attempts are unscorable, and that is no verdict on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selftaught_builder.scope.scope import Scope
from selftaught_builder.scope.table import scoped
from selftaught_builder.store import Store

_REASON = 200
_CRASHED, _BROKEN = "verifier crashed: ", "verifier (crashed|hung|failed): .*"

# Nearly always nobody; and telling the newest verdicts apart takes ten times as long.
_SUSPECTS = f"""
    SELECT DISTINCT verifier FROM verdicts WHERE outcome = 'unscorable' AND regexp_full_match(reason, '{_BROKEN}', 's')"""

# Of several verdicts on an attempt the one added last counts, as in `attempts_wide`.
_COUNT = """
    WITH newest AS (
        SELECT v.verifier, arg_max(v.outcome, v.rowid) AS outcome, arg_max(v.reason, v.rowid) AS reason
        FROM scoped s JOIN verdicts v USING (attempt)
        WHERE v.verifier = ? AND v.version = ? GROUP BY v.verifier, v.attempt)
    SELECT count(*), count(*) FILTER (broken), mode(reason) FILTER (broken), count(DISTINCT reason) FILTER (broken)
    FROM (SELECT *, outcome = 'unscorable' AND regexp_full_match(reason, '{broken}', 's') AS broken FROM newest)"""


@dataclass(frozen=True)
class Broken:
    """A verifier that gave no verdict where it should have.

    Attributes:
        verifier: its name.
        attempts: attempts that it was run on.
        broken: those of them that it crashed, hung or failed on.
        reason: what happened most often.
        reasons: how many different things happened.
    """

    verifier: str
    attempts: int
    broken: int
    reason: str
    reasons: int

    @property
    def line(self) -> str:
        """All of it in a line; the reason is text from outside."""
        others = f" (the most frequent of {self.reasons:,} reasons)" if self.reasons > 1 else ""
        return f"{self.verifier}: {self.broken:,} of {self.attempts:,} unscorable: {self.reason}{others}"


def broken_verifiers(store: Store, versions: Mapping[str, str], scope: Scope) -> list[Broken]:
    """Return the verifiers, given as name to version, that broke on attempts that the recipe draws on."""
    found = []
    query = _COUNT.format(broken=_BROKEN)
    with scoped(store, scope) as connection:
        suspects = {name for (name,) in connection.execute(_SUSPECTS).fetchall()}
        for name, version in versions.items():
            if name not in suspects:
                continue
            attempts, broken, reason, reasons = connection.execute(query, [name, version]).fetchall()[0]
            if broken:
                told = reason.removeprefix(_CRASHED).removeprefix("verifier ")[:_REASON]
                found.append(Broken(name, attempts, broken, told, reasons))
    return found
