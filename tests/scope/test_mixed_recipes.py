"""Several recipes over one store, in any order: each gets the version that it would have got alone in a fresh room."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError
from selftaught_builder.endpoints import Identity, Reply, Request
from selftaught_builder.export.version import Version
from selftaught_builder.recipe import Replica
from selftaught_builder.report import collect
from selftaught_builder.room.room import Room, open_room
from selftaught_builder.scope.scope import newest_scope, scope_of
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.reading import reading
from selftaught_builder.serving.pool import Member, Opened
from selftaught_builder.store import run_sql
from support.reading import accounts_of, funnel_of
from support.stages import export, rationalize, sample, verify_room
from support.stores import scripted_room

QUESTIONS = [
    {"question": f"A box holds {n} pens and {n + 3} are put in. How many?", "answer": str(2 * n + 3)}
    for n in range(1, 4)
]
EXAMPLES = int(os.environ.get("MIXED_RECIPES", "3"))
MODELS = {
    "known": "sha256:" + "a" * 16,
    "other": "sha256:" + "b" * 16,
    "renamed": "sha256:" + "a" * 16,
    "silent": "unknown",
}


class Model:
    """A model whose reply depends on nothing but the request and its weights."""

    slots = 4

    def __init__(self, name: str) -> None:
        self.name = name

    async def identify(self) -> Identity:
        """Say who it is."""
        return Identity("http://127.0.0.1:1/v1", self.name, MODELS[self.name], {"seed": True})

    async def complete(self, request: Request) -> Reply:
        """Answer rightly about half of the time; a hint helps, and shows now and then."""
        asked = json.dumps(
            [list(map(dict, request.messages)), dict(request.parameters), MODELS[self.name], request.seed]
        )
        draw = int(hashlib.sha256(asked.encode()).hexdigest()[:8], 16)
        text = request.messages[-1]["content"]
        if "holds" not in text:  # the probe of what is honoured
            return Reply(str(draw), finish_reason="stop", model=self.name)
        n = int(text.split("holds ")[1].split()[0])
        answer = 2 * n + 3 if draw % 3 else draw % 7
        wrong = "" if draw % 5 else " And 2 + 2 = 5."
        said = f"First there are {n}, then {n + 3} more are put in.{wrong} {n} + {n + 3} = {answer}. The answer is {answer}."
        return Reply(said, finish_reason="stop", model=self.name, tokens_in=20, tokens_out=10 + draw % 3, cost=0.001)


def client_of(room: Room) -> Callable[[], AbstractAsyncContextManager[Opened]]:
    """The first round, answered by the recipe's model."""

    @asynccontextmanager
    async def client() -> AsyncIterator[Opened]:
        yield Opened([Member(room.recipe.endpoint, Model(room.recipe.endpoint.model), Replica())])

    return client


def work(folder: Path, recipe: dict[str, Any]) -> Version | None:
    """Run a recipe through all stages; return its version, None if nothing is kept."""
    room = room_of(folder, recipe)
    asked = {"number": 1, "client": client_of(room)}
    sample(room, **asked)
    verify_room(room, **asked)
    if room.recipe.rationalize.k:
        rationalize(room, **asked)
        verify_room(room, **asked)
    return exported(room)


def exported(room: Room) -> Version | None:
    try:
        return export(room)
    except InputError:
        return None


def room_of(folder: Path, recipe: dict[str, Any]) -> Room:
    scripted_room(folder, QUESTIONS, **recipe)
    return open_room(folder)


def rows_of(version: Version | None) -> list[dict[str, Any]]:
    return pl.read_parquet(version.folder / "data" / "*.parquet").to_dicts() if version else []


recipes = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["sums", "others"]),
        "prompt": st.fixed_dictionaries(
            {"system": st.sampled_from(["Be brief.", "Be wordy."]), "shots": st.sampled_from([0, 1])}
        ),
        "endpoint": st.fixed_dictionaries(
            {
                "kind": st.just("openai"),
                "base_url": st.just("http://127.0.0.1:1/v1"),
                "model": st.sampled_from(sorted(MODELS)),
            }
        ),
        "sample": st.fixed_dictionaries({"k": st.integers(1, 3), "temperature": st.sampled_from([0.2, 0.7])}),
        "rationalize": st.fixed_dictionaries({"k": st.integers(0, 2)}),
        "verify": st.sampled_from(
            [["answer", "equations", "hint_leak"], ["answer", "hint_leak", "equations", "majority"]]
        ),
        "keep": st.sampled_from(["equations <> 'fail'", "answer = 'pass'"]),
        "export": st.fixed_dictionaries({"per_question": st.sampled_from([1, None])}),
    }
)


