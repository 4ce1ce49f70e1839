"""Collecting a report: everything that it shows, read from the store in one go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.evaluation.summary import Evaluation, best, recorded
from selftaught_builder.report import queries
from selftaught_builder.report.stages import StageReport, stages_of
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.filter import Filter
from selftaught_builder.selection.reading import reading
from selftaught_builder.spending.costs import Cost, cost_of
from selftaught_builder.store import Connection, Store


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
        sql: title to query, to be run again by hand with `selftaught sql ROOM`.
        cost: what the run has cost in all.
        cost_per_row: US dollars for each row of the newest version; None if that is not known.
        outside: completions of the run that its recipe, as it is now, does not ask for: `rounds` and `leaks` leave them out.
    """

    run: str
    recipe: str
    policy: str | None
    evaluations: Sequence[Evaluation]
    best: Evaluation | None
    rounds: Sequence[Round]
    stages: Sequence[StageReport]
    trainings: Sequence[Training]
    leaks: Sequence[Leak]
    sql: Mapping[str, str]
    cost: Cost
    cost_per_row: float | None
    outside: int

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of all stages by what took them: total, generation, server, trainer, overhead."""
        timed = [stage for stage in self.stages if stage.seconds is not None]
        parts = ("generation", "server", "trainer", "overhead")
        return {
            "total": sum(stage.seconds or 0.0 for stage in timed),
            **{part: sum(getattr(stage, part) for stage in timed) for part in parts},
        }


def collect(store: Store, scope: Scope, filter: Filter) -> LoopReport:
    """Read a run's report from the store.

    Args:
        store: the store, verified; it knows the run.
        scope: the attempts that the recipe draws on, of every round.
        filter: the recipe's.

    Raises:
        InputError: the run has gone through no stage of a loop.
    """
    run, verifiers = scope.run, list(filter.versions)
    evaluations, stages = recorded(store, run), stages_of(store, run)
    if not evaluations and not stages:
        raise InputError(
            f"the run `{run}` has no rounds to report", place="report", mend="`selftaught run` makes them."
        )
    with reading(store, scope, filter) as view:
        connection = view.connection
        known = {row["name"] for row in _rows(connection, "SELECT name FROM verifiers", run)}
        rounds, leaks = queries.rounds_query(verifiers, known), queries.leaks_query(verifiers, known)
        about: dict[str, Any] = next(iter(_rows(connection, _ABOUT, run)), {"recipe_name": "", "policy": None})
        counted = [_round(row) for row in _rows(connection, rounds, run)]
        trainings = [_training(row) for row in _rows(connection, _TRAININGS, run)]
        found = [Leak(**row) for row in _rows(connection, leaks, run)]
        ((outside,),) = connection.execute(_OUTSIDE, [run]).fetchall()
    shown = {
        "Accuracy by round": queries.ACCURACY,
        "What each round wrote and kept": rounds,
        "Right answers with a false equation": leaks,
    }
    newest = next((one.version_rows for one in reversed(counted) if one.version), 0)
    cost = cost_of(store, scope)
    return LoopReport(
        run=run,
        recipe=about["recipe_name"],
        policy=about["policy"],
        evaluations=evaluations,
        best=best(evaluations),
        rounds=counted,
        stages=stages,
        trainings=trainings,
        leaks=found,
        sql={title: queries.pasted(query, run) for title, query in shown.items()},
        cost=cost,
        cost_per_row=cost.per_row(newest),
        outside=outside,
    )


# Completions that this run has paid for and its recipe, as it is now, does not ask for.
_OUTSIDE = """
SELECT count(*) FROM attempts WHERE run = ? AND kind IN ('sampled', 'rationalized') AND error IS NULL
AND id NOT IN (SELECT attempt FROM scoped) AND id NOT IN (SELECT attempt FROM needless)
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


def _rows(connection: Connection, query: str, run: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query, {"run": run} if "$run" in query else None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _round(row: Mapping[str, Any]) -> Round:
    def share(part: int | None, whole: int) -> float | None:
        return part / whole if part is not None and whole else None

    before = share(row["correct_false"], row["correct"])
    return Round(**row, false_before=before, false_after=share(row["version_false"], row["version_rows"]))


def _training(row: Mapping[str, Any]) -> Training:
    losses = [loss for _, loss in json.loads(row["losses"])]
    ends = {"first_loss": losses[0] if losses else None, "last_loss": losses[-1] if losses else None}
    return Training(**{name: value for name, value in row.items() if name != "losses"}, **ends)
