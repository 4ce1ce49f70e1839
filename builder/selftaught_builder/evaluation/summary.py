"""The summary of an evaluation: one model's attempts at held-out questions, counted into rows of the table `evaluations`.

Every held-out question of a set is in the denominator. A question whose attempt failed, is missing or has no verdict counts as
wrong: a server that dies on the hard questions must not look like a better model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from selftaught_builder.evaluation.statistics import majority, mcnemar_exact, pass_at_k, wilson
from selftaught_builder.store import Store


@dataclass(frozen=True)
class Examinee:
    """A model under evaluation, and its attempts by the keys that its plan consists of.

    Keys cover question, prompt, parameters and weights, so attempts that another run made of the same weights count, and
    those of an older prompt or another temperature do not.

    Attributes:
        model: the model's name.
        weights: the fingerprint of its weights, or `unknown`.
        greedy: question hash to the key of its greedy attempt (temperature 0).
        samples: question hash to the keys of its samples, for pass@k and majority@k.
    """

    model: str
    weights: str
    greedy: Mapping[str, str]
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """One row of the table `evaluations`: a model on one held-out set, all under one prompt.

    Attributes:
        run, round: where it stands; round 0 is the base model.
        held_out: `validate` or `evaluate`.
        model, weights: who answered.
        questions: all held-out questions of the set.
        correct, answered, truncated: of the greedy attempts: right, with an answer that could be read, cut off.
        false_equation: right answers whose rationale states a false equation; None where `equations` is not run.
        accuracy: correct / questions.
        low, high: its 95 % Wilson interval.
        only_base, only_now: questions that only the base, or only this model, gets right; None without a base that was asked
            the same.
        p_value: McNemar's exact test of the two, two-sided; None without a base.
        rationale_tokens: mean tokens of the greedy completions, None where no token was counted.
        k: samples per question, 0 where none was asked for.
        pass_at_k: unbiased pass@j for j = 1, 2, 4, … and k, by str(j).
        majority_at_k: share of questions whose majority answer is right; None without samples.
    """

    run: str
    round: int
    held_out: str
    model: str
    weights: str
    questions: int
    correct: int
    answered: int
    truncated: int
    false_equation: int | None
    accuracy: float
    low: float
    high: float
    only_base: int | None
    only_now: int | None
    p_value: float | None
    rationale_tokens: float | None
    k: int
    pass_at_k: dict[str, float]
    majority_at_k: float | None


@dataclass(frozen=True)
class _Attempt:
    """What counts of one completion."""

    right: bool
    answer: str | None
    truncated: bool
    false_equation: bool
    tokens: int | None

    @property
    def vote(self) -> tuple[str, bool] | None:
        # 5 m and 5 km are both extracted as 5, and only one of them is right: they do not vote together.
        return None if self.answer is None else (self.answer, self.right)


_ATTEMPTS = """
SELECT a.key, coalesce(v.outcome = 'pass', false), v.answer, a.finish_reason = 'length', coalesce(e.outcome = 'fail', false),
       a.tokens_out
FROM attempts a
LEFT JOIN verdicts v ON v.attempt = a.id AND v.verifier = 'answer' AND v.version = $answer
LEFT JOIN verdicts e ON e.attempt = a.id AND e.verifier = 'equations' AND e.version = $equations
WHERE a.kind = 'evaluated' AND a.error IS NULL AND a.key IN (SELECT unnest($keys::VARCHAR[]))
"""


def summarise(
    store: Store, run: str, round_number: int, now: Examinee, base: Examinee | None, versions: Mapping[str, str]
) -> list[Evaluation]:
    """Count how a model does on a run's held-out questions: one evaluation for each set that has questions.

    The store is verified and its journal committed. The verdicts counted are those of the given versions. An
    answer is right where the verifier `answer` passes it.

    Args:
        store: the store.
        run: its held-out questions are counted.
        round_number: 0 for the base model.
        now: the attempts of the model.
        base: those of the base model under the same prompt, to be paired with; None where `now` is the base.
        versions: the recipe's verifiers and their versions; false equations are counted where `equations` is among them.
    """
    held_out = _held_out(store, run)
    examinees = [now] if base is None else [now, base]
    found = _attempts(store, [key for examinee in examinees for key in _keys(examinee)], versions)
    counted = "equations" in versions
    return [
        _evaluation(run, round_number, name, questions, now, base, found, counted)
        for name, questions in held_out.items()
    ]


def record(store: Store, evaluations: Iterable[Evaluation]) -> None:
    """Write evaluations into the store, in place of earlier ones of the same round, set and weights.

    The caller holds the writer lock.
    """
    now = datetime.now(UTC)
    columns = [each.name for each in fields(Evaluation)]
    rows = [[*({**asdict(one), "pass_at_k": json.dumps(one.pass_at_k)}).values(), now] for one in evaluations]
    if not rows:
        return
    places = ", ".join("?" * (len(columns) + 1))
    with store.write() as connection:
        query = f"INSERT OR REPLACE INTO evaluations ({', '.join(columns)}, created_at) VALUES ({places})"
        connection.executemany(query, rows)


def recorded(store: Store, run: str) -> list[Evaluation]:
    """Return a run's evaluations, validate before evaluate, by round. Of a round evaluated twice only the last counts."""
    columns = ", ".join(each.name for each in fields(Evaluation))
    with store.read() as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM evaluations WHERE run = ? "
            "QUALIFY row_number() OVER (PARTITION BY round, held_out ORDER BY created_at DESC) = 1 "
            "ORDER BY held_out DESC, round",
            [run],
        ).fetchall()
    place = [each.name for each in fields(Evaluation)].index("pass_at_k")
    return [Evaluation(*(json.loads(cell) if at == place else cell for at, cell in enumerate(row))) for row in rows]


