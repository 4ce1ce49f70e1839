"""Why not? What became of a question: each of its attempts, and the clause that kept it out of the newest dataset version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from selftaught_builder.audit.clauses import clauses
from selftaught_builder.audit.finding import Found, Unasked, find
from selftaught_builder.recipe import Recipe
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.provenance import require_run
from selftaught_builder.scope.scope import Scope
from selftaught_builder.selection.fates import EXPORTED, FATES, KEPT, fates_of, furthest
from selftaught_builder.selection.filter import Filter
from selftaught_builder.selection.funnel import CLASSES, NOT_YET_ASKED
from selftaught_builder.selection.newest import Newest, newest_version
from selftaught_builder.selection.policy import HARD_RULES
from selftaught_builder.selection.reading import View
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.store import Connection, DatabaseError


@dataclass(frozen=True)
class Said:
    """What a verifier of the recipe says of an attempt; `missing` where it has said nothing yet."""

    verifier: str
    version: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Tried:
    """One attempt at the question.

    Attributes:
        id: the attempt's id.
        asked: whether it was asked for by its id.
        kind, run, round, sample_index, model, finish_reason, tokens_in, tokens_out, cost, error, error_text, made: as stored.
        completion: what the model said.
        extracted: the answer that was read from it, None where there is none.
        verdicts: what each verifier of the recipe says.
        fate: what became of it under the recipe as it is now, one of `fates.FATES`.
        exported: whether it is in the newest version.
        because: what keeps it out of the newest version; empty where it is in it.
    """

    id: str
    asked: bool
    kind: str
    run: str
    round: int
    sample_index: int
    model: str
    finish_reason: str
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    error: str | None
    error_text: str | None
    made: datetime
    completion: str
    extracted: str | None
    verdicts: Sequence[Said]
    fate: str
    exported: bool
    because: Sequence[str]


@dataclass(frozen=True)
class Why:
    """What became of one row of the source.

    Attributes:
        hash: the question's hash; "" where the row is no question.
        id, row, text, gold: as the source has them; `row` counts from 1.
        standing: one of `funnel.CLASSES`, or `rejected`, `held_out`, `beyond_limit`, `other_run`, `new`.
        reason: that in words.
        version: the newest version; "" where there is none.
        policy: the policy of the recipe as it is now, on one line.
        notes: what else is good to know.
        attempts: every attempt at the question, the one asked for first, the others in their order.
    """

    hash: str
    id: str
    row: int | None
    text: str
    gold: str
    standing: str
    reason: str
    version: str
    policy: str
    notes: Sequence[str] = ()
    attempts: Sequence[Tried] = ()


def why(workspace: Workspace, what: str) -> Why:
    """Say what became of a question, or of the question of an attempt.

    Args:
        workspace: a room whose store is verified; its policy explains what is not in the newest version.
        what: see `finding.find`.

    Raises:
        InputError: there is nothing of that name, or several.
    """
    store, room = workspace.store, workspace.room
    require_run(store, room.run)
    policy = as_policy(room.recipe.keep).line
    found = find(store, room, what)
    if isinstance(found, Unasked):
        return Why(**asdict(found), version="", policy=policy)
    newest, question = newest_version(store, room), found.question
    asked = store.sql(_ASKED, [question, room.run, room.run]).row(0, named=True)
    with workspace.reading(workspace.newest_scope()) as view:
        fates = fates_of(view).filter(pl.col("question") == question)
        attempts = _attempts(view, room.recipe, newest, found, fates)
    standing, reason = _standing(room, asked, fates)
    notes = []
    if newest.name and newest.policy != policy:
        notes.append(f"{newest.name} was made under another policy; what stands here holds for the recipe as it is now")
    return Why(
        hash=question,
        id=asked["id"],
        row=asked["row_number"],
        text=asked["question"],
        gold=asked["gold"],
        standing=standing,
        reason=reason,
        version=newest.name,
        policy=policy,
        notes=notes,
        attempts=attempts,
    )


_ASKED = """
SELECT q.id, q.row_number, q.question, q.gold, q.hash, h.held_out, r.position
FROM (SELECT * FROM questions WHERE hash = ?) q
LEFT JOIN held_out_questions h ON h.question = q.hash AND h.run = ?
LEFT JOIN run_questions r ON r.question = q.hash AND r.run = ?
"""


def _standing(room: Room, asked: Mapping[str, Any], fates: pl.DataFrame) -> tuple[str, str]:
    """Where the question ended, and that in words."""
    if asked["held_out"]:
        return "held_out", f"held out for {asked['held_out']}: never trained on"
    if asked["position"] is None:
        return "other_run", f"run {room.run} does not ask this question"
    tried = fates.filter(pl.col("in_scope") & pl.col("kind").is_in(["sampled", "rationalized"]))
    standing = furthest(tried)["fate"].item() if tried.height else NOT_YET_ASKED
    return standing, CLASSES[standing]


_SAID = """
SELECT v.attempt, v.verifier, v.outcome, v.reason FROM verdicts v
JOIN (SELECT unnest(?::VARCHAR[]) AS verifier, unnest(?::VARCHAR[]) AS version) USING (verifier, version)
WHERE v.attempt IN (SELECT id FROM attempts WHERE question = ?) ORDER BY v.created_at
"""


def _attempts(view: View, recipe: Recipe, newest: Newest, found: Found, fates: pl.DataFrame) -> list[Tried]:
    question, named = found.question, found.attempt
    versions, connection = view.filter.versions, view.connection
    of = {row["attempt"]: row for row in fates.iter_rows(named=True)}
    said = {
        (attempt, verifier): (outcome, reason)
        for attempt, verifier, outcome, reason in connection.execute(
            _SAID, [list(versions), list(versions.values()), question]
        ).fetchall()  # of several the newest, which comes last
    }
    rules = _Rules(connection, view.filter, question)
    in_order = "SELECT * FROM attempts WHERE question = ? ORDER BY id = ? DESC, created_at, id"
    rows = view.sql(in_order, [question, named]).to_dicts()
    tried = []
    for row in rows:
        fate = of.get(row["id"]) or {"fate": "evaluated" if row["kind"] == "evaluated" else "other_question"}
        verdicts = [
            Said(name, version, *said.get((row["id"], name), ("missing", ""))) for name, version in versions.items()
        ]
        exported = row["id"] in newest.attempts
        tried.append(
            Tried(
                **{name: row[name] for name in _AS_STORED},
                asked=row["id"] == named,
                made=row["created_at"],
                extracted=rules.extracted.get(row["id"]),
                verdicts=verdicts if row["error"] is None and row["kind"] != "probed" else [],
                fate=fate["fate"],
                exported=exported,
                because=[] if exported else _because(row, fate, newest, recipe, view.scope, rules),
            )
        )
    return tried


_AS_STORED = (
    *("id", "kind", "run", "round", "sample_index", "model", "finish_reason", "tokens_in", "tokens_out", "cost"),
    *("error", "error_text", "completion"),
)


# As WHERE reads a condition, which may be unknown or no boolean; the line break ends a trailing comment.
_HOLDS = "CASE WHEN (\n{}\n) THEN true ELSE false END"


class _Rules:
    """The hard rules' clauses and the policy's, and which of them do not hold for a question's attempts."""

    def __init__(self, connection: Connection, filter: Filter, question: str) -> None:
        policy = as_policy(filter.keep).sql
        self._judged, self._question = filter.judged, question
        self.hard = self._failing(connection, HARD_RULES)
        self.policy = self._failing(connection, policy)
        self.extracted = dict(self._rows(connection, "extracted")) if "answer" in filter.versions else {}

    def _failing(self, connection: Connection, predicate: str) -> dict[str, list[str]]:
        """Return the clauses that are false, or unknown, by attempt; the whole predicate where none is by itself."""
        parts, whole = clauses(connection, predicate), " ".join(predicate.split())
        holds = dict(self._rows(connection, _HOLDS.format(predicate)))
        try:
            columns = ", ".join(_HOLDS.format(part) for part in parts)
            single = {attempt: values for attempt, *values in self._rows(connection, columns)}
        except DatabaseError:  # a condition that another one guards
            single = {}
        return {
            attempt: [part for part, value in zip(parts, single.get(attempt, ()), strict=False) if not value] or [whole]
            for attempt, kept in holds.items()
            if not kept
        }

    def _rows(self, connection: Connection, columns: str) -> list[tuple[Any, ...]]:
        query = f"SELECT wide.id, {columns} FROM ({self._judged}) wide WHERE wide.question = ?"
        return connection.execute(query, [self._question]).fetchall()


