"""Fates: what became of each attempt, from a failed try to a row of the dataset.

An attempt passes one check after another; its fate is the first that it does not pass. So fates have an order, and a question's
is that of its attempt that came furthest.
"""

from __future__ import annotations

import polars as pl

from selftaught_builder.scope.table import attach_scope
from selftaught_builder.selection.policy import CUT_OFF, HARD_RULES, TRUNCATED
from selftaught_builder.selection.reading import View
from selftaught_builder.selection.selected import most, ranked, select_rows
from selftaught_builder.spending.budget import REFUSALS

EXPORTED = "exported"

FATES = {
    EXPORTED: "exported",
    "rationalized_share": "over the share of rationalized rows",
    "per_question": "over the limit per question",
    "duplicate": "said before, word for word",
    "policy": "right, but not kept by the policy",
    "hard_rule": "right, but against a hard rule",
    "hint_shows": "right, but the hint may show",
    "unverified": "without an answer verdict yet",
    "wrong": "wrong answer",
    "unreadable": "no answer that can be read",
    "empty": "empty",
    "cut_off": "cut off by the server",
    "truncated": "truncated at max_tokens",
    "error": "failed try",
    "needless": "rationalized, though a sample of its question is kept",
    "other_round": "of a round that the version does not draw on",
    "other_recipe": "not what the recipe asks for",
    "evaluated": "evaluation",
    "probed": "asked by a verifier",
    "held_out": "of a question now held out",
    "other_question": "of a question not in this run",
}
"""Every fate and what it says of an attempt, those that came furthest first."""

KEPT = (EXPORTED, "rationalized_share", "per_question", "duplicate")
"""The fates of the attempts that the policy keeps."""

# In the order in which attempts are checked. The policy is asked before the hard rules where it is run; here it comes after
# them, since what is wrong is no matter of policy.
_FATES = """
WITH asked AS (SELECT question FROM run_questions WHERE run = $run),
held_out AS (SELECT question FROM held_out_questions WHERE run = $run),
chosen AS MATERIALIZED (FROM kept),
ranked AS ({ranked}),
judged AS ({judged})
SELECT a.id AS attempt, a.run, a.round, a.question, a.kind, a.error IS NOT NULL AS failed,
       coalesce(a.error IN {refusals}, false) AS refused, a.tokens_in, a.tokens_out, a.cost,
       coalesce(w.truncated, false) AS truncated, coalesce(w.answer = 'pass', false) AS correct,
       s.attempt IS NOT NULL AS in_scope,
       CASE WHEN r.copy > 1 THEN r.first_copy END AS duplicate_of, r.place,
       CASE WHEN a.kind IN ('evaluated', 'probed') THEN a.kind
            WHEN a.question IN (FROM held_out) THEN 'held_out'
            WHEN a.question NOT IN (FROM asked) OR w.id IS NULL THEN 'other_question'
            WHEN n.attempt IS NOT NULL THEN 'needless'
            WHEN s.attempt IS NULL AND o.attempt IS NOT NULL THEN 'other_round'
            WHEN s.attempt IS NULL THEN 'other_recipe'
            WHEN a.error IS NOT NULL THEN 'error'
            WHEN lower(a.finish_reason) IN {truncated} THEN 'truncated'
            WHEN lower(a.finish_reason) IN {cut_off} THEN 'cut_off'
            WHEN a.completion = '' THEN 'empty'
            WHEN w.answer = 'unscorable' THEN 'unreadable'
            WHEN w.answer = 'fail' THEN 'wrong'
            WHEN w.answer <> 'pass' THEN 'unverified'
            WHEN w.hinted AND w.hint_leak <> 'pass' THEN 'hint_shows'
            WHEN NOT w.within_rules THEN 'hard_rule'
            WHEN k.id IS NULL THEN 'policy'
            WHEN r.copy > 1 THEN 'duplicate'
            WHEN r.place > $most THEN 'per_question'
            ELSE 'rationalized_share' END AS fate
FROM attempts a
LEFT JOIN judged w ON w.id = a.id
LEFT JOIN scoped s ON s.attempt = a.id
LEFT JOIN of_all_rounds o ON o.attempt = a.id
LEFT JOIN needless n ON n.attempt = a.id
LEFT JOIN chosen k ON k.id = a.id
LEFT JOIN ranked r ON r.id = a.id
WHERE a.run = $run OR a.question IN (FROM asked)
ORDER BY a.question, a.created_at, a.id
"""


def fates_of(view: View, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the fate of every attempt of a run or at one of its questions, whoever made it.

    The columns: attempt, run, round, question, kind, failed, refused (no completion was made, so it cost nothing), tokens_in,
    tokens_out, cost (as stored), truncated, correct, in_scope, duplicate_of (the attempt that says the same), place (among
    its question's, from 1) and fate, one of `FATES`.

    Args:
        view: over a verified store; what its scope does not draw on becomes `other_round` or `other_recipe`.
        rows: the rows to export, if they are known; else they are selected.
    """
    filter, scope = view.filter, view.scope
    attach_scope(view.connection, scope.of_all_rounds(), table="of_all_rounds")
    query = _FATES.format(
        refusals=REFUSALS,
        truncated=TRUNCATED,
        cut_off=CUT_OFF,
        ranked=ranked("FROM chosen", filter.export),
        judged=f"SELECT *, coalesce({HARD_RULES}, false) AS within_rules FROM ({filter.judged})",
    )
    fates = view.sql(query, {"run": scope.run, "most": most(filter.export)})
    rows = select_rows(view) if rows is None else rows
    chosen = pl.col("attempt").is_in(rows["attempt"].to_list() if rows.height else [])
    return fates.with_columns(pl.when(chosen).then(pl.lit(EXPORTED)).otherwise("fate").alias("fate"))


def furthest(fates: pl.DataFrame) -> pl.DataFrame:
    """Return each question's fate, that of its attempt that came furthest: columns question and fate."""
    order = pl.Enum(list(FATES))
    return fates.group_by("question").agg(pl.col("fate").cast(order).min().cast(pl.String))
