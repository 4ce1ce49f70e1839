"""The loop itself: it works through a run's steps, passes over those that are done, and knows when to stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from selftaught_builder.common.errors import InputError, Stopped
from selftaught_builder.common.names import file_name
from selftaught_builder.evaluation.summary import Evaluation, best, recorded
from selftaught_builder.export.intact import check_version
from selftaught_builder.export.version import Version
from selftaught_builder.loop.ledger import Ledger, shaping_hash
from selftaught_builder.loop.models import Models
from selftaught_builder.loop.sittings import work
from selftaught_builder.loop.steps import Step, parse_step, steps_of
from selftaught_builder.loop.stopping import reason_to_stop
from selftaught_builder.room.room import Room
from selftaught_builder.selection.workspace import Workspace
from selftaught_builder.serving.pool import Pool
from selftaught_builder.stages.changes import changed_recipe
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.result import Asked
from selftaught_builder.stages.stage import Stage
from selftaught_builder.stages.table import LAST_TRAINED_PLACE, STAGE
from selftaught_builder.stages.watcher import Silent, Watcher
from selftaught_builder.store import Store
from selftaught_builder.store.lock import WriterLock
from selftaught_builder.training.check import check_training, nothing_to_train
from selftaught_builder.training.checkpoint import Checkpoint


@dataclass
class Ran:
    """What a run did in this sitting.

    Attributes:
        done: the steps worked through, in their order.
        version: the newest dataset version made or found.
        stopped: why the loop ended before its last round, None if it did not.
        best: the best round's evaluation on the validate set, None if none was held out.
        checkpoint: the best round's checkpoint (the last one trained if nothing was validated), None for the base model.
        stop: a spent budget or the user, who stopped the run; None if nobody did.
        step: the step that was under way then.
        asked: what that step had asked for.
    """

    done: list[Step] = field(default_factory=list)
    version: Version | None = None
    stopped: str | None = None
    best: Evaluation | None = None
    checkpoint: Checkpoint | None = None
    stop: Stopped | None = None
    step: Step | None = None
    asked: Asked | None = None


class Loop:
    """A run of a room, from wherever it stands.

    Args:
        room: the room.
        rounds: how many rounds; the recipe's own number where None.
        watcher: who is told.

    Raises:
        InputError: several rounds without training, no trainer here, or a recipe that is wrong in itself.
    """

    def __init__(self, room: Room, *, rounds: int | None = None, watcher: Watcher | None = None) -> None:
        self.room, self.watcher = room, watcher or Silent()
        self.rounds = rounds or room.recipe.rounds.count
        self.steps = steps_of(room.recipe, self.rounds)
        self.serving = Pool(room.recipe.endpoint, room.folder)
        self.workspace = Workspace(room)
        self.models = Models(self.workspace, self.serving)
        _ = self.workspace.filter  # a wrong recipe is told before anything is made
        check_training(room)

    @cached_property
    def ledger(self) -> Ledger:
        """How far the run is."""
        return Ledger(self.store, self.room.run)

    @cached_property
    def store(self) -> Store:
        """The room's store, made where it is missing."""
        return self.workspace.create_store()

    def todo(self, begin: str | None = None, until: str | None = None) -> list[Step]:
        """Return the steps that a run would work through.

        Args:
            begin: `[ROUND/]STAGE` to do again from; of the round under way where no round is named.
            until: `[ROUND/]STAGE` to stop after.

        Raises:
            InputError: no such step in this run, or one whose own input is not there yet.
            QuestionError: the questions cannot be read.
        """
        details = self.details()
        todo = self._unfinished(details)
        here = max(next((step.round for step in todo if step not in details), self.rounds), 1)
        if begin:
            first = parse_step(begin, "--from", self.steps, here)
            missing = [step for step in self.steps if step.place < first.place and step not in details]
            if missing:
                mend = "`selftaught run` does what is not done yet, and passes over what is."
                raise InputError(f"{first} needs {missing[0]} first", mend=mend)
            todo = [step for step in self.steps if step.place >= first.place]
            here = max(first.round, 1)
        if until:
            last = parse_step(until, "--until", self.steps, here)
            todo = [step for step in todo if step.place <= last.place]
        served = [step for step in todo if self.room.recipe.train and step.place > (1, LAST_TRAINED_PLACE)]
        if served and not self.serving.takes_checkpoints:
            problem = f"`{self.room.recipe.endpoint.kind}` cannot serve the checkpoint that {served[0]} needs"
            mend = "Use local, sglang or external (docs/serving.md), stop with `--until 1/train`, or take `train` out."
            raise InputError(problem, place="endpoint.kind", mend=mend)
        return todo

    def details(self) -> dict[Step, dict[str, Any]]:
        """Return what each finished step wrote down; nothing is made."""
        return self.ledger.details() if self.room.store_path.exists() else {}

    def run(self, begin: str | None = None, until: str | None = None) -> Ran:
        """Work through the steps. Raises what the stages raise; a stop is in what is returned."""
        todo, ran = self.todo(begin, until), Ran()
        with WriterLock(self.store.path.with_name(f"{self.store.path.name}.{file_name(self.room.run)}")), self.serving:
            self._note_changed_recipe(todo)
            if changed := changed_recipe(self.workspace):
                self.watcher.note(changed.line)
            if begin and todo:
                self.ledger.forget(todo[0])
            for step in todo:
                asked_for = begin is not None and step == todo[0]
                if not asked_for and (reason := self.reason_to_stop(step)):
                    ran.stopped = reason
                    break
                self._do(step, ran)
                if ran.stop:
                    return ran
        self._conclude(ran)
        return ran

    def train(self) -> Ran:
        """Train on the dataset version of the newest round that has one. Raises what `run` raises, and InputError."""
        newest = max((step.round for step in self.details() if step.stage == "export"), default=None)
        if self.room.recipe.train is None or newest is None:
            raise nothing_to_train(self.room)
        return self.run(f"{newest}/train", f"{newest}/train")

    def _note_changed_recipe(self, todo: list[Step]) -> None:
        finished, recipe = self.details(), shaping_hash(self.room.recipe)
        stand = [step for step, detail in finished.items() if step not in todo and detail["recipe"] != recipe]
        if self.room.recipe.train is not None and stand:
            last = max(step.round for step in stand)
            again = "`--from 1/sample` does them again"
            self.watcher.note(f"the recipe has changed; the rounds up to {last} stand as they were trained ({again})")

    def reason_to_stop(self, step: Step) -> str | None:
        """Return why the loop ends before this step, or None.

        Asked as a round begins, not as one ends: a run that has stopped stays stopped when it is run again.
        """
        if step.stage != "sample" or step.round == 1:
            return None
        before = [one for one in recorded(self.store, self.room.run) if one.round < step.round]
        accuracy = {one.round: one.accuracy for one in before if one.held_out == "validate"}
        return reason_to_stop(accuracy, self.room.recipe.rounds)

    def _unfinished(self, finished: dict[Step, dict[str, Any]]) -> list[Step]:
        """What is not done. A round that was trained stands, whatever the recipe says by now.

        An evaluation stands as long as it asks what the recipe says: those of all rounds are compared with each other.
        """
        if self.room.recipe.train is None:
            return self.steps
        trained, conditions = _last_trained(finished), self._conditions(finished)
        todo, changed, recipe = [], False, shaping_hash(self.room.recipe)
        for step in self.steps:
            if STAGE[step.stage].conditions:
                done = step in finished and finished[step].get("asked") == conditions[step.stage]
            else:
                stands = step.place <= (trained, LAST_TRAINED_PLACE)
                done = step in finished and (stands or finished[step]["recipe"] == recipe)
                # What comes after a stage that is done anew is done anew.
                changed = changed or not done
            if changed or not done:
                todo.append(step)
        return todo

    def _conditions(self, finished: Iterable[Step]) -> dict[str, str]:
        """Today's conditions of those finished stages that depend on nothing else."""
        stages = [STAGE[name] for name in {step.stage for step in finished} if name in STAGE]
        return {stage.name: stage.conditions(self.room) for stage in stages if stage.conditions}

    def stage_of(self, step: Step) -> Stage:
        """Return the stage of a step; a study may put another in its place."""
        return STAGE[step.stage]

    def _do(self, step: Step, ran: Ran) -> None:
        stage = self.stage_of(step)
        self.watcher.note(f"round {step.round}: {step.stage}" if step.round else "evaluate the base model")
        self.ledger.begin(step, self.room.recipe)
        if stage.on_base_model:
            self._check_unseen(step.round)
        if stage.trains:
            self.serving.release()
        result, detail = work(stage, self._context(step, stage), lambda: self.serving.seconds)
        if result.stop:
            ran.stop, ran.step, ran.asked = result.stop, step, result.asked
            return
        ran.version = result.version or ran.version
        for note in result.notes:
            self.watcher.note(note)
        self.ledger.finish(step, detail)
        ran.done.append(step)

    def _context(self, step: Step, stage: Stage) -> RoundContext:
        """What a stage is given: the model that answers it, and what it trains from and on."""
        details = self.details()
        context = RoundContext(self.workspace, self.watcher, step.round)
        if stage.trains:
            version = details[Step(step.round, "export")]["version"]
            return replace(context, version=version, base_model=self.models.base_model(step.round, details))
        answerer = stage.answerer(self.room)
        if answerer is None:
            return context
        model = answerer.round(step.round) if self.room.recipe.train else 0
        return replace(context, client=self.models.client(model, details))

    def _check_unseen(self, number: int) -> None:
        """Raise InputError if a model up to this round was trained on what is held out by now: a recipe can change.

        Likewise if a dataset version that it was trained on is no longer what was exported.
        """
        made = [
            detail["version"]
            for step, detail in self.details().items()
            if step.stage == "export" and step.round <= number
        ]
        for version in made:
            if (self.room.folder / version).is_dir():  # one that is no longer wanted may be deleted
                check_version(self.store, self.room.folder / version)
        query = """SELECT DISTINCT a.question FROM dataset_rows r JOIN attempts a ON a.id = r.attempt
            WHERE r.recipe_name = ? AND r.version IN (SELECT unnest(?::VARCHAR[]))"""
        seen = set(self.store.sql(query, [self.room.recipe.name, made])["question"]) if made else set()
        divided = self.room.divided
        if leaked := sum(question.hash in seen for question in (*divided.validate, *divided.evaluate)):
            problem = f"{leaked} questions that are held out by now were trained on in the rounds up to {number}"
            mend = "Begin a run of its own: `--run NAME`."
            raise InputError(problem, place="questions", mend=mend)

    def _conclude(self, ran: Ran) -> None:
        evaluations = recorded(self.store, self.room.run)
        ran.best = best(evaluations)
        number = ran.best.round if ran.best else _last_trained(self.details())
        ran.checkpoint = self.models.checkpoint(number, self.details()) if number else None


def _last_trained(finished: Iterable[Step]) -> int:
    return max((step.round for step in finished if step.stage == "train"), default=0)