def _because(
    row: Mapping[str, Any], fate: Mapping[str, Any], newest: Newest, recipe: Recipe, scope: Scope, rules: _Rules
) -> list[str]:
    """What keeps an attempt out of the newest version, clause by clause."""
    name = fate["fate"]
    if name == "error":
        return [f"failed try: {row['error']}: {row['error_text'] or ''}".rstrip(": ")]
    if name == "evaluated":
        return ["asked to evaluate a model: never exported"]
    if name == "probed":
        return ["asked by a verifier about another attempt: never exported"]
    if name in ("held_out", "other_question"):
        return [f"belongs to run {row['run']}: {FATES[name]}" if name == "other_question" else FATES[name]]
    if name == EXPORTED:
        if not newest.made:
            return ["nothing was exported yet; an export takes it"]
        newer = row["created_at"] > newest.made
        return [
            f"{'newer than' if newer else 'the recipe or verdicts have changed since'} {newest.name}; the next export takes it"
        ]
    if name == "other_recipe":
        return [f"{FATES[name]}: {scope.why_outside(row)}"]
    if name in ("other_round", "needless"):
        return [FATES[name]]
    if name in KEPT:
        return [_kept_out(name, fate, recipe)]
    hard = rules.hard.get(row["id"], [])
    more = [clause for clause in rules.policy.get(row["id"], []) if clause not in hard]
    return [f"hard rule: {clause}" for clause in hard] + [f"policy: {clause}" for clause in more]


def _kept_out(name: str, fate: Mapping[str, Any], recipe: Recipe) -> str:
    """What keeps an attempt out that the policy keeps."""
    if name == "duplicate":
        return f"says word for word what {fate['duplicate_of']} says"
    if name == "per_question":
        most = recipe.export.per_question
        return f"over `export.per_question`: number {fate['place']} of its question, and {most} may stay"
    return f"over `export.rationalized_share`: rationalized rows make up at most {recipe.export.rationalized_share:g}"
