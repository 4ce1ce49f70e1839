"""The loop itself: it works through a run's steps, passes over those that are done, and knows when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import InputError, Stopped, UserStop
from selftaught_builder.common.names import file_name
from selftaught_builder.evaluation.summary import Evaluation, best, recorded
from selftaught_builder.export.intact import check_version
from selftaught_builder.export.version import Version
from selftaught_builder.loop.sittings import record_sitting
from selftaught_builder.loop.steps import STAGES, Ledger, Step, parse_step, shaping_hash, steps_of
from selftaught_builder.loop.stopping import reason_to_stop
from selftaught_builder.room.room import Room
from selftaught_builder.serving.pool import Opened, Pool
from selftaught_builder.stages import pipeline
from selftaught_builder.stages.changes import changed_recipe
from selftaught_builder.stages.evaluate import conditions, evaluate
from selftaught_builder.stages.pipeline import Asked, Turn, Watcher
from selftaught_builder.stages.train import (
    Checkpoint,
    base_model_of,
    check_training,
    find_checkpoint,
    nothing_to_train,
    train_round,
)
from selftaught_builder.stages.verify import asks, verify_room
from selftaught_builder.store import Store
from selftaught_builder.store.lock import WriterLock
from selftaught_builder.training import Progress


@dataclass
class Ran:
    """What a run did in this sitting.

    Attributes:
        done: the steps worked through, in their order.
        version: the newest dataset version made or found.
        stopped: why the loop ended before its last round, None where it did not.
        best: the best round's evaluation on the validate set, None where none was held out.
        checkpoint: the best round's checkpoint (the last one trained where nothing was validated), None for the base model.
    """

    done: list[Step] = field(default_factory=list)
    version: Version | None = None
    stopped: str | None = None
    best: Evaluation | None = None
    checkpoint: Checkpoint | None = None


class Loop:
    """A run of a room, from wherever it stands.

    Args:
        room: the room.
        rounds: how many rounds; the recipe's own number where None.
        watcher: who is told.

    Attributes:
        ran: what its last run has done so far.

    Raises:
        InputError: several rounds without training, no trainer here, or a recipe that is wrong in itself.
    """

    def __init__(self, room: Room, *, rounds: int | None = None, watcher: Watcher | None = None) -> None:
        self.room, self.watcher = room, watcher or pipeline.Silent()
        self.rounds, self.ran = rounds or room.recipe.rounds.count, Ran()
        self.steps = steps_of(room.recipe, self.rounds)
        self.serving = Pool(room.recipe.endpoint, room.folder)
        pipeline.check(room)
        check_training(room)

    @cached_property
    def ledger(self) -> Ledger:
        """How far the run is."""
        return Ledger(self.store, self.room.run)

    @cached_property
    def store(self) -> Store:
        """The room's store, made where it is missing."""
        return self.room.store(create=True)

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
        served = [step for step in todo if self.room.recipe.train and step.place > (1, STAGES.index("train"))]
        if served and not self.serving.takes_checkpoints:
            problem = f"`{self.room.recipe.endpoint.kind}` cannot serve the checkpoint that {served[0]} needs"
            mend = "Use local, sglang or external (docs/serving.md), stop with `--until 1/train`, or take `train` out."
            raise InputError(problem, place="endpoint.kind", mend=mend)
        return todo

    def details(self) -> dict[Step, dict[str, Any]]:
        """Return what each finished step wrote down; nothing is made."""
        return self.ledger.details() if self.room.store_path.exists() else {}

    def run(self, begin: str | None = None, until: str | None = None) -> Ran:
        """Work through the steps. Raises what the stages raise, and UserStop; what was done is then in `ran`."""
        todo = self.todo(begin, until)
        ran = self.ran = Ran()
        with WriterLock(self.store.path.with_name(f"{self.store.path.name}.{file_name(self.room.run)}")), self.serving:
            self._note_changed_recipe(todo)
            if changed := changed_recipe(self.store, self.room):
                self.watcher.note(changed.line)
            if begin and todo:
                self.ledger.forget(todo[0])
            for step in todo:
                asked_for = begin is not None and step == todo[0]
                if not asked_for and (reason := self.reason_to_stop(step)):
                    ran.stopped = reason
                    break
                try:
                    self._do(step, ran)
                except Stopped as stop:
                    stop.step = str(step)
                    raise
                ran.done.append(step)
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
        trained = _last_trained(finished)
        asked = conditions(self.room) if any(step.stage == "evaluate" for step in finished) else None
        todo, changed, recipe = [], False, shaping_hash(self.room.recipe)
        for step in self.steps:
            if step.stage == "evaluate":
                done = step in finished and finished[step].get("asked") == asked
            else:
                stands = step.place <= (trained, STAGES.index("train"))
                done = step in finished and (stands or finished[step]["recipe"] == recipe)
                # What comes after a stage that is done anew is done anew.
                changed = changed or not done
            if changed or not done:
                todo.append(step)
        return todo

    def _do(self, step: Step, ran: Ran) -> None:
        self.watcher.note(f"round {step.round}: {step.stage}" if step.round else "evaluate the base model")
        self.ledger.begin(step, self.room.recipe)
        started, served = time.monotonic(), self.serving.seconds
        stopped: Stopped | None = None
        try:
            detail = getattr(self, f"_{step.stage}")(step, ran)
        except Stopped as stop:
            stopped, asked = stop, stop.asked
            detail = {**asked.counts, "seconds": {"generation": asked.seconds}} if asked else {}
        spent = detail.setdefault("seconds", {})
        spent["server"] = self.serving.seconds - served
        spent["total"] = time.monotonic() - started
        record_sitting(self.store, self.room.run, step.round, step.stage, detail)
        if stopped:
            raise stopped
        self.ledger.finish(step, detail)

    def _sample(self, step: Step, ran: Ran) -> dict[str, Any]:
        return self._asked(pipeline.sample(self.room, self.watcher, self._turn(step.round)))

    def _verify(self, step: Step, ran: Ran) -> dict[str, Any]:
        # The round's checkpoint has to be there only where somebody asks it.
        asking = asks(self.room)
        turn = self._turn(step.round) if asking else Turn(step.round)
        asked, verified = verify_room(self.room, self.watcher, turn)
        return {**(self._asked(asked) if asking else {}), "verdicts": verified.verdicts}

    _verify_rationalized = _verify

    def _rationalize(self, step: Step, ran: Ran) -> dict[str, Any]:
        return self._asked(pipeline.rationalize(self.room, self.watcher, self._turn(step.round)))

    def _export(self, step: Step, ran: Ran) -> dict[str, Any]:
        ran.version = version = pipeline.export(self.room, self._turn(step.round))
        funnel = version.funnel
        self.watcher.note(
            f"{version.name}: {funnel.exported} rows, {funnel.rationalized_exported} of them rationalized"
        )
        return {"version": version.name, "rows": version.funnel.exported, "kept": version.funnel.kept}

    def _train(self, step: Step, ran: Ran) -> dict[str, Any]:
        self.serving.release()
        self.watcher.note("starting Axolotl, which takes a while by itself")
        version = self.details()[Step(step.round, "export")]["version"]
        with self._shown(step) as on_progress:
            made = train_round(self.room, step.round, version, self._base_model(step.round), on_progress)
        loss = "" if made.loss is None else f", loss {made.loss:.3f}"
        if not made.seconds:
            self.watcher.note("trained before on the same data with the same YAML from the same weights: taken over")
        self.watcher.note(f"{made.folder.relative_to(self.room.folder)}: {made.steps} steps{loss}, {made.weights}")
        return {"training": made.training, "seconds": {"trainer": made.seconds}}

    def _evaluate(self, step: Step, ran: Ran) -> dict[str, Any]:
        self._check_unseen(step.round)
        asked, found = evaluate(self.room, self.watcher, self._turn(step.round, model=step.round))
        for one in found:
            self.watcher.note(f"{one.held_out}: {one.accuracy:.1%} [{one.low:.1%}, {one.high:.1%}] of {one.questions}")
        if not found and not asked.interrupted:
            self.watcher.note("no question of the source fell to the held-out sets")
        return {**self._asked(asked), "asked": conditions(self.room)}

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

    def _turn(self, number: int, model: int | None = None) -> Turn:
        """The round, answered by the model of the round before, unless it is the round's own that is asked for."""
        if self.room.recipe.train is None:
            return Turn(number, self._client(None))
        return Turn(number, self._client(self._model(number - 1 if model is None else model)))

    def _client(self, model: Path | None) -> Callable[[], AbstractAsyncContextManager[Opened]]:
        """Open the pool that serves a model; it is served once somebody asks for it."""

        def client() -> AbstractAsyncContextManager[Opened]:
            self.serving.load(model)
            return self.serving.open()

        return client

    def _model(self, number: int) -> Path | None:
        """The checkpoint that a round trained; None is the base model."""
        if number == 0:
            return None
        found = self._checkpoint(number)
        if found is None:
            mend = f"Train it again: `selftaught run {self.room.folder} --from {number}/train`."
            raise InputError(
                f"the checkpoint of round {number} is gone, or is not what was trained",
                place=self.room.folder / "trainings",
                mend=mend,
            )
        return found.folder

    def _checkpoint(self, number: int) -> Checkpoint | None:
        made = self.details().get(Step(number, "train"))
        return find_checkpoint(self.room, self.store, made["training"]) if made else None

    def _base_model(self, number: int) -> str:
        settings = self.room.recipe.train
        last = self._model(number - 1) if settings and settings.init == "last" else None
        return str(last) if last else base_model_of(self.room)

    def _conclude(self, ran: Ran) -> None:
        evaluations = recorded(self.store, self.room.run)
        ran.best = best(evaluations)
        number = ran.best.round if ran.best else _last_trained(self.details())
        ran.checkpoint = self._checkpoint(number) if number else None

    def _asked(self, asked: Asked) -> dict[str, Any]:
        if asked.interrupted:
            raise UserStop(asked)
        return {**asked.counts, "seconds": {"generation": asked.seconds}}

    @contextmanager
    def _shown(self, step: Step) -> Iterator[Any]:
        settings = self.room.recipe.train
        done = 0
        with self.watcher.stage("train", settings.steps.of(step.round) if settings else 0, None):

            def on_progress(progress: Progress) -> None:
                nonlocal done
                self.watcher.advance(max(0, progress.step - done))
                done = max(done, progress.step)

            yield on_progress


def _last_trained(finished: Iterable[Step]) -> int:
    return max((step.round for step in finished if step.stage == "train"), default=0)
