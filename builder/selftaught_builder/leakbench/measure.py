"""Measuring checks on rationales whose answers are right: what they find, what they miss, what they wrongly refuse.

Everything is a count of a count. A check *flags* a rationale by the verdict `fail`; `unscorable` flags nothing. The answer is
right in every row, so the policy's part about the answer passes by definition and `answer` is no check here.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.evaluation.statistics import wilson
from selftaught_builder.leakbench.plants import PLANTS, Planted, Sound, plant_all
from selftaught_builder.leakbench.rows import Case
from selftaught_builder.recipe.policies import shipped_policies
from selftaught_verifiers import Outcome, Question, Rationale, Verifier, registered

POLICY = "default"
POLICY_CHECKS = tuple(name for name in shipped_policies()[POLICY].verifiers if name != "answer")
"""The checks of the default policy: it drops what one of them flags."""

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Share:
    """Some of many, with Wilson's 95 % interval.

    Attributes:
        count: how many.
        of: of how many.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.count / self.of if self.of else None

    def as_json(self) -> dict[str, Any]:
        """Return the count, the share and its interval."""
        low, high = wilson(self.count, self.of)
        return {"count": self.count, "of": self.of, "share": self.value, "low": low, "high": high}


@dataclass(frozen=True)
class Measure:
    """What one check (or the policy) did to a group of rationales.

    Attributes:
        flawed: how many are flawed.
        sound: how many are sound.
        caught: flawed ones that were flagged.
        alarms: sound ones that were flagged.
        silent: rationales that it could not judge.
    """

    flawed: int
    sound: int
    caught: int
    alarms: int
    silent: int = 0

    @property
    def recall(self) -> Share:
        """Flagged among the flawed."""
        return Share(self.caught, self.flawed)

    @property
    def precision(self) -> Share:
        """Flawed among the flagged."""
        return Share(self.caught, self.caught + self.alarms)

    @property
    def false_alarms(self) -> Share:
        """Flagged among the sound."""
        return Share(self.alarms, self.sound)

    @property
    def leak_before(self) -> Share:
        """Flawed among all: what a filter by the answer alone keeps."""
        return Share(self.flawed, self.flawed + self.sound)

    @property
    def leak_after(self) -> Share:
        """Flawed among those that were not flagged."""
        kept = self.flawed - self.caught
        return Share(kept, kept + self.sound - self.alarms)

    def __add__(self, other: Measure) -> Measure:
        """Count two groups as one."""
        return Measure(
            self.flawed + other.flawed,
            self.sound + other.sound,
            self.caught + other.caught,
            self.alarms + other.alarms,
            self.silent + other.silent,
        )


