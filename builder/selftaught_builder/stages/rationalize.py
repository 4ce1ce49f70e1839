"""The stage `rationalize`: ask again, with the answer as a hint, if no sample of a question is kept.

Rationalization is section 3.2 of STaR (arXiv 2203.14465).
"""

from __future__ import annotations

from selftaught_builder.recipe.parameters import parameters_of
from selftaught_builder.room.room import Room
from selftaught_builder.sampling.plan import Asking
from selftaught_builder.selection.failed import failed_questions
from selftaught_builder.stages.asking import Part, ask
from selftaught_builder.stages.context import RoundContext
from selftaught_builder.stages.expected import Expected, StoreKnowledge, expect_requests
from selftaught_builder.stages.result import StageResult
from selftaught_builder.stages.stage import Answerer, Stage
from selftaught_builder.verification import verify


def rationalize(context: RoundContext) -> StageResult:
    """Ask again, with the answer as a hint, if no sample is kept. Raises what `sample` raises."""
    room, questions = context.room, context.room.questions.questions

    def failed() -> list[Asking]:
        store, scope = context.workspace.store, context.scope()
        verify(store, context.filter.verifiers, scope)
        with context.workspace.reading(scope) as view:
            parents = failed_questions(view)
        return [Asking(question, parents[question.hash]) for question in questions if question.hash in parents]

    parameters = parameters_of(room.recipe, kind="rationalized")
    return ask(context, [Part("rationalized", failed, room.recipe.rationalize.k, parameters)])


def expects(room: Room, number: int, known: StoreKnowledge) -> Expected:
    """Return what the stage would ask for at most: no sample may be kept."""
    recipe = room.recipe
    lacking = known.lacking(number, "rationalized", len(room.divided.training.questions) * recipe.rationalize.k)
    mean = known.mean("rationalized") or known.mean("sampled")
    return expect_requests(recipe.endpoint, lacking, recipe.sample.max_tokens, mean)


STAGE = Stage(
    "rationalize",
    rationalize,
    asks="rationalized",
    belongs=lambda recipe: bool(recipe.rationalize.k),
    answerer=lambda room: Answerer.ROUND_BEFORE,
    expects=expects,
)
