"""Policies: what goes into a dataset, said in SQL over `attempts_wide`.

The user's predicate selects; the rules of this module stand outside it and cannot be argued with: nothing becomes a target of
imitation without a passing answer verdict, nor truncated, nor where a hint shows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from selftaught_builder.common.errors import PolicyError
from selftaught_builder.probing import ENDPOINT_VERIFIERS
from selftaught_builder.recipe.policies import as_policy, shipped_policies, verifier_of
from selftaught_builder.scope.scope import KINDS
from selftaught_builder.store import Connection, DatabaseError, UnknownNameError, count_statements, unknown_column
from selftaught_builder.store.predicates import SenseError, check_repeatable, check_values
from selftaught_builder.store.schema import wide_select
from selftaught_verifiers import registered
from selftaught_verifiers.verdict.plugins import installed

TRUNCATED = ("length", "max_tokens")
"""The reasons, in lower case, for which a completion ended at its limit of tokens."""
CUT_OFF = ("content_filter", "abort", "error")
"""The reasons for which a server ended it."""

HARD_RULES = f"""error IS NULL
  AND kind IN {KINDS}
  AND lower(finish_reason) NOT IN {(*TRUNCATED, *CUT_OFF)}
  AND completion <> ''
  AND answer = 'pass'
  AND (NOT hinted OR hint_leak = 'pass')"""


def kept_of(keep: str, attempts: str) -> str:
    """Return the SQL of those rows that a policy and the hard rules keep of a table or view.

    Args:
        keep: the policy's name, or its predicate.
        attempts: the table, view or bracketed query; with the columns of `judged_select`.
    """
    # The line break before the bracket ends a trailing comment in the predicate. The hard rules stand in a query around
    # the user's, so that no operator of the predicate can reach them.
    selected = f"SELECT * FROM {attempts} wide WHERE (\n{as_policy(keep).sql}\n)"
    return f"SELECT * FROM ({selected}) selected\nWHERE {HARD_RULES}"


def kept_select(keep: str, verifiers: Mapping[str, str]) -> str:
    """Return the SQL that selects the kept attempts of a whole store, with the verifiers' versions pinned.

    Args:
        keep: the policy's name, or its predicate.
        verifiers: name to version of each verifier that the policy may name.
    """
    return kept_of(keep, f"({judged_select(verifiers)})")


def judged_select(verifiers: Mapping[str, str], grouped: Collection[str] = ()) -> str:
    """Return the SQL of all attempts with the columns that a policy and the hard rules read."""
    missing = "" if "hint_leak" in verifiers else ", 'missing' AS hint_leak"
    return f"SELECT *{missing} FROM ({wide_select(sorted(verifiers), verifiers, grouped)}) w"


def check_policy(connection: Connection, keep: str, verifiers: Mapping[str, str]) -> None:
    """Check a policy, a name or a predicate, against the store's columns; nothing of it is run.

    Raises:
        PolicyError: an SQL error, more than a predicate, a verifier that the recipe does not run, a text that a column can
            never hold, or a function that is not the same each time.
    """
    if keep != keep.encode(errors="replace").decode():
        raise PolicyError("not UTF-8", place="keep", mend="Write the policy in UTF-8.")
    query = f"SELECT 1 FROM ({kept_select(keep, verifiers)}) LIMIT 0"
    try:
        # Standing by itself it must be one condition: then it cannot close the bracket that it is put into.
        if count_statements(f"SELECT 1 WHERE\n{as_policy(keep).sql}") != 1:
            raise PolicyError("more than one predicate", place=f"keep: {keep}", mend="Write one SQL condition.")
        connection.execute(query).fetchall()
        predicate = as_policy(keep).sql
        check_values(connection, predicate, {*verifiers, "hint_leak"}, f"keep: {keep}")
        check_repeatable(connection, f"SELECT 1 WHERE\n{predicate}\n", f"keep: {keep}")
    except SenseError as error:
        raise PolicyError(error.message, place=error.place, mend=error.mend) from None
    except UnknownNameError as error:
        column = unknown_column(connection, query)
        if column is None:
            raise PolicyError(_first(error), place=f"keep: {keep}", mend="Mend the condition.") from None
        raise _unknown_column(column, keep, connection, verifiers) from None
    except DatabaseError as error:
        meant = _meant_policy(keep)
        if meant:
            raise PolicyError(f"no policy `{keep}`", place="keep", mend=f"Did you mean `{meant[0]}`?") from None
        mend = "It must be an SQL condition over `attempts_wide`."
        raise PolicyError(_first(error), place=f"keep: {keep}", mend=mend) from None


def _first(error: Exception) -> str:
    """An error without the query that DuckDB shows with it."""
    return str(error).split("\n\n")[0]


def _unknown_column(named: str, keep: str, connection: Connection, verifiers: Mapping[str, str]) -> PolicyError:
    columns = _columns(connection, verifiers)
    close = _meant_policy(keep) or difflib.get_close_matches(named, columns, n=1)
    mend = f"The recipe runs the verifiers {', '.join(sorted(verifiers))}; others are added under `verify`."
    lacking = verifier_of(named.rsplit(".", 1)[-1].lower())
    if lacking not in verifiers and lacking in {*(one.name for one in registered()), *ENDPOINT_VERIFIERS, *installed()}:
        problem = f"no column or verifier `{lacking}`: the recipe does not run it"
        return PolicyError(problem, place=f"keep: {keep}", mend=f"Add `{lacking}` to `verify`. {mend}")
    if close:
        mend = f"Did you mean `{close[0]}`?"
    return PolicyError(f"no column or verifier `{named}`", place=f"keep: {keep}", mend=mend)


def _meant_policy(keep: str) -> list[str]:
    """The policy whose name went wrong, if any: it is a single word, whose hyphen SQL reads as minus."""
    misspelt = re.fullmatch(r"[\w-]+", keep) and keep not in shipped_policies()
    return difflib.get_close_matches(keep, shipped_policies(), n=1) if misspelt else []


def _columns(connection: Connection, verifiers: Mapping[str, str]) -> Sequence[str]:
    described = connection.execute(f"DESCRIBE {wide_select(sorted(verifiers), verifiers)}").fetchall()
    return [row[0] for row in described]