@dataclass
class Bench:
    """What was measured.

    Attributes:
        checks: the checks, by name.
        groups: each task's measures by check, and the policy's under its name.
        labelled: the tasks whose rationales a person judged.
        plants: (task, plant, style) to how many were planted.
        caught: the same to how many each check flagged, and the policy under its name.
    """

    checks: Mapping[str, Verifier]
    groups: dict[str, dict[str, Measure]] = field(default_factory=dict)
    labelled: list[str] = field(default_factory=list)
    plants: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    caught: dict[tuple[str, str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def in_all(self) -> dict[str, Measure]:
        """The measures over all judged rationales; empty where none was judged."""
        total: dict[str, Measure] = {}
        for group in self.labelled:
            for name, measure in self.groups[group].items():
                total[name] = total[name] + measure if name in total else measure
        return total

    def planted(self, check: str, plant: str, *, task: str | None = None, style: str | None = None) -> Share:
        """Return how many planted cases the check (or the policy, by its name) flagged; of all tasks and styles by default."""
        keys = [
            (where, what, how)
            for where, what, how in self.plants
            if what == plant and task in (None, where) and style in (None, how)
        ]
        return Share(sum(self.caught[key][check] for key in keys), sum(self.plants[key] for key in keys))

    @property
    def planted_names(self) -> list[str]:
        """The flaws that were planted."""
        found = {name for _, name, _ in self.plants}
        return [name for name in PLANTS if name in found]

    def styles(self, plant: str) -> list[str]:
        """Return the styles that a plant was planted in."""
        return sorted({style for _, name, style in self.plants if name == plant})

    @property
    def policy_checks(self) -> list[str]:
        """The policy's checks among those that ran."""
        return [name for name in POLICY_CHECKS if name in self.checks]

    @property
    def speaking(self) -> list[str]:
        """The checks that judged anything."""
        planted = {name for counts in self.caught.values() for name in counts}
        return [
            name for name in self.checks
            if name in planted or any(m[name].silent < m[name].flawed + m[name].sound for m in self.groups.values())
        ]  # fmt: skip


def choose_checks(names: Sequence[str] = ()) -> dict[str, Verifier]:
    """Return the row verifiers that judge rationales, by name; all that are registered where none is named.

    Raises:
        InputError: an unknown name, or a verifier that judges no single rationale.
    """
    known = {verifier.name: verifier for verifier in registered()}
    usable = {name: one for name, one in known.items() if one.kind == "row" and name != "answer"}
    for name in names:
        if name not in usable:
            what = "judges answers, and all are right here" if name == "answer" else "judges no single rationale"
            message = f"`{name}` {what}" if name in known else f"no verifier `{name}`"
            raise InputError(message, place="--verify", mend=f"There are: {', '.join(usable)}.")
    return {name: usable[name] for name in dict.fromkeys(names)} if names else usable


def sample(cases: Sequence[Case], each: int, seed: int) -> list[Sound]:
    """Return at most `each` sound rationales of every task, to plant flaws in; the same for the same seed."""
    tasks: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if not case.flawed:
            tasks[case.group].append(case)
    chosen = []
    for name, sound in sorted(tasks.items()):
        random_ = random.Random(f"{seed}:{name}")  # noqa: S311 - a repeatable choice, no secret
        chosen += sound if len(sound) <= each else random_.sample(sound, each)
    return [
        Sound(
            case.id, case.question.text, case.question.gold, case.question.kind,
            case.rationale.completion, case.question.choices, case.task,
        )
        for case in chosen
    ]  # fmt: skip


def measure(
    cases: Sequence[Case],
    checks: Mapping[str, Verifier],
    sounds: Sequence[Sound] = (),
    *,
    seed: int = 0,
    advance: Advance = lambda steps: None,
) -> Bench:
    """Run checks over rationales and over flaws planted in sound ones.

    Args:
        cases: rationales whose answers are right.
        checks: the checks by name.
        sounds: the rationales to plant flaws in.
        seed: of the plants.
        advance: told how many rationales are done, planted-in ones included.
    """
    bench = Bench(checks)
    bench.labelled = list(dict.fromkeys(case.group for case in cases if case.flawed is not None))
    for case in cases:
        group = bench.groups.setdefault(case.group, {})
        said = _judge(checks, case.question, case.rationale)
        flawed = bool(case.flawed)
        for name, outcome in {**said, POLICY: _policy(said)}.items():
            flagged = outcome is Outcome.FAIL
            one = Measure(flawed, not flawed, flagged and flawed, flagged and not flawed, outcome is Outcome.UNSCORABLE)
            group[name] = group[name] + one if name in group else one
        advance(1)
    done: Sound | None = None
    for made in plant_all(sounds, seed):
        _plant(bench, made)
        if made.source is not done:
            done = made.source
            advance(1)
    return bench


def _judge(checks: Mapping[str, Verifier], question: Question, rationale: Rationale) -> dict[str, Outcome]:
    return {name: check(question, rationale).outcome for name, check in checks.items()}


def _policy(said: Mapping[str, Outcome]) -> Outcome:
    return Outcome.FAIL if any(said.get(name) is Outcome.FAIL for name in POLICY_CHECKS) else Outcome.PASS


def _plant(bench: Bench, made: Planted) -> None:
    source = made.source
    question = Question(source.question, source.gold, source.kind, source.choices)
    said = _judge(bench.checks, question, Rationale(made.text, hinted=made.hinted, finish_reason=made.finish_reason))
    outcomes = {**said, POLICY: _policy(said)}
    key = (source.task, made.plant, made.style)
    bench.plants[key] += 1
    bench.caught[key].update(name for name, outcome in outcomes.items() if outcome is Outcome.FAIL)


def as_json(bench: Bench, seed: int) -> dict[str, Any]:
    """Return everything measured as JSON can hold it."""
    groups = {**bench.groups, **({"all judged": bench.in_all} if bench.labelled else {})}
    return {
        "seed": seed,
        "checks": {name: check.version for name, check in bench.checks.items()},
        "policy": {"name": POLICY, "checks": bench.policy_checks},
        "tasks": [_task_json(name, measures, bench) for name, measures in groups.items()],
        "plants": [_plant_json(bench, *key) for key in _plant_keys(bench)],
    }


def _plant_keys(bench: Bench) -> Iterator[tuple[str, str | None, str | None]]:
    """Each plant in all, by style, and by task."""
    for plant_ in bench.planted_names:
        yield plant_, None, None
        yield from ((plant_, style, None) for style in bench.styles(plant_))
        yield from ((plant_, None, task) for task in sorted({task for task, name, _ in bench.plants if name == plant_}))


def _plant_json(bench: Bench, name: str, style: str | None, task: str | None) -> dict[str, Any]:
    recall = {check: bench.planted(check, name, task=task, style=style).as_json() for check in (*bench.checks, POLICY)}
    return {"plant": name, "style": style, "task": task, "planted": recall[POLICY]["of"], "recall": recall}


def _task_json(name: str, measures: Mapping[str, Measure], bench: Bench) -> dict[str, Any]:
    policy = measures[POLICY]
    labelled = name not in bench.groups or name in bench.labelled
    return {
        "task": name,
        "judged_by_people": labelled,
        "flawed": policy.flawed,
        "sound": policy.sound,
        "checks": {
            check: {
                "recall": one.recall.as_json(),
                "precision": one.precision.as_json(),
                "false_alarms": one.false_alarms.as_json(),
                "unscorable": one.silent,
            }
            for check, one in measures.items()
        },
        "leak_rate": {"answer_only": policy.leak_before.as_json(), POLICY: policy.leak_after.as_json()}
        if labelled
        else None,
    }
