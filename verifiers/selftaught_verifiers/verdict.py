"""What every verifier takes and gives.

A verifier annotates, it never drops: it returns a `Verdict`, and what enters a dataset is decided later by a policy. A
verdict has three outcomes, because "could not judge" is a finding of its own and not a failure of the rationale.

Verifiers are pure: no network, no database, no clock. They see hostile text (a model wrote it) and must end in time linear
in its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
        kind: how answers compare: `number`, `letter`, `yesno` or `text`.
        choices: letter to text ({"A": "bank"}), empty where the question has none.
    """

    text: str
    gold: str
    kind: str
    choices: Mapping[str, str] = field(default_factory=dict)


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


RowFunction = Callable[[Question, Rationale], Verdict]


@dataclass(frozen=True, slots=True)
class RowVerifier:
    """A named, versioned pure function of (question, rationale).

    Its name is a column of `attempts_wide`; its version changes whenever a verdict could change.
    """

    name: str
    version: str
    function: RowFunction

    def __call__(self, question: Question, rationale: Rationale) -> Verdict:
        """Judge one rationale; a crash of the verifier is an unscorable verdict that says so."""
        try:
            return self.function(question, rationale)
        except Exception as error:
            return Verdict(Outcome.UNSCORABLE, reason=f"verifier crashed: {type(error).__name__}: {error}"[:300])


_REGISTRY: dict[str, RowVerifier] = {}


def row_verifier(name: str, version: str) -> Callable[[RowFunction], RowFunction]:
    """Register a function as the row verifier `name`.

    Args:
        name: a lower-case identifier; it becomes an SQL column.
        version: any string; change it whenever a verdict could change.

    Raises:
        ValueError: the name is no plain identifier, or is taken.
    """
    if not name.isidentifier() or not name.islower():
        raise ValueError(f"verifier name {name!r} is not a lower-case identifier")
    if name in _REGISTRY:
        raise ValueError(f"a verifier named {name!r} is registered already")

    def register(function: RowFunction) -> RowFunction:
        _REGISTRY[name] = RowVerifier(name, version, function)
        return function

    return register


def get_verifier(name: str) -> RowVerifier:
    """Return the verifier registered under `name`; raises KeyError where there is none."""
    return _REGISTRY[name]


def registered() -> Iterator[RowVerifier]:
    """Yield all registered verifiers, by name."""
    yield from (_REGISTRY[name] for name in sorted(_REGISTRY))
