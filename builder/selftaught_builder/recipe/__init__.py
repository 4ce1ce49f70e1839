"""The recipe: one YAML file says how a dataset is built.

A recipe lives in a room, `datasets/<name>/recipe.yaml`. Unknown keys are refused with a suggestion; every default is
visible with `selftaught recipe show`; `selftaught recipe schema` prints the JSON Schema for editors.
"""

from selftaught_builder.recipe.endpoint import EndpointSettings, ExternalSettings, Prices, Replica, SGLangSettings
from selftaught_builder.recipe.evaluate import Evaluate
from selftaught_builder.recipe.export import DrawOn, Export
from selftaught_builder.recipe.load import find_recipe, load_recipe, read_yaml
from selftaught_builder.recipe.questions import EvaluateSet, Prompt, Questions, ValidateSet
from selftaught_builder.recipe.recipe import Recipe
from selftaught_builder.recipe.rounds import Rounds
from selftaught_builder.recipe.sampling import Budget, Limits, Rationalize, Sample, Spending
from selftaught_builder.recipe.section import Count, Section
from selftaught_builder.recipe.train import Steps, Train

__all__ = [
    "Budget",
    "Count",
    "DrawOn",
    "EndpointSettings",
    "Evaluate",
    "EvaluateSet",
    "Export",
    "ExternalSettings",
    "Limits",
    "Prices",
    "Prompt",
    "Questions",
    "Rationalize",
    "Recipe",
    "Replica",
    "Rounds",
    "SGLangSettings",
    "Sample",
    "Section",
    "Spending",
    "Steps",
    "Train",
    "ValidateSet",
    "find_recipe",
    "load_recipe",
    "read_yaml",
]
