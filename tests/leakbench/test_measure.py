from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError
from selftaught_builder.leakbench import arithmetic, corruption
from selftaught_builder.leakbench.estimate import rogan_gladen
from selftaught_builder.leakbench.measure import POLICY, choose_checks, measure, sample
from selftaught_builder.leakbench.plants import HINT_LEAKS, PLANTS, Sound, plant, plant_all
from selftaught_builder.leakbench.rows import read_cases
from selftaught_verifiers import Outcome, Question, Rationale, get_verifier
from support.command import environment, selftaught

SUMS = [
    Sound(
        f"sum-{at}",
        f"Ann has {a} red pens and buys {b} blue pens. She packs them into boxes of {c}. How many boxes does she fill?",
        str((a + b) // c),
        "number",
        f"Ann has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} pens.\nShe fills {a + b} / {c} = "
        f"<<{a + b}/{c}={(a + b) // c}>>{(a + b) // c} boxes.",
    )
    for at, (a, b, c) in enumerate([(61, 23, 4), (35, 49, 3), (120, 24, 6), (17, 73, 5), (88, 17, 7), (46, 53, 3)])
]
PLACES = [
    Sound(
        "places",
        "Where can people read many magazines without paying for them?",
        "B",
        "letter",
        "The answer must be a place that lends printed works. Shelves of periodicals stand in a library for every "
        "visitor. Bookstores want to be paid. Therefore, the answer is library (B).",
        {"A": "bookstore", "B": "library", "C": "market"},
    ),
    Sound(
        "pens",
        "What do people use to absorb extra ink from a fountain pen?",
        "C",
        "letter",
        "It must be something that soaks up liquids. Paper that is made for drying does so. Therefore, the answer is "
        "blotter (C).",
        {"A": "inkwell", "B": "desk drawer", "C": "blotter"},
    ),
]


def question(sound: Sound) -> Question:
    return Question(sound.question, sound.gold, sound.kind, sound.choices)


# -- plants -----------------------------------------------------------------------------------------------------------


def test_plants_repeat_and_depend_on_the_seed() -> None:
    first, again, other = (list(plant_all([*SUMS, *PLACES], seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {one.plant for one in first} == set(PLANTS)
    alone = plant(SUMS[3], "hint_quoting", 1)
    assert alone in first


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_alters_the_text_and_keeps_the_answer_right(name: str) -> None:
    for seed in range(12):
        for sound in [*SUMS, *PLACES]:
            made = plant(sound, name, seed, [*SUMS, *PLACES])
            if made is None:
                assert (name in ("option_mark", "corrupted_step")) or sound.choices
                continue
            assert made.text != sound.text
            if name not in ("answer_first", "truncated", "hint_quoting"):  # text stands after their answer
                verdict = get_verifier("answer")(question(sound), Rationale(made.text))
                assert verdict.outcome is Outcome.PASS, (made.style, made.text, verdict)
            assert sound.choices.get(sound.gold, sound.gold) in made.text or f"({sound.gold})" in made.text


@pytest.mark.parametrize("name", HINT_LEAKS)
def test_hint_leaks_are_seen(name: str) -> None:
    made = [one for seed in range(60) for sound in [*SUMS, *PLACES] if (one := plant(sound, name, seed))]
    assert len(made) >= 100
    assert all(one.hinted for one in made)
    missed = [
        one.text
        for one in made
        if get_verifier("hint_leak")(question(one.source), Rationale(one.text, hinted=True)).outcome is not Outcome.FAIL
    ]
    assert len(missed) <= 0.02 * len(made), missed


@given(
    st.sampled_from(list(corruption.STYLES)),
    st.tuples(*[st.integers(2, 400)] * 3),
    st.integers(0, 10_000),
)
def test_a_corrupted_step_is_false_or_uses_a_number_from_nowhere(
    style: str, numbers: tuple[int, int, int], seed: int
) -> None:
    a, b, c = numbers
    text = f"He has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} pens.\nThat is {a + b} * {c} = <<{a + b}*{c}={(a + b) * c}>>"
    text = f"{text}{(a + b) * c} cents.\nThe answer is {(a + b) * c}."
    made = corruption.corrupt(text, style, random.Random(seed))
    if made is None:
        return
    assert made.rsplit("\n", 1)[1] == text.rsplit("\n", 1)[1]
    steps = arithmetic.steps_of(made)
    given_numbers = {a, b, c, a + b, (a + b) * c}
    false = any(step.value != step.result for step in steps)
    foreign = any(
        arithmetic.parse(number) not in given_numbers for step in steps for *_, number in arithmetic.operands(step.left)
    )
    assert false or foreign or a == b or steps[-1].result != (a + b) * c


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6), st.data())
def test_calculating_obeys_precedence(numbers: list[int], data: st.DataObject) -> None:
    signs = data.draw(st.lists(st.sampled_from("+-*/"), min_size=len(numbers) - 1, max_size=len(numbers) - 1))
    left = str(numbers[0]) + "".join(f" {sign} {number}" for sign, number in zip(signs, numbers[1:], strict=True))
    exact = left[: len(str(numbers[0]))] and " ".join(
        f"Fraction({part})" if part.isdigit() else part for part in left.split()
    )
    try:
        expected = eval(exact, {"Fraction": Fraction})
    except ZeroDivisionError:
        assert arithmetic.calculate(left) is None
    else:
        assert arithmetic.calculate(left) == expected


# -- rows and measuring -----------------------------------------------------------------------------------------------


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def row(**changes: object) -> dict[str, Any]:
    base = {"id": "r", "question": "What are 2 pens and 3 pens?", "gold": "5", "steps": ["2 + 3 = 5", "It is 5."]}
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def test_rows_in_all_their_forms(tmp_path: Path) -> None:
    listed = "Which one?\nOptions:\nA: a pen \nB: an inkwell "
    file = write(
        tmp_path / "mine.jsonl",
        row(rationale_flawed=True, task="sums"),
        row(steps=None, solution="2 + 3 = 5.", gold=None, answer=5, hinted=True),
        row(question=listed, gold="B", steps=None, rationale="It holds ink: (B).", rationale_flawed=False),
        row(question="Which?", gold="B", choices={"A": "x", "B": "y"}, id=None),
        "",
        row(question="Was it so?", gold=True),
    )
    sums, gsm, options, chosen, yesno = read_cases([file])
    assert (sums.flawed, sums.group, sums.rationale.completion) == (True, "sums", "2 + 3 = 5\nIt is 5.")
    assert (gsm.flawed, gsm.group, gsm.question.gold) == (None, "mine (taken as sound)", "5")
    assert gsm.rationale.hinted
    assert not sums.rationale.hinted
    assert options.question == Question("Which one?", "B", "letter", {"A": "a pen", "B": "an inkwell"})
    assert (chosen.id, chosen.question.kind) == (f"{file}:4", "letter")
    assert (yesno.question.gold, yesno.question.kind) == ("yes", "yesno")
    assert all(case.rationale.hinted for case in read_cases([file], hinted=True))


def test_counts_of_known_verdicts(tmp_path: Path) -> None:
    false = ["2 + 3 = 6", "It is 5."]
    file = write(
        tmp_path / "sums.jsonl",
        row(rationale_flawed=True, steps=false),
        row(rationale_flawed=True),
        row(rationale_flawed=False, steps=false),
        *[row(rationale_flawed=False)] * 3,
        row(steps=["I guess.", "It is 5."], rationale_flawed=True),
        row(steps=false, task="gold"),
    )
    bench = measure(read_cases([file]), choose_checks(["equations"]))
    found = bench.groups["sums"]["equations"]
    assert (found.flawed, found.sound, found.caught, found.alarms, found.silent) == (3, 4, 1, 1, 1)
    assert (found.recall.value, found.precision.value, found.false_alarms.value) == (1 / 3, 1 / 2, 1 / 4)
    assert bench.groups["sums"][POLICY].leak_before.value == 3 / 7
    assert bench.groups["sums"][POLICY].leak_after.value == 2 / 5
    assert bench.groups["gold (taken as sound)"]["equations"].alarms == 1
    assert bench.labelled == ["sums"]
    assert bench.in_all["equations"].flawed == 3


def test_plants_are_counted_by_task_and_style(tmp_path: Path) -> None:
    rows = [row(id=one.id, question=one.question, gold=one.gold, steps=None, rationale=one.text) for one in SUMS]
    file = write(tmp_path / "pens.jsonl", *rows, row(rationale_flawed=True))
    cases = read_cases([file])
    sounds = sample(cases, 4, seed=3)
    assert len(sounds) == 4
    assert sounds == sample(cases, 4, seed=3)
    bench = measure(cases, choose_checks(), sounds, seed=3)
    assert bench.planted("hint_leak", "answer_first").as_json()["share"] == 1.0
    whole = bench.planted("equations", "corrupted_step")
    by_style = [bench.planted("equations", "corrupted_step", style=style) for style in bench.styles("corrupted_step")]
    assert whole.of == sum(one.of for one in by_style) == bench.planted(POLICY, "corrupted_step", task="pens").of == 4
    assert "option_mark" not in bench.planted_names


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        (row(steps=None), "no rationale"),
        (row(steps=[]), "`steps`"),
        (row(steps="2 + 3"), "`steps`"),
        (row(gold=None), "`gold` is missing"),
        (row(question=None), "`question` is missing"),
        (row(rationale_flawed="yes"), "`rationale_flawed`"),
        (row(gold="C", choices={"A": "x", "B": "y"}), "none of the choices"),
        (row(kind=3), "`kind`"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, broken: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_cases([write(tmp_path / "rows.jsonl", row(), broken)])
    assert str(caught.value.place).endswith("rows.jsonl:2")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "No such file"),
        ([], "no rationales to measure on"),
    ],
)
def test_wrong_input_is_said(tmp_path: Path, arguments: list[str], message: str) -> None:
    unset = {key: value for key, value in environment().items() if key != "SELFTAUGHT_DATA"}
    done = selftaught("leakbench", *arguments, cwd=tmp_path, env=unset)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [("nonsense", "no verifier"), ("answer", "judges answers"), ("majority", "no single rationale")],
)
def test_a_check_that_is_none_is_said(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_checks(["equations", name])


def test_table_and_json_tell_the_same(tmp_path: Path) -> None:
    rows = [row(id=one.id, question=one.question, gold=one.gold, steps=None, rationale=one.text) for one in SUMS]
    labelled = [row(rationale_flawed=flawed, task="people\x1b[31m") for flawed in (True, False)]
    file = write(tmp_path / "pens.jsonl", *rows, *labelled)
    data = json.loads(selftaught("leakbench", file, "--json", "--plants", 5).stdout)
    shown = selftaught("leakbench", file, "--plants", 5, env=environment(COLUMNS="100"))
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert "\x1b" not in shown.stdout
    assert "6 rationales without `rationale_flawed` are taken as sound" in shown.stdout
    leaks = {task["task"]: task["leak_rate"] for task in data["tasks"]}
    assert leaks["pens (taken as sound)"] is None
    assert leaks["all judged"]["answer_only"]["share"] == 0.5
    first = next(
        one for one in data["plants"] if one["plant"] == "answer_first" and not one["style"] and not one["task"]
    )
    assert first["recall"]["hint_leak"]["share"] == 1.0
    assert first["planted"] == 6
    assert "hint_leak" in data["policy"]["checks"]


def test_nothing_is_planted_on_request(tmp_path: Path) -> None:
    data = json.loads(selftaught("leakbench", write(tmp_path / "r.jsonl", row()), "--json", "--plants", 0).stdout)
    assert data["plants"] == []


# -- correcting an estimate -------------------------------------------------------------------------------------------


@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_a_corrected_rate_is_the_one_that_the_flags_came_from(flawed: int, recall: int, alarms: int) -> None:
    assume(recall > alarms)
    of = 10_000
    flagged = flawed * recall + (100 - flawed) * alarms
    found = rogan_gladen(flagged, of, (recall, 100), (alarms, 100))
    assert found.share == pytest.approx(flawed / 100)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_an_estimate_as_it_was_published() -> None:
    # A judge that finds 71 % and wrongly flags 15 %: 26.2 % flagged are 20 % flawed.
    found = rogan_gladen(262, 1000, (71, 100), (15, 100))
    assert found.share == pytest.approx(0.2)
    assert found.low < 0.2 - 0.05 < 0.2 + 0.05 < found.high


@pytest.mark.parametrize(
    "counts", [(5, 4, (9, 10), (1, 10)), (1, 4, (1, 10), (1, 10)), (0, 0, (9, 10), (1, 10)), (1, 4, (0, 0), (1, 10))]
)
def test_an_estimate_of_nothing_is_refused(counts: tuple[int, int, tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"of|recall"):
        rogan_gladen(*counts)
