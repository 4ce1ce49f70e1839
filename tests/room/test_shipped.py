from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import selftaught_verifiers.answer.answer
import selftaught_verifiers.reasoning.equations
from selftaught_builder.questions import load_questions
from selftaught_builder.questions.sources import override_source
from selftaught_builder.recipe import Questions, load_recipe
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, get_verifier

DATASETS = Path(__file__).parents[2] / "datasets"
ROOMS = sorted(path.parent for path in DATASETS.glob("*/recipe.yaml"))
EACH_ROOM = pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
FEW_SHOT = [room for room in ROOMS if load_recipe(room).prompt.examples]
EACH_FEW_SHOT_ROOM = pytest.mark.parametrize("room", FEW_SHOT, ids=lambda room: room.name)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("SELFTAUGHT_DATA")
    if not folder:
        pytest.skip("SELFTAUGHT_DATA names no folder with the published data sets")
    return Path(folder)


def examples(room: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((room / (load_recipe(room).prompt.examples or "")).read_text(encoding="utf-8"))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def grams(text: str, length: int = 8) -> Iterator[tuple[str, ...]]:
    found = words(text)
    return zip(*(found[start:] for start in range(length)), strict=False)


def test_datasets_holds_no_python() -> None:
    assert [path for path in DATASETS.rglob("*.py*") if path.is_file()] == []


def test_the_rooms_are_there() -> None:
    assert {room.name for room in ROOMS} >= {"gsm8k", "svamp", "commonsenseqa", "sums", "smollm2"}
    assert {room.name for room in FEW_SHOT} >= {"gsm8k", "svamp", "commonsenseqa"}


@EACH_ROOM
def test_the_recipe_loads_and_its_room_is_complete(room: Path) -> None:
    recipe = load_recipe(room)
    assert recipe.name == room.name
    assert recipe.questions.licence
    assert (room / (recipe.prompt.examples or "recipe.yaml")).is_file()
    assert (room / "README.md").is_file()


@EACH_FEW_SHOT_ROOM
def test_examples_are_whole_and_short(room: Path) -> None:
    found = examples(room)
    assert 4 <= len(found) <= 6
    for example in found:
        assert example.keys() - {"choices"} == {"question", "rationale", "answer"}
        assert all(example[key].strip() for key in ("question", "rationale", "answer"))
        assert len(words(example["rationale"])) <= 70
        assert "answer is" not in example["rationale"]  # the template's sentence
    assert len({example["question"] for example in found}) == len(found)


def test_the_letters_of_the_examples_favour_none() -> None:
    letters = [example["answer"] for example in examples(DATASETS / "commonsenseqa")]
    assert sorted(letters) == ["A", "B", "C", "D", "E"]


@EACH_FEW_SHOT_ROOM
def test_examples_pass_the_verifiers(room: Path) -> None:
    kind = load_recipe(room).questions.kind
    for example in examples(room):
        question = Question(example["question"], example["answer"], kind, example.get("choices", {}))
        rationale = Rationale(f"{example['rationale']} The answer is {example['answer']}.")
        assert get_verifier("answer")(question, rationale).outcome is Outcome.PASS
        verdict = get_verifier("equations")(question, rationale)
        assert verdict.outcome is (Outcome.UNSCORABLE if kind == "letter" else Outcome.PASS), verdict


@cache
def published(data: Path) -> tuple[frozenset[str], frozenset[tuple[str, ...]]]:
    """All questions of the three data sets, every split, and the prompts of STaR: normalised, and their 8-grams."""
    sources = ["gsm8k/*.jsonl", "svamp/*.jsonl", "commonsenseqa/*.jsonl"]
    texts = [row.text for source in sources for row in load_questions(Questions(source=source), data).questions]
    for path in (data / "star_prompts").glob("*.txt"):
        texts += re.split(r"\n\n|\nA: |\nAnswer Choices:", path.read_text(encoding="utf-8"))
    whole = frozenset(" ".join(words(text.removeprefix("Q: "))) for text in texts)
    return whole, frozenset(gram for text in texts for gram in grams(text))


@EACH_FEW_SHOT_ROOM
def test_examples_are_in_no_split_and_not_in_stars_prompts(room: Path, data: Path) -> None:
    whole, eight = published(data)
    assert len(whole) > 20_000
    for example in examples(room):
        assert " ".join(words(example["question"])) not in whole
        shared = [gram for text in (example["question"], example["rationale"]) for gram in grams(text) if gram in eight]
        assert shared == []


@pytest.mark.parametrize(
    ("name", "files", "rows"),
    [
        ("gsm8k", "gsm8k/train-*.jsonl", 7473),
        ("gsm8k", "gsm8k/test.jsonl", 1319),
        ("svamp", "svamp/svamp.jsonl", 1000),
        ("commonsenseqa", "commonsenseqa/train.jsonl", 9741),
        ("commonsenseqa", "commonsenseqa/dev.jsonl", 1221),
    ],
)
def test_recipes_read_local_copies(name: str, files: str, rows: int, data: Path) -> None:
    settings = override_source(load_recipe(DATASETS / name).questions, data / files)
    loaded = load_questions(settings, DATASETS / name)
    assert (loaded.rows, len(loaded.questions)) == (rows, rows)
    assert {question.kind for question in loaded.questions} == {settings.kind}


HUB_ROWS = {
    "gsm8k": ({"question": "How many?", "answer": "6 * 7 = <<6*7=42>>42\n#### 42"}, "How many?", "42"),
    "svamp": (
        {"ID": "chal-1", "Body": "Two cats sat", "Question": "How many?", "Answer": "2.0", "Equation": "( 1.0 + 1.0 )"},
        "Two cats sat How many?",
        "2",
    ),
    "commonsenseqa": (
        {
            "id": "1",
            "question": "Where?",
            "question_concept": "x",
            "choices": {"label": ["A", "B"], "text": ["bank", "park"]},
            "answerKey": "B",
        },
        "Where?",
        "B",
    ),
}


@pytest.mark.parametrize("name", HUB_ROWS)
def test_recipes_read_the_hubs_field_names(name: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row, text, gold = HUB_ROWS[name]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "train.parquet")
    settings = override_source(load_recipe(DATASETS / name).questions, tmp_path)
    question = load_questions(settings, tmp_path).questions[0]
    assert (question.text, question.gold, question.split) == (text, gold, "train")


def test_the_answer_verifier_is_the_one_that_questions_are_read_with() -> None:
    assert get_verifier("answer").function is selftaught_verifiers.answer.answer.judge
