from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pytest
import yaml
from datasets import config

from selftaught_builder.common.errors import InputError
from selftaught_builder.export.version import Version
from selftaught_builder.room.room import open_room
from selftaught_builder.selection.funnel import Funnel
from support.stages import export
from support.stores import SUMS, Scripted, reasoned

CHOICES = [
    {"question": "Where do fish live?", "choices": {"A": "in trees", "B": "in water"}, "answer": "B"},
    {"question": "What is hot?", "choices": {"A": "fire", "B": "ice"}, "answer": "A"},
]
COLUMNS = ["messages", "question_id", "question", "choices", "answer", "rationale", "kind", "round"]
COLUMNS += ["attempt", "model", "weights", "tokens", "verdict_answer", "verdict_equations", "verdict_hint_leak"]


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path / "sums")


def rows_of(version: Version) -> list[dict[str, Any]]:
    return [row for file in sorted(version.folder.rglob("*.parquet")) for row in pl.read_parquet(file).to_dicts()]


def files_of(version: Version) -> dict[str, bytes]:
    files = sorted(path for path in version.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(version.folder)): path.read_bytes() for path in files}


def front_matter(version: Version) -> tuple[dict[str, Any], str]:
    """Return the card's front matter and what follows it."""
    _, head, body = (version.folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def prompts_of(row: Mapping[str, Any]) -> str:
    """Return all that stands before the rationale."""
    return "\n".join(message["content"] for message in row["messages"][:-1])


# Identity.


def test_the_same_store_and_recipe_give_the_same_bytes_and_name(scripted: Scripted) -> None:
    for question in range(4):
        scripted.attempt(question)
    first = scripted.export()
    before = files_of(first)
    again = scripted.export()
    assert (first.fresh, again.fresh) == (True, False)
    assert (again.name, files_of(again)) == (first.name, before)
    assert re.fullmatch(r"v1-[0-9a-f]{8}", first.name)
    shutil.rmtree(first.folder)
    assert files_of(scripted.export()) == before, "a version that was removed is made again"
    assert scripted.store.sql("SELECT count(*) FROM dataset_versions").item() == 1
    assert scripted.store.sql("SELECT count(*) FROM dataset_rows").item() == 4


def test_a_copied_store_gives_the_same_version(scripted: Scripted, tmp_path: Path) -> None:
    scripted.attempt(0)
    scripted.attempt(1)
    scripted.verify()
    copied = shutil.copytree(scripted.room.folder, tmp_path / "elsewhere" / "sums")
    here, there = scripted.export(), export(open_room(copied))
    assert (here.name, files_of(here)) == (there.name, files_of(there))


def test_new_content_is_the_next_version_and_the_old_one_stays(scripted: Scripted) -> None:
    scripted.attempt(0)
    first = scripted.export()
    before = files_of(first)
    scripted.attempt(1)
    second = scripted.export()
    assert second.name.startswith("v2-")
    assert second.fresh
    assert files_of(first) == before
    third = scripted.export(keep="answer = 'pass' and kind = 'sampled'")
    assert third.name.startswith("v3-"), "another policy is another version, were its rows the same"
    recorded = scripted.store.sql("SELECT version, number, row_count FROM dataset_versions ORDER BY number").rows()
    assert recorded == [(first.name, 1, 1), (second.name, 2, 2), (third.name, 3, 2)]


def test_the_store_says_which_attempt_went_into_which_version(scripted: Scripted) -> None:
    ids = {scripted.attempt(0), scripted.attempt(1)}
    scripted.attempt(2, "The answer is 1.")
    version = scripted.export()
    rows = scripted.store.sql("SELECT attempt, version, split, role FROM dataset_rows").rows()
    assert set(rows) == {(attempt, version.name, "train", "sft") for attempt in ids}
    assert {f"{row['attempt']}.1" for row in rows_of(version)} == ids, (
        "rows name the key, without the number of the try"
    )


# Reading.


def test_hugging_face_datasets_reads_it(scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    for question in range(4):
        scripted.attempt(question)
    version = scripted.export(export={"validation": 0.5})
    loaded = datasets.load_dataset(str(version.folder), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in loaded.items()} == dict(version.splits)
    assert loaded["train"].column_names == COLUMNS
    row = loaded["train"][0]
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert row["messages"][1]["content"] == row["question"]
    assert row["messages"][2]["content"] == row["rationale"]
    assert row["verdict_answer"] == "pass"


def test_the_validation_split_is_by_question_and_stays_as_the_dataset_grows(tmp_path: Path) -> None:
    rows = [{"question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(40)]
    scripted = Scripted(tmp_path / "sums", rows, export={"validation": 0.5})
    for question in range(20):
        for number in range(2):
            scripted.attempt(question, f"Try {number}. The answer is {question + 1}.")
    first = split_of(scripted.export())
    assert set(first.values()) == {"train", "validation"}
    for question in range(20, 40):
        scripted.attempt(question)
    second = split_of(scripted.export())
    assert len(second) == 40
    assert first.items() <= second.items()


def split_of(version: Version) -> dict[str, str]:
    """Return each question's split; a question in two of them is an error."""
    splits: dict[str, str] = {}
    for file in version.folder.rglob("*.parquet"):
        for row in pl.read_parquet(file).to_dicts():
            assert splits.setdefault(row["question"], file.name.split("-")[0]) == file.name.split("-")[0]
    return splits


def test_a_version_whose_every_row_is_held_out_is_exported(scripted: Scripted) -> None:
    scripted.attempt(0)
    version = scripted.export(export={"validation": 0.999})
    assert dict(version.splits) == {"validation": 1}
    assert front_matter(version)[0]["configs"][0]["data_files"] == [
        {"split": "validation", "path": "data/validation-*.parquet"}
    ]


# The hint.


@pytest.mark.parametrize("shown", [False, True], ids=["without examples", "with examples"])
def test_no_exported_byte_holds_a_hint(tmp_path: Path, shown: bool) -> None:
    numbers = Scripted(tmp_path / "sums", export={"examples": shown})
    for question in range(4):
        parent = numbers.attempt(question, "The answer is 1.")
        numbers.attempt(question, reasoned(numbers.questions[question]), kind="rationalized", parent=parent)
    letters = Scripted(
        tmp_path / "choices",
        CHOICES,
        questions={"source": "questions.jsonl", "choices": "choices"},
        export={"examples": shown},
    )
    said = (
        "Their gills take the air out of the water. The answer is in water (B).",
        "A flame burns whoever touches it, so that it must be. The answer is (A).",
    )
    for question in range(2):
        parent = letters.attempt(question, "No idea.")
        letters.attempt(question, said[question], kind="rationalized", parent=parent)
    for scripted, mark in ((numbers, re.compile(r"\(\d+\)")), (letters, re.compile(r"\(CORRECT\)"))):
        version = scripted.export()
        hinted = scripted.store.sql(
            "SELECT messages FROM prompts JOIN attempts ON prompt = hash WHERE kind = 'rationalized'"
        )
        assert all(mark.search(prompt) for prompt in hinted["messages"].cast(pl.String)), "the hint was there"
        rows = rows_of(version)
        assert {row["kind"] for row in rows} == {"rationalized"}
        assert len(rows) == len(scripted.questions)
        for row in rows:
            assert not mark.search(prompts_of(row)), row["messages"]
        assert not any("CORRECT" in str(row) for row in rows)
        card = (version.folder / "README.md").read_text(encoding="utf-8")
        assert not mark.search(card)
        assert "**100% of the rows are rationalized**" in card


def test_a_hinted_attempt_that_shows_it_is_not_exported(scripted: Scripted) -> None:
    scripted.attempt(0, "The hint says 5, so that is it. The answer is 5.", kind="rationalized")
    scripted.attempt(1)
    assert [row["kind"] for row in rows_of(scripted.export(keep="true"))] == ["sampled"]


# Contents.


def test_few_shot_examples_are_left_out_unless_asked_for(scripted: Scripted) -> None:
    scripted.attempt(0)
    without = rows_of(scripted.export())[0]
    with_them = rows_of(scripted.export(export={"examples": True}))[0]
    assert "A hen lays" not in prompts_of(without)
    assert "A hen lays 3 eggs" in prompts_of(with_them)
    assert len(with_them["messages"]) == len(without["messages"]) + 4
    assert with_them["messages"][-2:] == without["messages"][-2:]


def test_the_limit_per_question_prefers_what_was_sampled(scripted: Scripted) -> None:
    hinted = scripted.attempt(0, reasoned(scripted.questions[0]), kind="rationalized")
    sampled = [scripted.attempt(0, f"Try {number}. The answer is 5.", sample_index=number) for number in range(3)]
    other = scripted.attempt(1)

    def exported(limit: int | None) -> list[str]:
        pooled = {"per_question": limit, "draw_on": "store"}
        return [f"{row['attempt']}.1" for row in rows_of(scripted.export(export=pooled))]

    assert exported(2) == [*sampled[:2], other]
    assert exported(4) == [*sampled, hinted, other]
    assert exported(None) == [*sampled, hinted, other]


def test_equal_rationales_of_a_question_stand_there_once(scripted: Scripted) -> None:
    first = scripted.attempt(0, "So it is. The answer is 5.", sample_index=0)
    scripted.attempt(0, "So it is. The answer is 5.", sample_index=1)
    scripted.attempt(0, "\n So it is. The answer is 5.\t\r\n", sample_index=2)
    version = scripted.export()
    assert [f"{row['attempt']}.1" for row in rows_of(version)] == [first]
    assert (version.funnel.kept, version.funnel.exported) == (3, 1)


def test_reasoning_goes_before_the_rationale_or_is_dropped(scripted: Scripted) -> None:
    scripted.attempt(0, "The answer is 5.", reasoning="Two and three.", sample_index=0)
    scripted.attempt(0, "The answer is 5.", reasoning="Three and two.", sample_index=1)
    tagged = [row["messages"][-1]["content"] for row in rows_of(scripted.export())]
    assert tagged == [f"<think>\n{text}\n</think>\n\nThe answer is 5." for text in ("Two and three.", "Three and two.")]
    dropped = [row["messages"][-1]["content"] for row in rows_of(scripted.export(export={"reasoning": "drop"}))]
    assert dropped == ["The answer is 5."], "without their reasoning the two are equal"


def test_a_completion_prompt_is_exported_without_its_hint(tmp_path: Path) -> None:
    scripted = Scripted(tmp_path / "sums", prompt={"style": "completion"})
    scripted.attempt(0, reasoned(scripted.questions[0]), kind="rationalized")
    (row,) = rows_of(scripted.export())
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"].endswith(f"Q: {SUMS[0]['question']}\nA:")


def test_nothing_kept_is_an_input_error_that_makes_nothing(scripted: Scripted) -> None:
    scripted.attempt(0, "The answer is 6.")
    scripted.attempt(1)
    with pytest.raises(InputError, match=r"nothing is kept of 2 completions \(1 with the right answer\)") as caught:
        scripted.export(keep="answer = 'fail'")
    assert caught.value.exit_code == 2
    assert "selftaught audit" in str(caught.value)
    assert not list(scripted.room.folder.glob("v*")) + list(scripted.room.folder.glob(".export*"))
    assert scripted.store.sql("SELECT count(*) FROM dataset_versions").item() == 0


# The card.


def check_sums(funnel: Funnel) -> None:
    assert funnel.source_rows == funnel.questions + sum(funnel.rejected.values()) + funnel.not_asked
    assert funnel.not_asked >= 0
    assert funnel.attempts == funnel.errors + funnel.completions
    assert funnel.exported <= funnel.kept <= funnel.correct <= funnel.completions <= funnel.attempts
    assert funnel.truncated <= funnel.completions
    assert funnel.questions_exported <= funnel.questions_kept <= funnel.questions_correct <= funnel.questions
    totals = [sum(getattr(kind, column) for kind in funnel.by_kind) for column in ("completions", "correct", "kept")]
    assert totals == [funnel.completions, funnel.correct, funnel.kept]


def test_the_funnel_adds_up_and_stands_in_the_card(tmp_path: Path) -> None:
    broken = [{"question": "", "answer": "1"}, {"question": "No answer?"}, SUMS[0], {"question": "What?", "answer": ""}]
    limited = {"source": "questions.jsonl", "limit": 3, "licence": "mit"}
    scripted = Scripted(tmp_path / "sums", [*SUMS, *broken], questions=limited)
    scripted.attempt(0)
    scripted.attempt(0)
    scripted.attempt(1, "3 + 3 = 7. The answer is 7.")
    scripted.attempt(1, finish_reason="length")
    scripted.attempt(1, "", error="server", error_text="HTTP 500", finish_reason="")
    scripted.attempt(2, "The answer is 25.")
    scripted.attempt(2, reasoned(scripted.questions[2]), kind="rationalized")
    scripted.attempt(2, kind="evaluated")
    version = scripted.export()
    funnel = version.funnel
    check_sums(funnel)
    assert (funnel.source_rows, funnel.questions, funnel.not_asked) == (8, 3, 1)
    assert sum(funnel.rejected.values()) == 4
    assert (funnel.attempts, funnel.errors, funnel.truncated, funnel.completions) == (7, 1, 1, 6)
    assert (funnel.correct, funnel.kept, funnel.exported, funnel.rationalized_exported) == (5, 3, 2, 1)
    head, body = front_matter(version)
    cells = dict(re.findall(r"^\| (?:\u2013 )?([^|]+?) \| (\d+) \|$", body, re.MULTILINE))
    assert cells["train"] == "2"
    for label, number in (
        ("source rows", 8),
        ("beyond the recipe's limit", 1),
        ("questions", 3),
        ("attempts", 7),
        ("errors", 1),
        ("completions", 6),
        ("truncated (never trained on)", 1),
        ("correct answer", 5),
        ("kept by the policy", 3),
        ("questions exported", 2),
        *((f"rejected: {reason}", count) for reason, count in funnel.rejected.items()),
    ):
        assert cells[label] == str(number), label
    assert head["license"] == "mit"
    assert head["size_categories"] == ["n<1K"]
    assert head["pretty_name"] == "sums"
    assert str(tmp_path) not in body


def test_the_funnel_adds_up_when_the_source_has_grown_under_the_same_recipe(tmp_path: Path) -> None:
    Scripted(tmp_path / "sums", SUMS[:2])
    grown = Scripted(tmp_path / "sums", [*SUMS, {"question": "No answer?"}])
    grown.attempt(0)
    funnel = grown.export().funnel
    check_sums(funnel)
    assert (funnel.source_rows, funnel.questions, funnel.not_asked) == (5, 4, 0)


HOSTILE = "a | b\n---\nlicense: evil\n---\n</td><script>alert(1)</script> `x` {{ 7 * 7 }} \x1b[31m The answer is 5."


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    rows = [{"question": f"{HOSTILE} How many?", "answer": "5", "id": HOSTILE}, *SUMS]
    settings = {"source": "questions.jsonl", "id": ["id", "question"], "licence": "other: [x"}
    scripted = Scripted(tmp_path / "sums", rows, questions=settings, description="---\n{{ 7 * 7 }}")
    scripted.attempt(0, HOSTILE, model=HOSTILE, weights="w | `x` <b>", endpoint="http://x/|\n# Heading")
    scripted.amended(export={"draw_on": "store"})
    version = scripted.export()
    (row,) = rows_of(version)
    assert row["messages"][-1]["content"] == HOSTILE
    assert row["messages"][-2]["content"] == f"{HOSTILE} How many?"
    head, body = front_matter(version)
    assert head["license"] == "other: [x"
    assert "evil" not in str(head)
    assert "<script>" not in body
    assert "\x1b" not in body
    assert "# Heading" not in body.splitlines()
    (facts,) = (line for line in body.splitlines() if line.startswith("| sampled |"))
    assert len(re.split(r"(?<!\\)\|", facts)) == 11, "nine cells between ten bars"
