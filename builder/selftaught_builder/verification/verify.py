"""Adding the verdicts that a store lacks, and counting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from selftaught_builder.scope.scope import Scope
from selftaught_builder.store import Store
from selftaught_builder.store.schema import create_views
from selftaught_builder.verification.chosen import Chosen
from selftaught_builder.verification.groups import lacking_groups, verify_groups
from selftaught_builder.verification.judges import Note
from selftaught_builder.verification.probed import verify_probed
from selftaught_builder.verification.queries import verify_query
from selftaught_builder.verification.rows import lacking_rows, verify_rows
from selftaught_builder.verification.verdicts import Counted

Advance = Callable[[int], None]


@dataclass
class Verified:
    """What a verification did: verdicts by verifier and outcome, new ones only."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def verdicts(self) -> int:
        """How many verdicts were added."""
        return sum(counts.total() for counts in self.outcomes.values())


def verify(
    store: Store,
    verifiers: Sequence[Chosen],
    scope: Scope | None = None,
    advance: Advance | None = None,
    note: Note | None = None,
) -> Verified:
    """Add the verdicts that are missing; the caller holds the writer lock.

    A verdict on one attempt depends on that attempt alone, so row verifiers judge the whole store; group verifiers judge the
    groups of a scope.

    Args:
        store: the store.
        verifiers: the recipe's, from `chosen_verifiers`.
        scope: the attempts that the recipe draws on; the whole store if None.
        advance: called with the number of verdicts after each block; those of queries do not count, as in `pending`.
        note: called with what is worth a line: a verifier that hangs.

    Raises:
        RecipeError: a query that is none.
    """
    _register(store, verifiers)
    done = Verified({one.name: Counter() for one in verifiers})
    for together in _passes(verifiers):
        counted = _pass(store, together, scope, advance or _ignored, note or _ignored)
        for (name, outcome), count in counted.items():
            done.outcomes[name][outcome] += count
    return done


def pending(store: Store, verifiers: Sequence[Chosen], scope: Scope | None = None) -> int:
    """Return how many verdicts `verify` would add; those of queries and of endpoint verifiers are not known before."""
    total = 0
    for together in _passes(verifiers):
        if together[0].kind == "row":
            total += sum(lacking_rows(store, together)["lacking"])
        elif together[0].kind == "group":
            total += sum(lacking_groups(store, together, scope)["lacking"])
    return total


def _passes(chosen: Sequence[Chosen]) -> list[list[Chosen]]:
    """Row verifiers, then group verifiers that read their verdicts, then those that asked a model, then queries.

    Each of the user's own has a pass apart.
    """
    passes: list[list[Chosen]] = []
    for kind in ("row", "group", "endpoint", "sql"):
        of_kind = [one for one in chosen if one.kind == kind]
        ours = [one for one in of_kind if not one.foreign and kind in ("row", "group")]
        passes += [ours] if ours else []
        passes += [[one] for one in of_kind if one not in ours]
    return passes


def _ignored(_: object) -> None:
    """Show nothing."""


def _pass(store: Store, together: list[Chosen], scope: Scope | None, advance: Advance, note: Note) -> Counted:
    if together[0].kind == "row":
        return verify_rows(store, together, advance, note)
    if together[0].kind == "group":
        return verify_groups(store, together, scope, advance, note)
    if together[0].kind == "endpoint":
        return verify_probed(store, together[0], advance)
    return verify_query(store, together[0])


def _register(store: Store, chosen: Sequence[Chosen]) -> None:
    """Make `attempts_wide` show these verifiers at these versions."""
    with store.read() as connection:
        shown = dict(connection.execute("SELECT name, version FROM verifiers").fetchall())
    if all(shown.get(one.name) == one.version for one in chosen):
        return
    with store.write() as connection:
        for one in chosen:
            connection.execute("INSERT OR REPLACE INTO verifiers VALUES (?, ?)", [one.name, one.version])
        create_views(connection)
