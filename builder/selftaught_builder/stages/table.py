"""The stages of a round, in the order in which data flows. A new stage is a module of this room and a line here."""

from __future__ import annotations

from selftaught_builder.stages import evaluate, export, rationalize, sample, train, verify

STAGES = (
    sample.STAGE,
    verify.STAGE,
    rationalize.STAGE,
    verify.STAGE_RATIONALIZED,
    export.STAGE,
    train.STAGE,
    evaluate.STAGE,
)

STAGE = {stage.name: stage for stage in STAGES}
"""Each stage by its name."""

PLACE = {stage.name: place for place, stage in enumerate(STAGES)}
"""The place of each stage in a round, from 0."""

LAST_TRAINED_PLACE = max(PLACE[stage.name] for stage in STAGES if stage.trains)
"""The place of the stage that trains: what comes after it asks the round's own checkpoint."""
