"""What each stage asked for and took, over all sittings: counts from the attempts themselves, seconds from the sittings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught_builder.loop.ledger import as_object
from selftaught_builder.stages.table import PLACE, STAGES
from selftaught_builder.store import Store

PARTS = ("generation", "server", "trainer")


@dataclass(frozen=True)
class StageReport:
    """One stage in all its sittings.

    Attempts, tokens and cost are those that the run has paid for, whatever its recipe said at the time.

    Attributes:
        round: 0 is the base model.
        stage: its name.
        finished: False while it is under way or was broken off.
        planned: samples that it is made of, as last planned; None for a stage that asks nothing.
        reused: those of them that other runs had paid for.
        completions, failed, truncated: completions, samples without any, and completions cut off at max_tokens.
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


def stages_of(store: Store, run: str) -> list[StageReport]:
    """Return a run's stages by round, in the order in which data flows."""
    with store.read() as connection:
        ledger = connection.execute(_LEDGER, [run]).fetchall()
        sittings = connection.execute(_SITTINGS, [run]).fetchall()
        counted = connection.execute(_COUNTS, [run]).fetchall()
    counts = {(number, stage): dict(zip(_COUNTED, rest, strict=True)) for number, stage, *rest in counted}
    finished = {(number, stage): done for number, stage, done, *_ in ledger}
    at: dict[tuple[int, str], list[tuple[Mapping[str, Any], float | None]]] = {}
    for number, stage, detail, elapsed in sittings:
        at.setdefault((number, stage), []).append((as_object(detail), elapsed))
    for number, stage, _, detail, elapsed in ledger:  # of a store from before sittings were recorded
        at.setdefault((number, stage), [(as_object(detail), elapsed)])
    places = sorted(at, key=lambda place: (place[0], PLACE.get(place[1], len(PLACE)), place[1]))
    return [_stage(place, finished.get(place, True), at[place], counts.get(place)) for place in places]


def _stage(
    place: tuple[int, str],
    finished: bool,
    sittings: Sequence[tuple[Mapping[str, Any], float | None]],
    counted: Mapping[str, Any] | None,
) -> StageReport:
    details = [detail for detail, _ in sittings]
    planned = next((detail["planned"] for detail in reversed(details) if detail.get("planned") is not None), None)
    if counted is None and planned is not None:
        counted = dict.fromkeys(_COUNTED, 0) | {"cost": None}
    took = [(detail.get("seconds") or {}).get("total", elapsed) for detail, elapsed in sittings]
    known = [seconds for seconds in took if seconds is not None]
    parts = {part: sum(float((detail.get("seconds") or {}).get(part) or 0.0) for detail in details) for part in PARTS}
    total = sum(known) if known else None
    counted = dict(counted or dict.fromkeys(_COUNTED))
    asked = counted.pop("asked")
    return StageReport(
        *place,
        finished=finished,
        planned=planned,
        reused=None if planned is None else max(0, planned - (asked or 0)),
        **counted,
        seconds=total,
        **parts,
        overhead=None if total is None else total - sum(parts.values()),
    )


_LEDGER = """
SELECT round, stage, finished_at IS NOT NULL, detail, epoch(finished_at) - epoch(started_at) FROM stages WHERE run = ?
"""
_SITTINGS = """
SELECT round, stage, detail, epoch(finished_at) - epoch(started_at) FROM sittings WHERE run = ? ORDER BY started_at
"""
_COUNTED = ("asked", "completions", "failed", "truncated", "tokens_in", "tokens_out", "cost")
_ASKING = " ".join(f"WHEN '{stage.asks}' THEN '{stage.name}'" for stage in STAGES if stage.asks)
_JUDGING = " ".join(f"WHEN '{stage.judges}' THEN '{stage.name}'" for stage in STAGES if stage.judges)
# A verifier's question belongs to the verification of the attempt that it is about; one about several to the first.
_COUNTS = f"""
WITH mine AS (
    SELECT a.*, CASE a.kind {_ASKING} ELSE CASE coalesce(p.kind, 'sampled') {_JUDGING} END END AS stage
    FROM attempts a LEFT JOIN attempts p ON a.kind = 'probed' AND p.id = a.parent WHERE a.run = ?
)
SELECT round, stage, count(DISTINCT key), count(*) FILTER (error IS NULL),
       count(DISTINCT key) - count(DISTINCT key) FILTER (error IS NULL), count(*) FILTER (finish_reason = 'length'),
       coalesce(sum(tokens_in), 0)::BIGINT, coalesce(sum(tokens_out), 0)::BIGINT, sum(cost)
FROM mine GROUP BY ALL
"""
