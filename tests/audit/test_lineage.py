"""Lineage: every chain is walked to its end, whatever the store holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught_builder.audit.lineage import ABOVE, Step, lineage
from selftaught_builder.audit.lineage import BASE as UNTRAINED
from selftaught_builder.cli.show.report import show_lineage
from selftaught_builder.cli.show.terminal import console
from selftaught_builder.common.errors import InputError
from support.loops import BASE, TRUE, Loop

FIRST, SECOND = "sha256:" + "1" * 16, "sha256:" + "2" * 16


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    made = Loop(tmp_path_factory.mktemp("loop"))
    two_rounds(made)
    return made


def shape(steps: list[Step]) -> list[str]:
    return ["  " * step.depth + f"{step.kind} {step.name}" for step in steps]


def ends(steps: list[Step]) -> list[str]:
    return [step.facts[label] for step in steps for label in ("origin", "see") if label in step.facts]


def two_rounds(loop: Loop) -> list[str]:
    ids = [
        loop.attempt("training-0", TRUE, kind="sampled"),
        loop.attempt("training-1", TRUE, kind="rationalized", parent="failed.1"),
        loop.attempt("training-0", TRUE, kind="sampled", weights=FIRST, round=2),
        loop.attempt("training-1", TRUE, kind="sampled", weights=FIRST, round=2),
    ]
    loop.verify()
    loop.version("v1-aaaaaaaa", ids[:2])
    loop.version("v2-bbbbbbbb", ids[3:1:-1])
    loop.trained(1, "v1-aaaaaaaa", FIRST)
    loop.trained(2, "v2-bbbbbbbb", SECOND)
    return ids


def test_a_row_is_walked_to_the_base(loop: Loop) -> None:
    ids = two_rounds(loop)
    steps = lineage(loop.store, "v2-bbbbbbbb:0")
    assert shape(steps) == [
        "row v2-bbbbbbbb:0",
        f"  sampled attempt {ids[3]}",  # the version's own order, not the attempts'
        f"    prompt {'p' * 32}",
        "    model tiny",
        f"      training training-1-{FIRST}",
        "        YAML rounds/1/axolotl.yaml",
        "        model base",
        "        version v1-aaaaaaaa",
        "          model tiny",
    ]
    assert steps[3].facts["weights"] == FIRST
    assert steps[5].facts == {"sha256": "y" * 64}
    assert steps[8].facts["wrote"] == "2 of its rows"
    assert ends(steps) == [UNTRAINED, UNTRAINED]
    assert lineage(loop.store, ids[3])[0].name == ids[3]
    key = ids[3].split(".")[0]  # as a dataset's rows name it
    assert lineage(loop.store, key)[0].facts == lineage(loop.store, ids[3])[0].facts
    assert lineage(loop.store, "v2-bbbbbbbb")[0].facts["rows"] == 2


def test_a_hinted_attempt_says_so(loop: Loop) -> None:
    ids = two_rounds(loop)
    attempt, prompt, *_ = lineage(loop.store, ids[1])
    assert attempt.kind == "rationalized attempt"
    assert attempt.facts["answers the failed attempt"] == "failed.1"
    assert attempt.facts["answer"] == "pass (equal)"
    assert "hint" in prompt.facts["form"]


def test_going_on_from_the_last_checkpoint_is_walked_through_it(loop: Loop) -> None:
    two_rounds(loop)
    ids = [loop.attempt("training-2", TRUE, kind="sampled", weights=SECOND, round=3)]
    third = "sha256:" + "3" * 16
    ids.append(loop.attempt("training-3", TRUE, kind="sampled", weights=third, round=4))
    loop.verify()
    loop.version("v3-cccccccc", ids[:1])
    loop.trained(3, "v3-cccccccc", third, base=SECOND)
    steps = lineage(loop.store, ids[1])
    starts = [step for step in steps if step.kind == "model" and step.name == "base"]
    assert [step.facts.get("weights") for step in starts] == [SECOND, BASE, BASE]
    assert ends(steps).count(ABOVE) == 1  # the model that it went on from also wrote its rows


def test_a_cycle_ends(loop: Loop) -> None:
    written = loop.attempt("training-0", TRUE, kind="sampled", weights=FIRST)
    loop.verify()
    loop.version("v1-aaaaaaaa", [written])
    loop.trained(1, "v1-aaaaaaaa", FIRST, base=FIRST)
    assert ends(lineage(loop.store, "v1-aaaaaaaa")) == [ABOVE, ABOVE]


def test_unknown_weights_end_with_run_and_round(loop: Loop) -> None:
    ids = [loop.attempt(f"training-{n}", TRUE, kind="sampled", weights="unknown", round=n) for n in (1, 2)]
    loop.verify()
    loop.version("v1-aaaaaaaa", ids)
    assert ends(lineage(loop.store, "v1-aaaaaaaa")) == [
        "weights unknown: run sums round 1",
        "weights unknown: run sums round 2",
    ]
    loop.trained(1, "v9-99999999", FIRST, base="unknown")
    late = loop.attempt("training-3", TRUE, kind="sampled", weights=FIRST)
    loop.verify()
    assert ends(lineage(loop.store, late)) == ["weights unknown", "not in this store"]


def test_models_of_unknown_weights_are_told_apart_by_their_names(loop: Loop) -> None:
    ids = [
        loop.attempt("training-0", TRUE, kind="sampled", weights="unknown", model=model, index=index)
        for index, model in enumerate(("first", "second", "second"))
    ]
    loop.verify()
    loop.version("v1-aaaaaaaa", ids)
    writers = [(step.name, step.facts["wrote"]) for step in lineage(loop.store, "v1-aaaaaaaa") if "wrote" in step.facts]
    assert writers == [("second", "2 of its rows"), ("first", "1 of its rows")]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("v7-12345678", "no dataset version `v7-12345678`.*\n.*v2-bbbbbbbb"),
        ("v7-12345678:0", "no dataset version"),
        ("v2-bbbbbbbb:2", "has 2 rows\n.*from 0 to 1"),
        ("v2-bbbbbbbb:-1", "no attempt or dataset version"),
        ("'; DROP TABLE attempts; --", "no attempt or dataset version"),
        ("", "no attempt or dataset version"),
    ],
)
def test_an_unknown_id_is_an_input_error(filled: Loop, wanted: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lineage(filled.store, wanted)


def test_an_empty_store_says_what_makes_a_version(loop: Loop) -> None:
    with pytest.raises(InputError, match="selftaught export"):
        lineage(loop.store, "v1-aaaaaaaa")


def test_the_terminal_shows_a_tree_in_which_no_text_can_act(loop: Loop) -> None:
    written = loop.attempt("training-0", TRUE, kind="sampled", model="[bold]tiny\x1b[2J\u202e")
    loop.verify()
    with console.capture() as shown:
        show_lineage(lineage(loop.store, written))
    lines = shown.get().splitlines()
    assert lines[0] == f"sampled attempt {written}"
    assert "  model [bold]tiny\\x1b[2J\\x202e" in lines
    assert f"      origin: {UNTRAINED}" in lines
