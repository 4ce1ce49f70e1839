"""Groups: a question's attempts by one set of weights, which a group verifier sees together.

A group holds only attempts of one scope, so that what another recipe asked changes no verdict. Before a question is
rationalized its group is its samples alone; what is kept of those decides whether it is rationalized. So a recipe that draws on
its own attempts has both groups judged.
"""

from __future__ import annotations

from selftaught_builder.store import Connection
from selftaught_builder.store.identity import weights_identity_of

_GROUPS = f"""
SELECT a.question, list(a.id ORDER BY a.kind = 'rationalized', a.round, a.sample_index, a.key, a.try) AS attempts,
       left(sha256(string_agg(a.id, ' ' ORDER BY a.id)), 32) AS seen
FROM attempts a JOIN scoped s ON s.attempt = a.id
WHERE a.error IS NULL{{only}}
GROUP BY a.question, {weights_identity_of("a")}"""
_SAMPLES = " AND a.kind = 'sampled'"


def groups_to_judge(*, samples_alone: bool) -> str:
    """Return a query of groups: `question`, `attempts` (ids) and `seen`, a hash that names the group. It needs `scoped`.

    Args:
        samples_alone: also have the groups of samples alone.
    """
    whole = _GROUPS.format(only="")
    return f"{whole} UNION ({_GROUPS.format(only=_SAMPLES)})" if samples_alone else whole


def attach_groups(connection: Connection, *, samples_only: bool) -> None:
    """Add the temporary table `scoped_groups (attempt, seen)`: the group of each attempt in the table `scoped`."""
    groups = _GROUPS.format(only=_SAMPLES if samples_only else "")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE scoped_groups AS SELECT unnest(attempts) AS attempt, seen FROM ({groups})"
    )
