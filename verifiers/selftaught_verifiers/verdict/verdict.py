"""What every verifier takes and gives.

A verifier annotates, it never drops: it returns a `Verdict`, and what enters a dataset is decided later by a policy. A
verdict has three outcomes, because "could not judge" is a finding of its own and not a failure of the rationale.

Verifiers are pure: no network, no database, no clock. They see hostile text (a model wrote it) and must end in time linear
in its length. A row verifier sees one rationale, a group verifier all rationales of a question by one set of weights.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, Self


class Outcome(StrEnum):
    """The three things a verifier can say."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNSCORABLE = "unscorable"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its known answer, as verifiers see it.

    Attributes:
        text: the question as asked, without choices.
        gold: the known answer; for `letter` questions the letter of the right choice ("B").
        kind: how answers compare: `number`, `letter`, `yesno`, `text`, ...
        choices: letter to text ({"A": "bank"}), empty where the question has none.
        meta: what else its source says of it, such as a program's tests.
    """

    text: str
    gold: str
    kind: str
    choices: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rationale:
    """One attempt's text, as verifiers see it.

    Attributes:
        completion: what the model said, without its reasoning content.
        reasoning: reasoning content that came apart from the completion (`<think>` blocks, `reasoning_content`), or "".
        hinted: whether the model was shown the answer (rationalization).
        finish_reason: the server's word for why it stopped: `stop`, `length`, ...
    """

    completion: str
    reasoning: str = ""
    hinted: bool = False
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verifier's finding about one attempt.

    Attributes:
        outcome: pass, fail or unscorable.
        reason: one short sentence or slug that says why, for a person who reads the row.
        answer: the final answer that was extracted, where the verifier looks for one.
        score: a number in [0, 1] where the verifier grades, else None.
        detail: anything else worth keeping, JSON-serialisable.
    """

    outcome: Outcome
    reason: str = ""
    answer: str | None = None
    score: float | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One attempt of a group.

    Attributes:
        attempt: its id.
        rationale: its text.
        verdicts: what the verifiers that the group verifier needs said of it, by name; those that said nothing are missing.
    """

    attempt: str
    rationale: Rationale
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


RowFunction = Callable[..., Verdict]
"""(question, rationale, *, options) to a verdict."""

GroupFunction = Callable[..., Sequence[Verdict]]
"""(question, members, *, options) to a verdict a member, in their order."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named, versioned pure function that annotates attempts.

    Its name is a column of `attempts_wide`; its version changes whenever a verdict could change.

    Attributes:
        name: a lower-case identifier.
        version: any string.
        function: what judges.
        kind: `row` (one rationale) or `group` (all of a question by one set of weights, sampled ones first).
        needs: verifiers whose verdicts a group verifier reads.
        options: keyword arguments that differ from the function's defaults.
    """

    name: str
    version: str
    function: Callable[..., Any]
    kind: Literal["row", "group"] = "row"
    needs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """The options it takes, with their defaults: the keyword-only parameters of its function."""
        parameters = inspect.signature(self.function).parameters.values()
        return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}

    def configured(self, options: Mapping[str, Any]) -> Self:
        """Return it with these options; those that are not the default become part of its version.

        Raises:
            ValueError: an option that it does not have, or a value of another type than the default's.
        """
        defaults = self.defaults
        for name, value in options.items():
            if name not in defaults:
                known = ", ".join(defaults) or "none"
                raise ValueError(f"`{self.name}` has no option `{name}`; it has: {known}")
            if not _same_type(value, defaults[name]):
                raise ValueError(f"`{self.name}.{name}` is {value!r}; the default is {defaults[name]!r}")
        changed = {name: value for name, value in sorted(options.items()) if value != defaults[name]}
        if not changed:
            return self
        digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
        return replace(self, version=f"{self.version}+{digest}", options=changed)

    def __call__(self, question: Question, subject: Any) -> Any:
        """Judge a rationale (row) or the members of a group; a crash of the verifier is an unscorable verdict that says so.

        Returns:
            A verdict, or a list of one verdict a member.
        """
        try:
            if self.kind == "row":
                verdict = self.function(question, subject, **self.options)
                return (
                    verdict
                    if isinstance(verdict, Verdict)
                    else _crashed(TypeError(f"returned {type(verdict).__name__}"))
                )
            verdicts = list(self.function(question, subject, **self.options))
            if len(verdicts) != len(subject):
                raise ValueError(f"{len(verdicts)} verdicts of {len(subject)} attempts")
            return verdicts
        except Exception as error:
            return _crashed(error) if self.kind == "row" else [_crashed(error)] * len(subject)


def _crashed(error: Exception) -> Verdict:
    return Verdict(Outcome.UNSCORABLE, reason=f"verifier crashed: {type(error).__name__}: {error}"[:300])


def _same_type(value: Any, default: Any) -> bool:
    if default is None or isinstance(value, type(default)):
        return isinstance(value, bool) == isinstance(default, bool) or default is None
    return isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)


_REGISTRY: dict[str, Verifier] = {}
_collecting: list[dict[str, Verifier]] = [_REGISTRY]


def row_verifier(name: str, version: str) -> Callable[[RowFunction], RowFunction]:
    """Register a function of (question, rationale, *, options) as the row verifier `name`.

    Args:
        name: a lower-case identifier; it becomes an SQL column.
        version: any string; change it whenever a verdict could change.

    Raises:
        ValueError: the name is no plain identifier, or is taken.
    """
    return _registering(name, version, "row", ())


def group_verifier(name: str, version: str, needs: Sequence[str] = ()) -> Callable[[GroupFunction], GroupFunction]:
    """Register a function of (question, members, *, options) as the group verifier `name`.

    Args:
        name: a lower-case identifier; it becomes an SQL column.
        version: any string; change it whenever a verdict could change.
        needs: row verifiers whose verdicts the members must carry.

    Raises:
        ValueError: the name is no plain identifier, or is taken.
    """
    return _registering(name, version, "group", tuple(needs))


def _registering(name: str, version: str, kind: Literal["row", "group"], needs: tuple[str, ...]) -> Callable:
    if not name.isidentifier() or not name.islower() or not name.isascii():
        raise ValueError(f"verifier name {name!r} is not a lower-case identifier")
    if name in _collecting[-1]:
        raise ValueError(f"a verifier named {name!r} is registered already")

    def register(function: Callable) -> Callable:
        _collecting[-1][name] = Verifier(name, version, function, kind, needs)
        return function

    return register


@contextmanager
def collecting() -> Iterator[dict[str, Verifier]]:
    """Yield the verifiers that are defined inside, by name, and keep them out of the registry: a user's file is its own."""
    found: dict[str, Verifier] = {}
    _collecting.append(found)
    try:
        yield found
    finally:
        _collecting.pop()


def get_verifier(name: str) -> Verifier:
    """Return the verifier registered under `name`; raises KeyError where there is none."""
    return _REGISTRY[name]


def registered() -> Iterator[Verifier]:
    """Yield all registered verifiers, by name."""
    yield from (_REGISTRY[name] for name in sorted(_REGISTRY))
