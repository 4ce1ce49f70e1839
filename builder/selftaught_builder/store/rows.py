"""The rows that are journalled: each column's name, type and meaning, said once.

The journal's records, the frames that fill the tables, the names in `attempts_wide` and docs/schema.md follow from these
types. A new column takes a migration, a line here, and whoever knows its value.

A row is a typed dictionary, which is the journal's record as it stands: attempts come by the thousand a second, and making
an object of each first would cost half as much again as journalling it. And `try` is no name that an attribute can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, TypedDict, get_args, get_type_hints


class PromptRow(TypedDict):
    """A rendered prompt, stored once however many attempts it has."""

    table: Literal["prompts"]
    hash: Annotated[str, "unique"]
    style: Annotated[str, "chat or completion"]
    messages: Annotated[str, "the turns, with role and content"]


AttemptRow = TypedDict(
    "AttemptRow",
    {
        "table": Literal["attempts"],
        "id": Annotated[str, "unique: key and try number"],
        "key": Annotated[str, "over kind, question, prompt, parameters, sample index and weights"],
        "try": Annotated[int, "of this key, from 1"],
        "run": Annotated[str, "that it was made for"],
        "round": Annotated[int, "0 is the base model, before the first training"],
        "question": Annotated[str, "questions.hash"],
        "kind": Annotated[str, "sampled, rationalized, evaluated or probed"],
        "sample_index": Annotated[int, "of the question's samples, from 0"],
        "parent": Annotated[str | None, "the failed attempt that a rationalized one answers"],
        "prompt": Annotated[str, "prompts.hash"],
        "completion": Annotated[str, "without reasoning content"],
        "reasoning": Annotated[str, "reasoning content, kept apart"],
        "finish_reason": Annotated[str, "'length' is truncated and never trained on"],
        "endpoint": Annotated[str, "base URL, without credentials"],
        "model": Annotated[str, "as asked for"],
        "model_replied": Annotated[str, "as the reply named it"],
        "weights": Annotated[str, "fingerprint of the served weights, or 'unknown'"],
        "parameters": Annotated[str, "sampling parameters, as sent"],
        "seed": Annotated[int, "derived from the key"],
        "seed_honoured": Annotated[bool | None, "NULL where the probe could not tell"],
        "tokens_in": Annotated[int | None, "as the server counts"],
        "tokens_out": Annotated[int | None, "as the server counts"],
        "tokens_cached": Annotated[int | None, "as the server counts"],
        "cost": Annotated[float | None, "US dollars; NULL is unknown, never free"],
        "price_source": Annotated[str | None, "recipe, litellm or server"],
        "latency": Annotated[float, "seconds"],
        "error": Annotated[str | None, "error class; NULL where a completion arrived"],
        "error_text": Annotated[str | None, "what the server or the connection said"],
        "provider": Annotated[str, "what else the reply said"],
        "created_at": Annotated[str, "when the reply was recorded"],
        "recipe": Annotated[str | None, "rounds.recipe_hash; NULL in attempts older than this column"],
    },
)
"""One try at a sample."""

TABLES: Mapping[str, Any] = {"prompts": PromptRow, "attempts": AttemptRow}
"""The type of each journalled table's rows."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a journalled table.

    Attributes:
        name: in the table and in the journal.
        type: str, int, float or bool; what SQL holds as JSON or as a time is text in the journal.
        nullable: whether it may be NULL.
        about: what it means, in one line.
    """

    name: str
    type: type
    nullable: bool
    about: str


@cache
def columns_of(table: str) -> tuple[Column, ...]:
    """Return a journalled table's columns, in order; raises KeyError for a table that is not journalled."""
    hints = get_type_hints(TABLES[table], include_extras=True)
    return tuple(_column(name, hint) for name, hint in hints.items() if name != "table")


def _column(name: str, hint: Any) -> Column:
    kinds = get_args(hint.__origin__) or (hint.__origin__,)
    kind = next(one for one in kinds if one is not NoneType)
    return Column(name, kind, NoneType in kinds, hint.__metadata__[0])
