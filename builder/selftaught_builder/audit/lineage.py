"""Lineage: from a row of a dataset back to the base model, through the training that made each model on the way.

A row is an attempt; an attempt has a prompt and a model; a model's weights came out of a training, or they did not; a
training has a YAML, the weights it started from and a dataset version; a version's rows are attempts of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.common.keys import UNKNOWN_WEIGHTS
from selftaught_builder.store import Store
from selftaught_builder.store.identity import weights_identity_of

_VERSION = re.compile(r"(?P<version>v\d+-[0-9a-f]+)(?::(?P<row>\d+))?")
BASE = "base model, not trained by us"
ABOVE = "shown above"


@dataclass(frozen=True)
class Step:
    """One step of a lineage. Names and facts hold text from outside.

    Attributes:
        depth: how far it is indented: one more than the step that it explains.
        kind: row, attempt, prompt, model, training, YAML or version.
        name: which one.
        facts: what is known of it, by label.
    """

    depth: int
    kind: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def lineage(store: Store, id: str) -> list[Step]:
    """Walk back from an attempt, a dataset version or one of its rows.

    Every chain ends with a plain word: `base model, not trained by us`, `weights unknown: run X round N`, or `shown above`
    where it comes back to what stands there already.

    Args:
        store: the store.
        id: an attempt's id, or its key (of its tries the success), a version's name (v3-1a2b3c4d), or VERSION:ROW with the row
            counted from 0, through the splits in the order train, validation.

    Raises:
        InputError: the store has nothing of this id.
    """
    walk = _Walk(store)
    named = _VERSION.fullmatch(id)
    if named is None:
        return list(walk.attempt(id, 0))
    walk.require_version(named["version"])
    if named["row"] is None:
        return list(walk.version(named["version"], 0))
    return list(walk.row(named["version"], int(named["row"])))


class _Walk:
    """A walk through one store; it tells each version and each model once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: set[tuple[str, ...]] = set()

    def row(self, version: str, place: int) -> Iterator[Step]:
        # Rows were inserted in the order of the files, and none is ever deleted: DuckDB's row id keeps that order.
        rows = self._ask(
            "SELECT attempt, split, role FROM dataset_rows WHERE version = $version ORDER BY rowid", version=version
        )
        if place >= len(rows):
            raise InputError(
                f"`{version}` has {len(rows)} rows",
                place=f"{version}:{place}",
                mend=f"Rows go from 0 to {len(rows) - 1}.",
            )
        attempt, split, role = rows[place]
        yield Step(0, "row", f"{version}:{place}", {"split": split, "role": role})
        yield from self.attempt(attempt, 1)

    def attempt(self, id: str, depth: int) -> Iterator[Step]:
        found = self._ask(_ATTEMPT, id=id)
        if not found:
            raise InputError(
                f"no attempt or dataset version `{id}` in this store",
                place="lineage",
                mend="Name an attempt's id or key, a version (v1-1a2b3c4d), or one of its rows (v1-1a2b3c4d:0). The column "
                "`attempt` of a version's rows holds their keys; `selftaught status ROOM` lists the versions.",
            )
        run, number, kind, parent, question, gold, prompt, style, model, weights, endpoint, verdict, error = found[0]
        facts = {
            "question": question,
            "gold": gold,
            "answer": f"{verdict[0]} ({verdict[1]})" if verdict else "not verified",
            "written in": f"run {run}, round {number}",
        }
        facts |= {"error": error} if error else {}
        label = "asks about the attempt" if kind == "probed" else "answers the failed attempt"
        facts |= {label: parent} if parent else {}
        yield Step(depth, f"{kind} attempt", id, facts)
        shows = _SHOWS.get(kind, "without a hint")
        yield Step(depth + 1, "prompt", prompt, {"form": f"{style or 'unknown'}, {shows}"})
        yield from self.model(model, weights, depth + 1, {"endpoint": endpoint}, run, number)

    def version(self, name: str, depth: int) -> Iterator[Step]:
        found = self._ask(_VERSION_ROW, version=name)
        if not found:  # a training may name a version of a store that is gone
            yield Step(depth, "version", name, {"origin": "not in this store"})
            return
        recipe, run, policy, rows, content = found[0]
        if self._again("version", name):
            yield Step(depth, "version", name, {"see": ABOVE})
            return
        facts = {"recipe": recipe, "run": run, "rows": rows, "policy": policy, "content": f"sha256 {content}"}
        yield Step(depth, "version", name, facts)
        for model, weights, wrote_in, number, count in self._ask(_WRITERS, unknown=UNKNOWN_WEIGHTS, version=name):
            yield from self.model(model, weights, depth + 1, {"wrote": f"{count:,} of its rows"}, wrote_in, number)

    def model(
        self, name: str, weights: str, depth: int, facts: Mapping[str, Any], run: str | None, number: int | None
    ) -> Iterator[Step]:
        if weights == UNKNOWN_WEIGHTS:
            where = f": run {run} round {number}" if run is not None else ""
            yield Step(depth, "model", name, {**facts, "origin": f"weights unknown{where}"})
            return
        facts = {"weights": weights, **facts}
        # The same YAML, data and start give the same weights, so several trainings may have made them: one is enough.
        made = self._ask(_TRAINING, weights=weights)
        if not made:
            yield Step(depth, "model", name, {**facts, "origin": BASE})
            return
        if self._again("weights", weights):
            yield Step(depth, "model", name, {**facts, "see": ABOVE})
            return
        yield Step(depth, "model", name, facts)
        id_, by, round_number, version, steps, trainer, folder, yaml_hash, base, base_weights = made[0]
        trained = {"run": f"{by}, round {round_number}", "steps": steps, "trainer": trainer, "folder": folder}
        yield Step(depth + 1, "training", id_, trained)
        yield Step(depth + 2, "YAML", f"{folder.rstrip('/')}/axolotl.yaml", {"sha256": yaml_hash})
        yield from self.model(base, base_weights, depth + 2, {"role": "training started from it"}, None, None)
        yield from self.version(version, depth + 2)

    def require_version(self, name: str) -> None:
        if self._ask(_VERSION_ROW, version=name):
            return
        known = [row[0] for row in self._ask("SELECT version FROM dataset_versions ORDER BY created_at DESC LIMIT 5")]
        mend = f"The newest are: {', '.join(known)}." if known else "`selftaught export` makes one."
        raise InputError(f"no dataset version `{name}` in this store", place="lineage", mend=mend)

    def _again(self, *what: str) -> bool:
        seen = what in self._told
        self._told.add(what)
        return seen

    def _ask(self, query: str, **values: object) -> Sequence[tuple[Any, ...]]:
        with self._store.read() as connection:
            return connection.execute(query, values or None).fetchall()