def check_asked(room: Room, rows: list[dict[str, Any]]) -> None:
    """No row is in a version that its recipe does not ask for."""
    recipe, store = room.recipe, room.store()
    prompts = {
        kind: {room.prompter.ask(question, hint=kind == "rationalized").hash for question in room.questions.questions}
        for kind in ("sampled", "rationalized")
    }
    found = {row["key"]: row for row in store.sql("SELECT * FROM attempts WHERE error IS NULL").to_dicts()}
    for row in rows:
        attempt = found[row["attempt"]]
        assert attempt["prompt"] in prompts[attempt["kind"]]
        assert json.loads(attempt["parameters"])["temperature"] == recipe.sample.temperature
        k = recipe.sample.k if attempt["kind"] == "sampled" else recipe.rationalize.k
        assert attempt["sample_index"] < k
        assert attempt["weights"] == MODELS[recipe.endpoint.model]
        assert row["messages"][0]["content"] == recipe.prompt.system
        assert row["kind"] == attempt["kind"]


def check_counts(room: Room, version: Version | None) -> None:
    """Card, `status`, `report` and SQL count the same."""
    store, recipe, scope = room.store(), room.recipe, newest_scope(room.store(), room)
    funnel = funnel_of(store, recipe, scope)
    with reading(store, scope_of(store, room), compile_filter(recipe)) as view:
        counted = run_sql(
            view.connection,
            "SELECT count(*), count(*) FILTER (error IS NULL), count(*) FILTER (answer = 'pass'), (SELECT count(*) FROM kept) "
            "FROM audited",
        ).row(0)
    assert (funnel.attempts, funnel.completions, funnel.correct, funnel.kept) == counted
    with store.write() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO stages VALUES (?, 1, 'export', 'x', now(), now(), ?)",
            [room.run, json.dumps({"version": version.name if version else None})],
        )
    report = collect(store, scope_of(store, room), compile_filter(recipe))
    (round_,) = report.rounds or [None]
    if round_:
        assert (round_.completions, round_.correct) == (funnel.completions, funnel.correct)
        assert round_.kept == round_.version_rows == funnel.exported
    accounts = accounts_of(store, room)
    assert accounts.paid.attempts == store.sql("SELECT count(*) FROM attempts WHERE run = ?", [room.run]).item()
    if version:
        ((facts,),) = store.sql("SELECT facts FROM dataset_versions WHERE version = ?", [version.name]).rows()
        card = json.loads(facts)
        assert [card["funnel"][name] for name in ("attempts", "completions", "correct", "kept", "exported")] == [
            *counted,
            version.funnel.exported,
        ]
        assert sum(one["rows"] for one in card["made_with"]) == card["rows"] == len(rows_of(version))
        assert sum(one["attempts"] for one in card["made_with"]) == funnel.attempts
        text = (version.folder / "README.md").read_text(encoding="utf-8")
        assert f"| completions | {funnel.completions} |" in text
        assert f"{recipe.sample.k} samples per question" in text


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(drawn=st.lists(recipes, min_size=2, max_size=3), again=st.randoms(use_true_random=False))
def test_each_recipe_gets_the_version_that_it_would_have_got_alone(drawn: list[dict[str, Any]], again: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        shared = Path(scratch) / "shared"
        first = [work(shared, recipe) for recipe in drawn]
        order = list(range(len(drawn)))
        again.shuffle(order)
        for at in order:  # after all of them
            room = room_of(shared, drawn[at])
            if first[at] is None:
                assert exported(room) is None
                continue
            version = work(shared, drawn[at])
            alone = work(Path(scratch) / f"alone-{at}", drawn[at])
            assert alone is not None
            assert version is not None
            rows = rows_of(version)
            assert rows == rows_of(alone) == rows_of(first[at])
            assert version.name == first[at].name
            assert version.name.split("-")[1] == alone.name.split("-")[1], "the same content"
            check_asked(room, rows)
            check_counts(room, version)
        numbers = [path.name.split("-")[0] for path in shared.glob("v*-*")]
        assert len(set(numbers)) == len(numbers)
