"""Held-out questions: which of a source's questions are only ever evaluated, and never trained on.

The `validate` set steers (early stopping, the best checkpoint), the `evaluate` set is only reported. Both are chosen by the
question, and what the training questions share with either is taken out of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.load import Loaded, Question, Rejected, load_questions
from selftaught_builder.questions.values import normalise
from selftaught_builder.recipe import Questions

HELD_OUT, LEAKS = "held_out", "leaks_into_held_out"
"""Why a row of the source is no training question."""


@dataclass(frozen=True)
class Divided:
    """A recipe's questions, by what may be done with them; no two parts share a question.

    Attributes:
        training: to sample and train on; what was held out stands among the rejected, as `held_out`, and what had to go because
            a held-out question says the same, as `leaks_into_held_out`; the detail names the part.
        validate: looked at for early stopping and the choice of the best checkpoint.
        evaluate: only reported.
        evaluate_source: where those come from.
    """

    training: Loaded
    validate: Sequence[Question] = ()
    evaluate: Sequence[Question] = ()
    evaluate_source: str = ""


def divide_questions(settings: Questions, room: Path) -> Divided:
    """Read the recipe's questions and hold out what it says.

    Raises:
        QuestionError: a source cannot be read, or no question is usable.
    """
    loaded = load_questions(settings, room)
    if settings.validation is None and settings.evaluate is None:
        return Divided(loaded)
    wanted, validate_share = settings.evaluate, settings.validation.share if settings.validation else 0.0
    evaluate_share = (wanted.share or 0.0) if wanted else 0.0
    validate = [question for question in loaded.questions if _place(question) < validate_share]
    evaluate = [question for question in loaded.questions if 0 <= _place(question) - validate_share < evaluate_share]
    held = {question.hash: "evaluate" for question in evaluate} | {question.hash: "validate" for question in validate}
    training, source = _without(loaded, lambda question: held.get(question.hash), HELD_OUT), loaded.source
    if wanted and not wanted.share:
        changes = {name: getattr(wanted, name) for name in ("source", "split") if getattr(wanted, name) is not None}
        if "source" in changes:
            changes = {"query": None, "split": None, **changes}
        changes |= {"limit": wanted.limit, "shuffle": wanted.shuffle}
        apart = load_questions(settings.model_copy(update=changes), room)
        evaluate, source = apart.questions, apart.source
        asked = {_words(question) for question in evaluate}
        validate = [question for question in validate if _words(question) not in asked]
        training = _without(training, lambda question: "evaluate" if _words(question) in asked else None, LEAKS)
    if not training.questions:
        mend = "Hold out less: `questions.validate.share`, `questions.evaluate`."
        if evaluate and not (wanted and wanted.share):
            mend = "`questions.evaluate` reads the questions to train on: name another source or split, or a `share`."
        raise QuestionError("every question is held out, none is left to train on", place=loaded.source, mend=mend)
    return Divided(
        training,
        validate[: settings.validation.limit if settings.validation else 0],
        evaluate[: wanted.limit if wanted else 0],
        source,
    )


def _place(question: Question) -> float:
    """Where a question falls between 0 and 1: by its own hash, so that it stays there as the source grows."""
    return int(question.hash[8:16], 16) / 16**8


def _words(question: Question) -> tuple[str, Sequence[str]]:
    return normalise(question.text), tuple(sorted(map(normalise, question.choices.values())))


def _without(loaded: Loaded, held: Callable[[Question], str | None], reason: str) -> Loaded:
    """Take out the questions for which `held` names a part; it becomes the detail of their rejection."""
    parts = [(question, held(question)) for question in loaded.questions]
    gone = [Rejected(question.row, reason, part) for question, part in parts if part]
    kept = [question for question, part in parts if not part]
    return replace(loaded, questions=kept, rejected=[*loaded.rejected, *gone])
