"""The SQL behind a report. `pasted` gives a query as a person can run it: `selftaught sql ROOM "…"`."""

from __future__ import annotations

from collections.abc import Collection

ACCURACY = """\
SELECT round, held_out, correct, questions, accuracy, low, high, only_base, only_now, p_value
FROM evaluations WHERE run = $run
QUALIFY row_number() OVER (PARTITION BY round, held_out ORDER BY created_at DESC) = 1
ORDER BY held_out DESC, round"""

# What a round made is what the recipe asked for in it: the view `audited`, whose column `round` says so.
_MADE = """\
made AS (
    SELECT a.*{missing_here} FROM audited a WHERE a.error IS NULL
), versions AS (
    SELECT round, coalesce(any_value(s.version), max_by(t.version, t.started_at)) AS version
    FROM (SELECT round, detail->>'version' AS version FROM stages WHERE run = $run AND stage = 'export') s
    FULL JOIN (SELECT round, version, started_at FROM trainings WHERE run = $run) t USING (round) GROUP BY round
), trained AS (
    SELECT v.round, v.version, d.attempt FROM versions v JOIN runs ON runs.id = $run
    JOIN dataset_rows d ON d.recipe_name = runs.recipe_name AND d.version = v.version
)"""

_ROUNDS = """\
WITH {made}, own AS (
    SELECT m.round, count(*) AS completions, count(*) FILTER (m.answer = 'pass') AS correct,
           count(t.attempt) AS kept, count(t.attempt) FILTER (m.kind = 'rationalized') AS rationalized,
           if(bool_or(m.equations <> 'missing'),
              count(*) FILTER (m.answer = 'pass' AND m.equations = 'fail'), NULL) AS correct_false
    FROM made m LEFT JOIN trained t ON t.round = m.round AND t.attempt = m.id GROUP BY ALL
), whole AS (
    SELECT t.round, any_value(t.version) AS version, count(*) AS version_rows,
           if(bool_or(a.equations <> 'missing'), count(*) FILTER (a.equations = 'fail'), NULL) AS version_false
    FROM trained t JOIN (SELECT *{missing} FROM attempts_wide a) a ON a.id = t.attempt GROUP BY ALL
)
SELECT round, version, coalesce(completions, 0) AS completions, coalesce(correct, 0) AS correct, coalesce(kept, 0) AS kept,
       coalesce(rationalized, 0) AS rationalized, coalesce(version_rows, 0) AS version_rows, correct_false, version_false
FROM own FULL JOIN whole USING (round) ORDER BY round"""

_LEAKS = """\
WITH {made}
SELECT m.round, m.kind, t.attempt IS NOT NULL AS trained_on, m.id AS attempt, m.question_text AS question,
       m.gold, m.completion AS rationale, v.reason
FROM made m LEFT JOIN trained t ON t.round = m.round AND t.attempt = m.id
JOIN verdicts v ON v.attempt = m.id AND v.verifier = 'equations'
JOIN verifiers s ON s.name = v.verifier AND s.version = v.version
WHERE m.answer = 'pass' AND m.equations = 'fail'
ORDER BY trained_on DESC, m.round, m.id LIMIT 6"""


def rounds_query(listed: Collection[str], known: Collection[str]) -> str:
    """Return the query for what each round wrote and kept.

    Args:
        listed: the recipe's verifiers.
        known: the verifiers that the store has verdicts of.
    """
    return _filled(_ROUNDS, listed, known)


def leaks_query(listed: Collection[str], known: Collection[str]) -> str:
    """Return the query for right answers with a false equation; arguments as for `rounds_query`."""
    return _filled(_LEAKS, listed, known)


def pasted(query: str, run: str) -> str:
    """Return a query with the run's name in place of the parameter, for a person to run; we bind it instead."""
    return query.replace("$run", "'" + run.replace("'", "''") + "'")


def _filled(query: str, listed: Collection[str], known: Collection[str]) -> str:
    """`audited` has a column for each verifier of the recipe, `attempts_wide` for each that the store knows."""
    here, missing = (
        "".join(f", 'missing' AS {name}" for name in ("answer", "equations") if name not in names)
        for names in (listed, known)
    )
    return query.replace("{made}", _MADE).replace("{missing_here}", here).replace("{missing}", missing)
