"""Collecting a report: everything that it shows, read from the store in one go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.errors import InputError
from selftaught_builder.evaluation.summary import Evaluation, best, recorded
from selftaught_builder.loop.steps import STAGES, as_object
from selftaught_builder.report import queries
from selftaught_builder.store import Store


@dataclass(frozen=True)
class Round:
    """What one round wrote and what of it was trained on. Verdicts are those of the verifiers' current versions.

    Attributes:
        round: counted from 1.
        version: the dataset version it exported, None before that.
        completions: completions on the run's questions by the round's model, sampled and rationalized.
        correct: with the right answer.
        kept: rows of the version that are among these completions.
        rationalized: of the kept, those written with the hint.
        version_rows: rows of the version; more than `kept` where data accumulates over rounds.
        correct_false: right answers whose rationale states a false equation; None where nobody looked.
        version_false: rows of the version that state one; None where nobody looked.
        false_before, false_after: the same as shares of the right answers, before the policy, and of the rows, after it.
    """

    round: int
    version: str | None
    completions: int
    correct: int
    kept: int
    rationalized: int
    version_rows: int
    correct_false: int | None
    version_false: int | None
    false_before: float | None
    false_after: float | None


@dataclass(frozen=True)
class Stage:
    """One stage: what it asked for and what took its time, as the table `stages` has it.

    Attributes:
        round: 0 is the base model.
        stage: its name.
        finished: False while it is under way or was broken off.
        planned, reused, completions, failed, truncated: attempts by what became of them.
        tokens_in, tokens_out: as the endpoint counted them.
        cost: US dollars, None where unknown.
        seconds: the stage's wall time, None where unknown.
        generation, server, trainer: seconds of it that were the endpoint's answers, a server's start, Axolotl's process.
        overhead: the rest, which is ours.
    """

    round: int
    stage: str
    finished: bool
    planned: int | None
    reused: int | None
    completions: int | None
    failed: int | None
    truncated: int | None
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    seconds: float | None
    generation: float
    server: float
    trainer: float
    overhead: float | None


@dataclass(frozen=True)
class Training:
    """The last training of a round.

    Attributes:
        round: the round it ended.
        version: the dataset version it learnt from.
        steps: optimizer steps.
        seconds: wall time of the trainer's process, None while unfinished.
        first_loss, last_loss: None where none was logged.
        yaml_hash: SHA-256 of its Axolotl YAML.
        weights: the fingerprint of what came out, None while there is none.
        error: what went wrong.
    """

    round: int
    version: str
    steps: int
    seconds: float | None
    first_loss: float | None
    last_loss: float | None
    yaml_hash: str
    weights: str | None
    error: str | None


@dataclass(frozen=True)
class Leak:
    """A right answer with a false equation. Question and rationale are text from outside.

    Attributes:
        round, kind, attempt: which attempt it is.
        trained_on: whether it went into the round's dataset version.
        question, gold, rationale: what was asked and written.
        reason: the verdict's, which quotes the equation.
    """

    round: int
    kind: str
    trained_on: bool
    attempt: str
    question: str
    gold: str
    rationale: str
    reason: str


@dataclass(frozen=True)
class LoopReport:
    """What a run's rounds brought.

    Attributes:
        run, recipe: names.
        policy: the SQL predicate of the last version, None before there is one.
        evaluations: by set and round, `validate` first.
        best: the best evaluation on `validate`, whose round names the best checkpoint; None where none was validated.
        rounds, stages, trainings: in their order.
        leaks: a few right answers with a false equation, those trained on first.
        sql: title to query, to be run again by hand.
    """

    run: str
    recipe: str
    policy: str | None
    evaluations: Sequence[Evaluation]
    best: Evaluation | None
    rounds: Sequence[Round]
    stages: Sequence[Stage]
    trainings: Sequence[Training]
    leaks: Sequence[Leak]
    sql: Mapping[str, str]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of all stages by what took them: total, generation, server, trainer, overhead."""
        timed = [stage for stage in self.stages if stage.seconds is not None]
        parts = ("generation", "server", "trainer", "overhead")
        return {
            "total": sum(stage.seconds or 0.0 for stage in timed),
            **{part: sum(getattr(stage, part) for stage in timed) for part in parts},
        }