_SHOWS = {
    "rationalized": "with the answer as a hint; exported without it",
    "probed": "a verifier's question",
}

_VERSION_ROW = """
SELECT recipe_name, run, policy, row_count, content FROM dataset_versions WHERE version = $version LIMIT 1
"""

_ATTEMPT = """
SELECT a.run, a.round, a.kind, a.parent, q.question, q.gold, a.prompt, p.style, a.model, a.weights, a.endpoint,
       (SELECT [v.outcome, v.reason] FROM verdicts v JOIN verifiers s ON s.name = v.verifier AND s.version = v.version
        WHERE v.attempt = a.id AND v.verifier = 'answer'), a.error
FROM attempts a LEFT JOIN questions q ON q.hash = a.question LEFT JOIN prompts p ON p.hash = a.prompt
WHERE a.id = $id OR (a.key = $id AND a.error IS NULL)
"""

# Known weights are one model wherever they were served; of unknown ones each name and each round is another.
_WRITERS = f"""
WITH written AS (
    SELECT {weights_identity_of("a")} AS identity, a.weights = $unknown AS nameless, a.model, a.weights, a.run, a.round
    FROM dataset_rows d JOIN attempts a ON a.id = d.attempt WHERE d.version = $version
)
SELECT any_value(model), any_value(weights) AS weights, any_value(run) FILTER (nameless) AS wrote_in,
       any_value(round) FILTER (nameless) AS number, count(*)
FROM written GROUP BY identity ORDER BY count(*) DESC, weights, wrote_in, number, identity
"""

_TRAINING = """
SELECT id, run, round, version, steps, trainer, folder, yaml_hash, base_model, base_weights
FROM trainings WHERE weights = $weights ORDER BY started_at LIMIT 1
"""
