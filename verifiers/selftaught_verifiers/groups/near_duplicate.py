"""The group verifier `near_duplicate`: does a rationale say what another one of the same question has said?

Rationales are alike in words (Jaccard similarity of their runs of five words; Broder 1997) or in what they calculate (the
same list of equations, the identity of RFT: Yuan et al. 2023, arXiv 2308.01825). The sets are compared exactly: for up to
a hundred attempts of a question that takes less time than MinHash.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from selftaught_verifiers.form.degenerate import CUT
from selftaught_verifiers.reasoning.equations import equation_list, whole_text
from selftaught_verifiers.verdict.verdict import Member, Outcome, Question, Verdict, group_verifier

MAX_LENGTH = 100_000
"""Characters of a rationale that are compared, from its start."""

FEWEST_EQUATIONS = 2
"""Shorter lists are no identity: many a question has one obvious last step."""

_RUN = 5
_WORD = re.compile(r"\w+(?:[.,]\d+)*|[-+*/=<>%]")


@dataclass(frozen=True, slots=True)
class _Text:
    """What is compared of an attempt: its runs of words, as numbers, and its equations."""

    attempt: str
    runs: frozenset[int]
    calculated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The attempts that pass so far, among those that are compared with each other."""

    texts: list[_Text] = field(default_factory=list)
    calculations: dict[tuple[str, ...], str] = field(default_factory=dict)


@group_verifier("near_duplicate", version="1", needs=("answer", "equations"))
def judge(
    question: Question, members: Sequence[Member], *, similarity: float = 0.8, equations: bool = True
) -> list[Verdict]:
    """Pass the first of those that are alike, fail the later ones; unscorable where the text is empty.

    Only attempts with the same outcome of `answer` are compared, and complete ones only with complete ones, so that none
    falls in favour of a wrong or a cut one. Each is compared with those that passed before it. Texts alike in words are
    different still where each calculates something that the other does not: they differ in their numbers.

    Args:
        question: the question; the comparison needs nothing of it.
        members: its attempts, sampled ones first, with the verdicts of `answer` and `equations`.
        similarity: the Jaccard similarity from which texts are alike, 0 to 1.
        equations: whether calculations count, for likeness (the same list of two or more) and against it.

    Returns:
        Verdicts whose score is 1 minus the highest similarity in words to one that passed before.
    """
    kept: defaultdict[_Class, _Kept] = defaultdict(_Kept)
    sizes = Counter(map(_class, members))
    numbers: dict[tuple[str, ...], int] = {}  # sets of numbers intersect in half the time of sets of tuples
    verdicts = []
    for member in members:
        group = _class(member)
        text = whole_text(member.rationale)[:MAX_LENGTH]
        runs = frozenset(numbers.setdefault(run, len(numbers)) for run in _runs(text))
        calculated = _calculated(member) if equations and sizes[group] > 1 else ()
        verdicts.append(_judge(_Text(member.attempt, runs, calculated), kept[group], similarity))
    return verdicts


def _calculated(member: Member) -> tuple[str, ...]:
    """The calculations as `equations` found them: reading them again would take longer than all the rest."""
    verdict = member.verdicts.get("equations")
    listed = verdict.detail.get("calculations") if verdict else None
    return tuple(map(str, listed)) if isinstance(listed, list | tuple) else equation_list(whole_text(member.rationale))


_Class = tuple[Outcome | None, bool]
"""What an attempt is compared within: the outcome of its answer, and whether it was cut."""


def _class(member: Member) -> _Class:
    answer = member.verdicts.get("answer")
    return (answer.outcome if answer else None, member.rationale.finish_reason.lower() in CUT)


def _judge(own: _Text, kept: _Kept, least: float) -> Verdict:
    if not own.runs:
        return Verdict(Outcome.UNSCORABLE, "empty")
    closest, alike = 0.0, ""
    for other in kept.texts:
        score = jaccard(own.runs, other.runs, min(closest, least))
        closest = max(closest, score)
        if not alike and score >= least and not _apart(own.calculated, other.calculated):
            alike = other.attempt
    same = kept.calculations.get(own.calculated)
    detail = {"similarity": round(closest, 3)}
    if alike:
        return Verdict(Outcome.FAIL, f"like {alike}", score=1 - closest, detail=detail)
    if same is not None:
        return Verdict(Outcome.FAIL, f"same equations as {same}", score=1 - closest, detail=detail)
    kept.texts.append(own)
    if len(own.calculated) >= FEWEST_EQUATIONS:
        kept.calculations[own.calculated] = own.attempt
    return Verdict(Outcome.PASS, "new", score=1 - closest, detail=detail)


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """The runs of five words (numbers and operators are words), all of them as one run where there are fewer."""
    said = _WORD.findall(text.casefold())
    if len(said) < _RUN:
        return iter([tuple(said)] if said else [])
    return zip(*(said[offset:] for offset in range(_RUN)), strict=False)


def jaccard(one: frozenset[int], other: frozenset[int], least: float = 0.0) -> float:
    """The share of what either holds that both hold; 0 where their sizes alone keep it under `least`."""
    small, large = sorted((len(one), len(other)))
    if small < least * large:
        return 0.0
    shared = len(one & other)
    return shared / (small + large - shared) if large else 1.0


def _apart(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether each of two lists has an equation that the other lacks."""
    return bool(set(one) - set(other)) and bool(set(other) - set(one))
