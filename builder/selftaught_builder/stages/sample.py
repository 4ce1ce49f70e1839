"""The stage `sample`: k samples of every question that lacks them."""

from __future__ import annotations

from selftaught_builder.recipe.parameters import parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.plan import Asking
from selftaught_builder.stages.asking import Part, ask
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge, expect_requests
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Answerer, Stage


def sample(context: RoundContext) -> StageResult:
    """Get k samples of every question that lacks them.

    Raises:
        InputError: recipe, questions, policy or endpoint are wrong; nothing was asked.
        SelftaughtError: the endpoint or the disk gave up; everything so far is kept.
    """
    recipe = context.room.recipe
    askings = [Asking(question) for question in context.room.questions.questions]
    return ask(context, [Part("sampled", lambda: askings, recipe.sample.k, parameters_of(recipe, kind="sampled"))])


def expects(room: Room, number: int, known: StoreKnowledge) -> Expected:
    """Return what the stage would ask for."""
    recipe = room.recipe
    lacking = known.lacking(number, "sampled", len(room.divided.training.questions) * recipe.sample.k)
    return expect_requests(recipe.endpoint, lacking, recipe.sample.max_tokens, known.mean("sampled"))


STAGE = Stage("sample", sample, asks="sampled", answerer=lambda room: Answerer.ROUND_BEFORE, expects=expects)
