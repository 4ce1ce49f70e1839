"""What a stage did, what came of it, and what stopped it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selftaught_builder.common.errors import Stopped
from selftaught_builder.endpoints import Identity
from selftaught_builder.evaluation.summary import Evaluation
from selftaught_builder.export.version import Version
from selftaught_builder.sampling.task import Tally
from selftaught_builder.training.checkpoint import Checkpoint
from selftaught_builder.verification import Verified


@dataclass(frozen=True)
class Asked:
    """What a stage asked for.

    Attributes:
        tally: counts of this invocation.
        planned: samples the stage is made of.
        reused: samples that were there already.
        interrupted: stopped by the user; running again continues.
        seconds: wall time in which the model generated.
        identity: who answered; None if there was nothing to ask.
    """

    tally: Tally = field(default_factory=Tally)
    planned: int = 0
    reused: int = 0
    interrupted: bool = False
    seconds: float = 0.0
    identity: Identity | None = None

    @property
    def counts(self) -> dict[str, Any]:
        """What was asked and what came of it, as it is written down and printed."""
        tally = self.tally
        return {
            "planned": self.planned,
            "reused": self.reused,
            "completions": tally.completions,
            "failed": tally.failed,
            "truncated": tally.truncated,
            "tokens_in": tally.tokens_in,
            "tokens_out": tally.tokens_out,
            "cost": tally.cost,
        }


@dataclass(frozen=True)
class StageResult:
    """What a stage did. A stop is part of it: everything done until then is kept.

    Attributes:
        asked: what it asked for; None for a stage that asks nobody.
        stop: a spent budget, or the user; None if the stage is through.
        verified: the verdicts it added.
        version: the dataset version it made or found.
        checkpoint: the checkpoint it trained or found.
        evaluations: how the model did on each held-out set.
        facts: what else is written down of it once it is through.
        notes: what to say of it in a run; a command of its own shows the same as a table.
    """

    asked: Asked | None = None
    stop: Stopped | None = None
    verified: Verified = field(default_factory=Verified)
    version: Version | None = None
    checkpoint: Checkpoint | None = None
    evaluations: Sequence[Evaluation] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def detail(self) -> dict[str, Any]:
        """What is written down of it: what it asked for, and once it is through its facts."""
        asked = {**self.asked.counts, "seconds": {"generation": self.asked.seconds}} if self.asked else {}
        return asked if self.stop else {**asked, **self.facts}