def collect(store: Store, run: str) -> LoopReport:
    """Read a run's report from the store.

    Args:
        store: the store, verified.
        run: the run's name, known to the store.

    Raises:
        InputError: the run has gone through no stage of a loop.
    """
    evaluations = recorded(store, run)
    stages = [_stage(row) for row in _rows(store, _STAGES, run)]
    if not evaluations and not stages:
        raise InputError(
            f"the run `{run}` has no rounds to report", place="report", mend="`selftaught run` makes them."
        )
    verifiers = {row["name"] for row in _rows(store, "SELECT name FROM verifiers", run)}
    rounds, leaks = queries.rounds_query(verifiers), queries.leaks_query(verifiers)
    about: dict[str, Any] = next(iter(_rows(store, _ABOUT, run)), {"recipe_name": "", "policy": None})
    shown = {
        "Accuracy by round": queries.ACCURACY,
        "What each round wrote and kept": rounds,
        "Right answers with a false equation": leaks,
    }
    return LoopReport(
        run=run,
        recipe=about["recipe_name"],
        policy=about["policy"],
        evaluations=evaluations,
        best=best(evaluations),
        rounds=[_round(row) for row in _rows(store, rounds, run)],
        stages=stages,
        trainings=[_training(row) for row in _rows(store, _TRAININGS, run)],
        leaks=[Leak(**row) for row in _rows(store, leaks, run)],
        sql={title: queries.pasted(query, run) for title, query in shown.items()},
    )


# A stage's own order, not the alphabet's; a round's server starts show in whichever stage waited for them.
_STAGES = f"""
SELECT round, stage, finished_at IS NOT NULL AS finished, detail, epoch(finished_at) - epoch(started_at) AS elapsed
FROM stages WHERE run = $run
ORDER BY round, list_position({list(STAGES)}, stage) NULLS LAST, stage
"""

# The same YAML, data and base weights are the same training: a round may have found it done by another run.
_TRAININGS = """
WITH ended AS (SELECT round, detail->>'training' AS id FROM stages WHERE run = $run AND stage = 'train'),
mine AS (
    SELECT t.* REPLACE (coalesce(e.round, t.round) AS round), e.id IS NOT NULL AS named
    FROM trainings t LEFT JOIN ended e ON e.id = t.id WHERE t.run = $run OR e.id IS NOT NULL
)
SELECT round, version, steps, seconds, losses, yaml_hash, weights, error FROM mine
QUALIFY row_number() OVER (PARTITION BY round ORDER BY named DESC, started_at DESC) = 1 ORDER BY round
"""

_ABOUT = """
SELECT r.recipe_name, max_by(d.policy, d.number) AS policy
FROM runs r LEFT JOIN dataset_versions d ON d.run = r.id WHERE r.id = $run GROUP BY r.recipe_name
"""


def _rows(store: Store, query: str, run: str) -> list[dict[str, Any]]:
    with store.read() as connection:
        cursor = connection.execute(query, {"run": run} if "$run" in query else None)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _round(row: Mapping[str, Any]) -> Round:
    def share(part: int | None, whole: int) -> float | None:
        return part / whole if part is not None and whole else None

    before = share(row["correct_false"], row["correct"])
    return Round(**row, false_before=before, false_after=share(row["version_false"], row["version_rows"]))


def _stage(row: Mapping[str, Any]) -> Stage:
    detail = as_object(row["detail"])
    spent = detail.get("seconds") or {}
    total = spent.get("total", row["elapsed"])
    known: dict[str, Any] = {part: float(spent.get(part) or 0.0) for part in ("generation", "server", "trainer")}
    names = ("planned", "reused", "completions", "failed", "truncated", "tokens_in", "tokens_out", "cost")
    counted: dict[str, Any] = {name: detail.get(name) for name in names}
    return Stage(
        round=row["round"],
        stage=row["stage"],
        finished=row["finished"],
        **counted,
        seconds=total,
        **known,
        overhead=None if total is None else total - sum(known.values()),
    )


def _training(row: Mapping[str, Any]) -> Training:
    losses = [loss for _, loss in json.loads(row["losses"])]
    ends = {"first_loss": losses[0] if losses else None, "last_loss": losses[-1] if losses else None}
    return Training(**{name: value for name, value in row.items() if name != "losses"}, **ends)