def best(evaluations: Iterable[Evaluation]) -> Evaluation | None:
    """Return the best one on the `validate` set, of equal ones the earliest; None where none was validated.

    The `evaluate` set is only reported: a choice made on it would flatter the chosen.
    """
    validated = {one.round: one for one in evaluations if one.held_out == "validate"}
    number = best_round({one.round: one.accuracy for one in validated.values()})
    return None if number is None else validated[number]


def best_round(accuracy: Mapping[int, float]) -> int | None:
    """Return the round with the best accuracy, the earliest of equals; None where nothing was evaluated."""
    return max(sorted(accuracy), key=accuracy.__getitem__, default=None)


def _held_out(store: Store, run: str) -> dict[str, list[str]]:
    """Question hashes by set, `validate` first."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT held_out, list(question ORDER BY position) FROM held_out_questions WHERE run = ? "
            "GROUP BY held_out ORDER BY held_out DESC",
            [run],
        ).fetchall()
    return dict(rows)


def _keys(examinee: Examinee) -> list[str]:
    return [*examinee.greedy.values(), *(key for keys in examinee.samples.values() for key in keys)]


def _attempts(store: Store, keys: list[str], versions: Mapping[str, str]) -> dict[str, _Attempt]:
    pinned = {name: versions.get(name, "") for name in ("answer", "equations")}
    with store.read() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(_ATTEMPTS, {**pinned, "keys": keys}).fetchall()
    return {key: _Attempt(*rest) for key, *rest in rows}


def _evaluation(
    run: str,
    round_number: int,
    held_out: str,
    questions: list[str],
    now: Examinee,
    base: Examinee | None,
    found: Mapping[str, _Attempt],
    counted: bool,
) -> Evaluation:
    greedy = [found.get(now.greedy.get(question, "")) for question in questions]
    right = [bool(attempt and attempt.right) for attempt in greedy]
    there = [attempt for attempt in greedy if attempt]
    tokens = [attempt.tokens for attempt in there if attempt.tokens is not None]
    low, high = wilson(sum(right), len(questions))
    only_base = only_now = p_value = None
    before = [found.get(base.greedy.get(question, "")) for question in questions] if base else []
    if any(before):  # a base that was not asked any of this is none to compare with
        pairs = [(bool(one and one.right), other) for one, other in zip(before, right, strict=True)]
        only_base, only_now = pairs.count((True, False)), pairs.count((False, True))
        p_value = mcnemar_exact(only_base, only_now)
    k, passes, majorities = _sampled(questions, now, found)
    return Evaluation(
        run=run,
        round=round_number,
        held_out=held_out,
        model=now.model,
        weights=now.weights,
        questions=len(questions),
        correct=sum(right),
        answered=sum(attempt.answer is not None for attempt in there),
        truncated=sum(attempt.truncated for attempt in there),
        false_equation=sum(attempt.right and attempt.false_equation for attempt in there) if counted else None,
        accuracy=sum(right) / len(questions),
        low=low,
        high=high,
        only_base=only_base,
        only_now=only_now,
        p_value=p_value,
        rationale_tokens=fmean(tokens) if tokens else None,
        k=k,
        pass_at_k=passes,
        majority_at_k=majorities,
    )


def _sampled(
    questions: list[str], examinee: Examinee, found: Mapping[str, _Attempt]
) -> tuple[int, dict[str, float], float | None]:
    """k, pass@j by str(j) and majority@k of a set; a missing sample is a wrong one that does not vote."""
    k = max((len(examinee.samples.get(question, ())) for question in questions), default=0)
    if not k:
        return 0, {}, None
    samples = [[found.get(key) for key in examinee.samples.get(question, ())] for question in questions]
    right = [sum(bool(one and one.right) for one in some) for some in samples]
    tries = sorted({1 << power for power in range(k.bit_length())} | {k})
    passes = {str(j): fmean(pass_at_k(k, count, j) for count in right) for j in tries}
    winners = [majority([one.vote if one else None for one in some]) for some in samples]
    return k, passes, sum(bool(winner and winner[1]) for winner in winners) / len(questions)
