"""The replies that an endpoint verifier still lacks, as tasks for the sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from selftaught_builder.probing.subjects import Subject, subjects
from selftaught_builder.probing.verifier import EndpointVerifier
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.sampling.plan import Known
from selftaught_builder.sampling.task import Task
from selftaught_builder.store import Store

WhomOf = Callable[[Subject], str | None]
"""What stands for the weights that are asked about an attempt; None where those that are to be asked are not there."""


@dataclass(frozen=True)
class ProbePlan:
    """What is to be asked about some attempts; iterating yields what is not there yet, a reply that serves several once.

    Attributes:
        store: holds the attempts.
        verifier: knows what to ask.
        attempts: their ids.
        whom: says who is asked about each.
        known: the replies that are there.
    """

    store: Store
    verifier: EndpointVerifier
    attempts: Sequence[str]
    whom: WhomOf
    known: Known

    @property
    def size(self) -> int:
        """How many replies there are to be, those that are there included."""
        return self._scanned.size

    @property
    def lacking(self) -> int:
        """How many replies are still to come."""
        return self._scanned.lacking

    @property
    def out_of_reach(self) -> int:
        """How many attempts nobody can be asked about now."""
        return self._scanned.out_of_reach

    def __iter__(self) -> Iterator[Task]:
        yield from self._tasks(tried=False)
        if self.known.tries:
            yield from self._tasks(tried=True)

    def prompts(self) -> Iterator[Prompt]:
        """Yield the prompt of every reply, those that are there included."""
        for subject in self._subjects(self.attempts):
            yield from (probe.prompt for probe in self.verifier.probes(subject))

    @cached_property
    def _scanned(self) -> _Scanned:
        keys: set[str] = set()
        unsettled, out_of_reach, lacking = [], 0, 0
        for subject in self._subjects(self.attempts):
            whom = self.whom(subject)
            if whom is None:
                out_of_reach += 1
                continue
            new = {key for _, _, key in self.verifier.keys(subject, whom)} - keys
            keys |= new
            if missing := new - self.known.done:
                lacking += len(missing)
                unsettled.append(subject.attempt)
        return _Scanned(len(keys), lacking, unsettled, out_of_reach)

    def _tasks(self, *, tried: bool) -> Iterator[Task]:
        planned: set[str] = set()
        for subject in self._subjects(self._scanned.unsettled):
            for probe, index, key in self.verifier.keys(subject, self.whom(subject) or ""):
                tries = self.known.tries.get(key, 0)
                if key in planned or key in self.known.done or tried != bool(tries):
                    continue
                planned.add(key)
                parent = None if probe.shared else subject.attempt
                yield Task(subject.question, probe.prompt, "probed", index, key, tries, parent)

    def _subjects(self, attempts: Sequence[str]) -> Iterator[Subject]:
        for block in subjects(self.store, attempts):
            yield from block


@dataclass(frozen=True)
class _Scanned:
    """What one pass over the attempts finds: replies in all and lacking, attempts that lack some, and those out of reach."""

    size: int
    lacking: int
    unsettled: list[str]
    out_of_reach: int
