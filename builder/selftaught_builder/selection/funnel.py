"""The funnel: from source rows to exported rows, every row and every question in exactly one place."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from selftaught_builder.questions.held_out import HELD_OUT
from selftaught_builder.selection.fates import FATES, KEPT, fates_of, furthest
from selftaught_builder.selection.reading import View
from selftaught_builder.selection.selected import select_rows

NOT_YET_ASKED = "not_yet_asked"
"""The class of a question without any attempt."""

CLASSES = {
    **FATES,
    "wrong": "none right",
    "unreadable": "none with an answer that can be read",
    "empty": "only empty completions",
    "cut_off": "only cut off by the server",
    "truncated": "only truncated",
    "error": "no completion",
    NOT_YET_ASKED: "not asked yet",
}
"""What `Funnel.by_fate` says of a question."""


@dataclass(frozen=True)
class KindCounts:
    """The counts of one kind of attempt: `sampled` or `rationalized`."""

    kind: str
    completions: int
    correct: int
    kept: int


@dataclass(frozen=True)
class Funnel:
    """Counts over a run's questions; `evaluated` attempts are not among them.

    Each row of the source is in one place: `source_rows` is the sum of `rejected`, `held_out`, `not_asked` and `questions`;
    and so is each question: `questions` is the sum of `by_fate`.

    Attributes:
        source_rows: rows read from the question source.
        rejected: rows that are no usable question, by reason.
        held_out: rows that are only evaluated, by what for: `validate` or `evaluate`.
        questions: questions to ask.
        by_fate: questions by the fate of their attempt that came furthest (`fates.FATES`), or `not_yet_asked`; those that came
            furthest first.
        attempts: tries, failed ones included.
        errors: tries that brought no completion.
        truncated: completions cut off at max_tokens.
        completions: completions that arrived.
        correct: completions with a passing answer verdict.
        kept: completions that the policy and the hard rules keep.
        exported: rows of the dataset, after duplicates and the limit per question.
        questions_correct, questions_kept, questions_exported: questions with at least one such attempt.
        rationalized_exported: exported rows that were rationalized.
        by_kind: completions, correct and kept ones of each kind.
        policy: the policy's SQL on one line, with its name as a comment where it has one.
    """

    source_rows: int
    rejected: dict[str, int]
    questions: int
    attempts: int
    errors: int
    truncated: int
    completions: int
    correct: int
    kept: int
    exported: int
    questions_correct: int
    questions_kept: int
    questions_exported: int
    rationalized_exported: int
    by_kind: tuple[KindCounts, ...]
    held_out: dict[str, int] = field(default_factory=dict)
    by_fate: dict[str, int] = field(default_factory=dict)
    policy: str = ""

    @property
    def not_asked(self) -> int:
        """Source rows that are neither questions, rejected nor held out: beyond the recipe's limit."""
        return self.source_rows - self.questions - sum(self.rejected.values()) - sum(self.held_out.values())


_REJECTED = """
SELECT reason, CASE WHEN reason = ? THEN detail ELSE '' END AS part, count(*) FROM rejected_questions WHERE run = ?
GROUP BY ALL ORDER BY ALL
"""


def count_funnel(view: View, rows: pl.DataFrame | None = None, fates: pl.DataFrame | None = None) -> Funnel:
    """Count the funnel of a run, or of some of its rounds.

    Args:
        view: over a verified store; its scope says which rounds.
        rows: the rows to export, if they are known; else they are selected.
        fates: what `fates.fates_of` returns for them, if it is known.
    """
    run = [view.scope.run]
    rows = select_rows(view) if rows is None else rows
    fates = fates_of(view, rows) if fates is None else fates
    asked = view.sql("SELECT question FROM run_questions WHERE run = ?", run)
    gone = view.connection.execute(_REJECTED, [HELD_OUT, *run]).fetchall()
    source = view.sql("SELECT source_rows FROM runs WHERE id = ?", run)["source_rows"]
    mine = fates.filter(pl.col("in_scope") & pl.col("kind").is_in(["sampled", "rationalized"]))
    completions = mine.filter(~pl.col("failed"))
    correct, kept = completions.filter("correct"), completions.filter(pl.col("fate").is_in(KEPT))
    return Funnel(
        source_rows=source[0] if source.len() else asked.height + sum(count for _, _, count in gone),
        rejected={reason: count for reason, _, count in gone if reason != HELD_OUT},
        # A store of an earlier selftaught does not say what for.
        held_out={part or "evaluation": count for reason, part, count in gone if reason == HELD_OUT},
        questions=asked.height,
        by_fate=_by_fate(asked, mine),
        attempts=mine.height,
        errors=mine.height - completions.height,
        completions=completions.height,
        truncated=completions.filter("truncated").height,
        correct=correct.height,
        kept=kept.height,
        exported=rows.height,
        questions_correct=correct["question"].n_unique(),
        questions_kept=kept["question"].n_unique(),
        questions_exported=rows["question"].n_unique() if rows.height else 0,
        rationalized_exported=rows.filter(pl.col("kind") == "rationalized").height if rows.height else 0,
        by_kind=tuple(
            KindCounts(kind, *(part.filter(pl.col("kind") == kind).height for part in (completions, correct, kept)))
            for kind in ("sampled", "rationalized")
            if (mine["kind"] == kind).any()
        ),
        policy=view.filter.policy_line,
    )


def _by_fate(asked: pl.DataFrame, fates: pl.DataFrame) -> dict[str, int]:
    """Put each question in the class of its attempt that came furthest."""
    reached = asked.join(furthest(fates), on="question", how="left")["fate"].fill_null(NOT_YET_ASKED)
    counts = dict(reached.value_counts().iter_rows())
    return {fate: counts[fate] for fate in CLASSES if fate in counts}
