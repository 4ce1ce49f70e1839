"""What a stage of the loop is: each module of this room that defines one has a `STAGE`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from selftaught_builder.recipe import Recipe
from selftaught_builder.room.room import Room
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge
from selftaught_builder.stages.result import StageResult


class Answerer(Enum):
    """The round whose checkpoint a stage asks; round 0 is the base model."""

    ROUND_BEFORE = -1
    OWN_ROUND = 0

    def round(self, number: int) -> int:
        """Return the round that trained what answers in a round."""
        return number + self.value


def _always(of: object) -> bool:
    return True


def _nobody(room: Room) -> None:
    return None


def _nothing(room: Room, number: int, known: StoreKnowledge) -> Expected:
    return Expected()


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: as the command line and the store call it.
        run: does what is not done yet.
        belongs: whether a run of this recipe has the stage.
        asks: the kind of attempts that it asks for; "" if it asks none.
        judges: the kind of attempts whose verdicts it adds; verifiers' questions about them count as its own.
        answerer: which round's model it asks; None if it asks nobody.
        expects: what it would ask for in a round, and about what that would cost.
        trains: it makes a checkpoint: servers are stopped for it, and a round that went through it stands.
        on_base_model: the base model goes through it as well, as round 0.
        conditions: a hash of what its result depends on, recorded as `asked`; if it is given, the stage is done as long as it
            is the same, whatever else in the recipe has changed.
    """

    name: str
    run: Callable[[RoundContext], StageResult]
    belongs: Callable[[Recipe], bool] = _always
    asks: str = ""
    judges: str = ""
    answerer: Callable[[Room], Answerer | None] = _nobody
    expects: Callable[[Room, int, StoreKnowledge], Expected] = _nothing
    trains: bool = False
    on_base_model: bool = False
    conditions: Callable[[Room], str] | None = None
