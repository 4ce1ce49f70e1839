"""Every error a user can meet, and the exit code it ends with.

    SelftaughtError            1   the work failed
    ├── InputError             2   the input is wrong: names the place and the mend
    │   ├── RecipeError            the recipe or a file it names
    │   ├── QuestionError          the question source
    │   ├── PolicyError            the policy's SQL, or a verifier it names
    │   ├── StoreError             the store: newer schema, corrupt, missing
    │   └── EndpointError          unreachable endpoint, wrong key, unknown model
    ├── StoreBusyError         1   another process is writing
    ├── UnwritableError        1   the store or its journal cannot be written: full disk, no permission
    └── Stopped                    the work ends before it is through: no error, and everything so far is kept
        ├── BudgetStop         3   a budget is spent
        └── UserStop         130   Ctrl-C

A failed attempt is none of these: it is a row in the store.
"""

from __future__ import annotations

from typing import Any


class SelftaughtError(Exception):
    """The work failed. The command line prints it without a traceback and exits with `exit_code`."""

    exit_code = 1


class InputError(SelftaughtError):
    """Something the user gave is wrong.

    Args:
        message: what is wrong, in one sentence.
        place: the file, key or line it stands at.
        mend: what to do about it.
    """

    exit_code = 2

    def __init__(self, message: str, *, place: object = None, mend: str | None = None) -> None:
        self.message, self.place, self.mend = message, place, mend
        text = f"{place}: {message}" if place else message
        super().__init__(f"{text}\n  {mend}" if mend else text)


class RecipeError(InputError):
    """The recipe, or a file that it names, is wrong."""


class QuestionError(InputError):
    """The question source cannot be read or holds no usable question."""


class PolicyError(InputError):
    """The policy is no valid SQL predicate, or names an unknown verifier."""


class StoreError(InputError):
    """The store is missing, corrupt or of a newer schema."""


class EndpointError(InputError):
    """The endpoint cannot be reached, refuses the key or does not know the model."""


class StoreBusyError(SelftaughtError):
    """Another process is writing to this store."""


class UnwritableError(SelftaughtError):
    """The store, its journal or its folder cannot be written: the disk is full, or it may not be written to."""


NO_LIMIT = {"limit": None, "allowed": None, "spent": None}
"""What there is to say of limits where none has stopped the work."""


class Stopped(SelftaughtError):  # noqa: N818 (nothing went wrong)
    """The work ends before it is through; everything done so far is kept, and running again goes on.

    Args:
        message: what stopped it, in one sentence.
        go_on: what to do to go on.

    Attributes:
        by: `budget` or `user`.
    """

    by = ""

    def __init__(self, message: str, go_on: str) -> None:
        self.message, self.go_on = message, go_on
        super().__init__(f"{message}\n  {go_on}")

    @property
    def facts(self) -> dict[str, Any]:
        """What a script reads of it; the same keys whatever stopped the work."""
        return {"by": self.by, **NO_LIMIT, "message": self.message}


class BudgetStop(Stopped):
    """A budget leaves no room for the next request.

    Args:
        message: what is spent, and of what.
        limit: the limit's key in the recipe, such as `sample.budget.usd`.
        allowed: what it allows: US dollars, tokens, attempts or seconds, as its key says.
        spent: what is spent of it in all sittings; what nobody knows counts at its most.
    """

    by, exit_code = "budget", 3

    def __init__(self, message: str, *, limit: str, allowed: float, spent: float) -> None:
        self.limit, self.allowed, self.spent = limit, allowed, spent
        go_on = f"Everything that arrived is kept. Raise `{limit}`, then run the same command again to go on."
        super().__init__(message, go_on)

    @property
    def facts(self) -> dict[str, Any]:
        """Which limit it was, and what is spent of it."""
        return {**super().facts, "limit": self.limit, "allowed": self.allowed, "spent": self.spent}


class UserStop(Stopped):
    """Ctrl-C, or SIGTERM."""

    by, exit_code = "user", 130

    def __init__(self) -> None:
        super().__init__("interrupted", "Everything done so far is kept. Run the same command again to go on.")
