"""Every error a user can meet, and the exit code it ends with.

    SelftaughtError            1   the work failed
    ├── InputError             2   the input is wrong: names the place and the mend
    │   ├── RecipeError            the recipe or a file it names
    │   ├── QuestionError          the question source
    │   ├── PolicyError            the policy's SQL, or a verifier it names
    │   ├── StoreError             the store: newer schema, corrupt, missing
    │   └── EndpointError          unreachable endpoint, wrong key, unknown model
    ├── StoreBusyError         1   another process is writing
    └── BudgetStop             3   a budget is spent

A failed attempt is none of these: it is a row in the store.
"""

from __future__ import annotations


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


class BudgetStop(SelftaughtError):  # noqa: N818 (it stops a run; nothing went wrong)
    """A budget is spent; everything done so far is kept."""

    exit_code = 3
