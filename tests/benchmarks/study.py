"""What the filter is worth: the demo's loop beside three controls, on several seeds.

    python tests/benchmarks/study.py [--seeds 3] [--controls all|answer-only] [--questions 1000] [--keep FOLDER]

Each variant goes round twice on the room `datasets/sums` with the same base model, questions, samples per question and
training steps; what differs is the policy, or what it lacks. A seed draws the training questions and seeds Axolotl. The
variants of a seed share a store, so that the base model is asked the same things once. Printed is Markdown for the docs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from selftaught_builder.cli.show.progress import Display
from selftaught_builder.evaluation.summary import Evaluation, recorded
from selftaught_builder.loop.loop import Loop
from selftaught_builder.loop.steps import Step
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.scope import scoped
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Stage
from selftaught_builder.store import run_sql

ROOM = Path(__file__).parents[2] / "datasets" / "sums"
ROUNDS = 2


class UnfilteredLoop(Loop):
    """A loop that trains on everything sampled, right or wrong. selftaught itself refuses to, so its export is written here."""

    def stage_of(self, step: Step) -> Stage:
        """Return the step's stage; in the place of `export` one that filters nothing."""
        stage = super().stage_of(step)
        return replace(stage, run=export_unfiltered) if step.stage == "export" else stage


_UNFILTERED = """
SELECT q.question AS text, a.completion
FROM scoped s JOIN attempts a ON a.id = s.attempt JOIN questions q ON q.hash = a.question
WHERE a.kind = 'sampled' AND a.error IS NULL AND a.finish_reason = 'stop' ORDER BY a.key"""


def export_unfiltered(context: RoundContext) -> StageResult:
    """Write every sample of the round as a dataset version that the store knows nothing of."""
    with scoped(context.workspace.store, context.scope()) as connection:
        found = run_sql(connection, _UNFILTERED)
    rows = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": completion}]}
        for text, completion in found.unique(maintain_order=True).iter_rows()
    ]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:8]
    name = f"unfiltered-r{context.round}-{digest}"
    data = context.room.folder / name / "data"
    data.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(data / "train-00000-of-00001.parquet")
    return StageResult(facts={"version": name, "rows": len(rows)})


@dataclass(frozen=True)
class Variant:
    """One way to filter: its name, what it changes in the recipe, and its loop."""

    name: str
    recipe: dict[str, Any]
    loop: type[Loop] = Loop


VARIANTS = (
    Variant("answer and equations", {}),
    Variant("answer only", {"keep": "answer = 'pass' and hint_leak <> 'fail'"}),
    Variant("no rationalization", {"rationalize": {"k": 0}}),
    Variant("unfiltered samples", {"rationalize": {"k": 0}}, UnfilteredLoop),
)


def rooms(folder: Path, seed: int, questions: int) -> Iterator[tuple[Variant, Room]]:
    """Write a room for each variant; yield them. They have one store."""
    for variant in VARIANTS:
        slug = variant.name.replace(" ", "-")
        room = folder / f"seed-{seed}" / slug
        shutil.copytree(
            ROOM, room, ignore=shutil.ignore_patterns("store*", "v*-*", "trainings", ".*"), dirs_exist_ok=True
        )
        recipe = yaml.safe_load((ROOM / "recipe.yaml").read_text()) | variant.recipe | {"name": slug}
        recipe["questions"] |= {"shuffle": seed, "limit": questions}
        recipe["evaluate"] = {"k": 0}
        recipe["train"]["seed"] = seed
        recipe["rounds"] |= {"patience": None, "fall": None}
        (room / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        yield variant, open_room(room, store=folder / f"seed-{seed}" / "store.duckdb", run=slug)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--controls", choices=("all", "answer-only"), default="all")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="work here, and go on from what is there")
    options = parser.parse_args()
    wanted = VARIANTS if options.controls == "all" else VARIANTS[:2]
    results: dict[tuple[str, int], list[Evaluation]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for seed in range(1, options.seeds + 1):
            for variant, room in rooms(folder, seed, options.questions):
                if variant in wanted:
                    print(f"seed {seed}: {variant.name}", file=sys.stderr, flush=True)
                    loop = variant.loop(room, rounds=ROUNDS, watcher=Display())
                    loop.run()
                    found = recorded(loop.store, room.run)
                    results[variant.name, seed] = [one for one in found if one.held_out == "evaluate"]
                    print(json.dumps([asdict(one) for one in results[variant.name, seed]]), file=sys.stderr, flush=True)
    print(table(results))


def table(results: dict[tuple[str, int], list[Evaluation]]) -> str:
    """Return the Markdown table: accuracy with its interval by seed and round, and what separates it from the first variant."""
    lines = [
        "| policy | seed | base | round 1 | round 2 | right answers with a false equation, round 2 |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for (name, seed), found in results.items():
        cells = [
            f"{one.accuracy:.1%} [{one.low:.1%}, {one.high:.1%}]" for one in sorted(found, key=lambda one: one.round)
        ]
        last = max(found, key=lambda one: one.round)
        false = "" if last.false_equation is None else f"{last.false_equation / max(1, last.correct):.0%}"
        lines.append(f"| {name} | {seed} | {' | '.join(cells)} | {false} |")
    names = list(dict.fromkeys(name for name, _ in results))
    for name in names:
        final = [
            max(found, key=lambda one: one.round).accuracy for (variant, _), found in results.items() if variant == name
        ]
        lines.append(f"| **{name}, median** | | | | **{statistics.median(final):.1%}** | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
