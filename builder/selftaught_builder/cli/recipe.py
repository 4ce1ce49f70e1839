"""The commands `recipe show` and `recipe schema`."""

from __future__ import annotations

import sys

import typer

from selftaught_builder.cli.arguments import RoomPath

recipes = typer.Typer(
    help="Show a recipe, or the schema of recipes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@recipes.command()
def show(room: RoomPath) -> None:
    """Print a recipe with every default filled in."""
    import yaml

    from selftaught_builder.cli.show.terminal import console, plain
    from selftaught_builder.recipe import load_recipe

    text = yaml.safe_dump(load_recipe(room).model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    console.print(plain(text, lines=True), soft_wrap=True, end="")


@recipes.command()
def schema() -> None:
    """Print the JSON Schema of recipes."""
    import json

    from selftaught_builder.recipe import Recipe

    sys.stdout.write(json.dumps(Recipe.model_json_schema(), indent=2) + "\n")
