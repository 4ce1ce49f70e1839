"""A version is what was exported, whenever it is used; and equal rows are one version."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from selftaught_builder.common.errors import InputError
from selftaught_builder.export.content import content_hash
from selftaught_builder.export.intact import check_version
from selftaught_builder.export.version import Version
from selftaught_builder.scope.asked_prompts import record_prompts
from selftaught_builder.stages.train import train_round
from support.inside import inside
from support.stages import export
from support.stores import SUMS, Scripted, reasoned

DATA = "data/train-00000-of-00001.parquet"


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    made = Scripted(tmp_path / "sums", keep="answer = 'pass'")
    for place in range(3):
        made.attempt(place)
    return made


def bytes_of(version: Version) -> dict[str, bytes]:
    return {
        str(file.relative_to(version.folder)): file.read_bytes() for file in version.folder.rglob("*") if file.is_file()
    }


def empty(folder: Path) -> None:
    (folder / DATA).write_bytes(b"")


def cut(folder: Path) -> None:
    (folder / DATA).write_bytes((folder / DATA).read_bytes()[:-100])


def remove(folder: Path) -> None:
    (folder / DATA).unlink()


def add(folder: Path) -> None:
    shutil.copy(folder / DATA, folder / "data/train-00001-of-00001.parquet")


def write_otherwise(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / DATA), folder / DATA, compression="snappy")


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder)


DAMAGES = [empty, cut, remove, add, write_otherwise]


@pytest.mark.parametrize("damage", [*DAMAGES, remove_all])
def test_export_writes_a_damaged_version_again(scripted: Scripted, damage: Callable[[Path], None]) -> None:
    made = scripted.export()
    before = bytes_of(made)
    damage(made.folder)
    again = export(scripted.room)
    assert (again.name, again.fresh) == (made.name, False)
    assert again.notes == (f"{made.name} was damaged or incomplete, and is written again",)
    assert bytes_of(again) == before
    assert export(scripted.room).notes == ()


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_others_refuse_it(
    scripted: Scripted, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scripted.export()
    pushed = inside("push", made.folder, "me/set", "--dry-run")
    assert pushed.returncode == 0, pushed.stderr
    damage(made.folder)
    pushed = inside("push", made.folder, "me/set", "--dry-run")
    assert pushed.returncode == 2
    assert "train-0000" in pushed.stderr or "not a dataset version" in pushed.stderr
    room = scripted.amended(train={"base_model": "org/model", "device": "cpu"})
    monkeypatch.setattr("selftaught_builder.stages.train.Trainer.find", lambda *_: _Trainer())
    with pytest.raises(InputError, match="is not what was exported: data/train-0000"):
        train_round(room, 1, made.name, "org/model", lambda progress: None)


class _Trainer:
    """No trainer is needed to be refused."""

    device, version = "cpu", "0"


def test_evaluate_refuses_it(tmp_path: Path) -> None:
    questions = {"source": "questions.jsonl", "validate": {"share": 0.4}}
    more = [{"question": f"{n} + 1?", "answer": str(n + 1)} for n in range(20)]
    scripted = Scripted(tmp_path / "sums", [*SUMS, *more], questions=questions)
    scripted.attempt(0)
    made = scripted.export(keep="answer = 'pass'")
    empty(made.folder)
    done = inside("evaluate", scripted.room.folder)
    assert done.returncode == 2
    assert "is not what was exported: data/train-00000-of-00001.parquet is changed" in done.stderr
    assert "`selftaught export` writes" in done.stderr


def test_a_card_that_a_person_edited_stays_and_is_not_pushed(scripted: Scripted) -> None:
    made = scripted.export()
    card = made.folder / "README.md"
    written = card.read_text(encoding="utf-8")
    card.write_text(f"{written}\nMy own words.\n", encoding="utf-8")
    again = export(scripted.room)
    assert "was edited since it was written, and stays so" in again.notes[0]
    assert card.read_text(encoding="utf-8").endswith("My own words.\n")
    pushed = inside("push", made.folder, "me/set", "--dry-run")
    assert pushed.returncode == 2
    assert "not the card that was exported" in pushed.stderr
    card.unlink()
    export(scripted.room)
    assert card.read_text(encoding="utf-8") == written


def test_what_is_found_out_later_goes_into_the_card_and_makes_no_new_version(scripted: Scripted) -> None:
    made = scripted.export()
    data = (made.folder / DATA).read_bytes()
    with scripted.store.write() as connection:
        connection.execute(
            "INSERT INTO labels SELECT attempt, 'me', true, '', TIMESTAMP '2026-11-30 12:00:00' FROM dataset_rows LIMIT 1"
        )
    again = export(scripted.room)
    assert (again.name, again.fresh) == (made.name, False)
    assert (again.folder / DATA).read_bytes() == data
    card = (again.folder / "README.md").read_text(encoding="utf-8")
    assert "People labelled 1 of its rationales and found 1 flawed" in card
    assert "as of 2026-11-30" in card
    check_version(scripted.store, again.folder, to_publish=True)


def test_failed_tries_change_no_version(tmp_path: Path) -> None:
    """The number of the try is no part of a row, so that faults and kills are not."""
    smooth, rough = (Scripted(tmp_path / name, keep="answer = 'pass'") for name in ("smooth", "rough"))
    for made in (smooth, rough):
        for place in range(3):
            key = made.attempt(place, sample_index=0) if made is smooth else _tried_twice(made, place)
            assert key
    one, other = smooth.export(), rough.export()
    assert one.name == other.name
    assert (one.folder / DATA).read_bytes() == (other.folder / DATA).read_bytes()


def _tried_twice(made: Scripted, place: int) -> str:
    failed = made.attempt(place, "", sample_index=0, error="server", finish_reason="")
    key = failed.split(".")[0]
    return made.attempt(place, sample_index=0, id=f"{key}.2", **{"try": 2})


def test_no_two_versions_of_a_room_have_one_number(scripted: Scripted) -> None:
    first = scripted.export()
    second = export(replace(scripted.amended(name="others"), run="sums"))
    scripted.amended(name="sums")
    elsewhere = Scripted(scripted.room.folder, store="elsewhere.duckdb", keep="answer = 'pass'")
    elsewhere.attempt(3)
    third = elsewhere.export()
    assert [one.name.split("-")[0] for one in (first, second, third)] == ["v1", "v2", "v3"]
    assert first.name.split("-")[1] == second.name.split("-")[1], "the same rows under the same selection"


def test_the_content_is_that_of_the_rows_in_their_order(scripted: Scripted) -> None:
    made = scripted.export()
    table, recipe = pq.read_table(made.folder / DATA), scripted.room.recipe
    content = content_hash({"train": table}, recipe, {"answer": "1"})
    assert content == content_hash({"train": table.combine_chunks()}, recipe, {"answer": "1"})
    turned = table.take(list(reversed(range(table.num_rows))))
    renamed = table.rename_columns([*table.column_names[:-1], "verdict_other"])
    other = recipe.model_copy(update={"keep": "answer = 'pass' AND true"})
    for different in (
        content_hash({"train": turned}, recipe, {"answer": "1"}),
        content_hash({"train": renamed}, recipe, {"answer": "1"}),
        content_hash({"validation": table}, recipe, {"answer": "1"}),
        content_hash({"train": table}, other, {"answer": "1"}),
        content_hash({"train": table}, recipe, {"answer": "2"}),
    ):
        assert different != content


@pytest.mark.parametrize("change", [None, empty, "card"])
def test_a_version_from_before_is_checked_under_the_old_rule(scripted: Scripted, change: object) -> None:
    """Then the hash covered the card, without the version's name, and the bytes of the files."""
    made = scripted.export()
    nameless = "---\npretty_name: sums\n---\n# sums \n\nA card of another release.\n"
    digest = hashlib.sha256(nameless.encode())
    digest.update((made.folder / DATA).name.encode() + (made.folder / DATA).read_bytes())
    name = f"v9-{digest.hexdigest()[:8]}"
    folder = Path(shutil.copytree(made.folder, made.folder.with_name(name)))
    (folder / "README.md").write_text(nameless.replace("# sums \n", f"# sums {name}\n"))
    with scripted.store.write() as connection:
        connection.execute(
            "UPDATE dataset_versions SET version = ?, content = ?, files = NULL, card = NULL, facts = NULL",
            [name, digest.hexdigest()],
        )
    if change is empty:
        empty(folder)
    elif change:
        (folder / "README.md").write_text("# sums\n")
    if change is None:
        check_version(scripted.store, folder, to_publish=True)
    else:
        with pytest.raises(InputError, match="is not what was exported"):
            check_version(scripted.store, folder)


def test_a_version_that_the_store_does_not_know_is_not_pushed(scripted: Scripted) -> None:
    made = scripted.export()
    copy = shutil.copytree(made.folder, made.folder.with_name("v7-00000000"))
    done = inside("push", copy, "me/set", "--dry-run")
    assert (done.returncode, "the store has no such version" in done.stderr) == (2, True)
    outside = shutil.copytree(made.folder, scripted.room.folder.parent / made.name)
    done = inside("push", outside, "me/set", "--dry-run")
    assert (done.returncode, "it is not compared" in done.stderr) == (0, True)
    done = inside("push", outside, "me/set", "--dry-run", "--store", scripted.store.path)
    assert (done.returncode, done.stderr) == (0, "")


# What a version holds under the wider values of `export.draw_on`.


@pytest.fixture
def mixed(tmp_path: Path) -> Scripted:
    """A room whose recipe has changed: its prompt, its temperature, and it rationalizes no more."""
    made = Scripted(tmp_path / "sums", keep="answer = 'pass' AND hint_leak <> 'fail'", prompt={"system": "Old words."})
    made.notes["recipe"] = made.room.recipe.hash
    for place in (0, 1):
        made.attempt(place, reasoned(made.questions[place]), recipe=made.room.recipe.hash)
    made.attempt(2, reasoned(made.questions[2]), kind="rationalized", recipe=made.room.recipe.hash)
    made.attempt(3, run="another", recipe="r" * 16)
    made.verify()
    made.room = made.amended(prompt={"system": "New words."}, sample={"k": 4, "temperature": 0.2}, rationalize={"k": 0})
    with made.store.writer():
        record_prompts(made.store, made.room.run, made.room.prompter)
    made.attempt(0, "By the new words. The answer is 5.", sample_index=0, recipe=made.room.recipe.hash)
    made.verify()
    return made


def rows_of(version: Version) -> list[dict]:
    return pl.read_parquet(version.folder / DATA).to_dicts()


def test_by_default_a_version_holds_only_what_its_recipe_asks_for(mixed: Scripted) -> None:
    (row,) = rows_of(export(mixed.room))
    assert row["messages"][0]["content"] == "New words."
    assert row["rationale"] == "By the new words. The answer is 5."
    assert "recipe" not in row


@pytest.mark.parametrize(("draw_on", "runs"), [("run", 1), ("store", 2)])
def test_a_wider_version_tells_how_each_row_was_made(mixed: Scripted, draw_on: str, runs: int) -> None:
    room = mixed.amended(export={"draw_on": draw_on})
    version = export(room)
    rows = rows_of(version)
    stored = {row["key"]: row for row in mixed.store.sql("SELECT * FROM attempts").to_dicts()}
    assert len({stored[row["attempt"]]["run"] for row in rows}) == runs
    assert len(rows) == 3 + runs
    for row in rows:
        attempt = stored[row["attempt"]]
        for column in ("prompt", "parameters", "model", "weights", "recipe", "kind"):
            assert row[column] == attempt[column]
        new = json.loads(row["parameters"])["temperature"] == 0.2
        assert row["messages"][0] == {"role": "system", "content": "New words." if new else "Old words."}
        assert row["messages"][1] == {"role": "user", "content": row["question"]}, "without the hint and the examples"
        assert len(row["messages"]) == 3
    card = (version.folder / "README.md").read_text(encoding="utf-8")
    assert f"`export.draw_on: {draw_on}`" in card
    assert "samples per question" not in card
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["size_categories"] == ["n<1K"]
    ((facts,),) = mixed.store.sql("SELECT facts FROM dataset_versions WHERE version = ?", [version.name]).rows()
    assert sum(one["rows"] for one in json.loads(facts)["made_with"]) == len(rows)


def test_with_examples_the_conversation_has_the_ones_it_was_made_under(mixed: Scripted) -> None:
    rows = rows_of(export(mixed.amended(export={"draw_on": "store", "examples": True})))
    assert {len(row["messages"]) for row in rows} == {7}


def test_in_one_text_the_examples_are_left_out_as_well(tmp_path: Path) -> None:
    made = Scripted(tmp_path / "sums", keep="answer = 'pass'", prompt={"style": "completion", "system": "Old."})
    made.attempt(0)
    made.attempt(2, reasoned(made.questions[2]), kind="rationalized")
    made.verify()
    rows = rows_of(export(made.amended(prompt={"style": "chat", "system": "New."}, export={"draw_on": "store"})))
    assert [row["messages"][0]["content"] for row in rows] == [
        f"Old.\n\nQ: {made.questions[place].text}\nA:" for place in (0, 2)
    ]


def test_what_nothing_tells_the_conversation_of_is_left_out(mixed: Scripted) -> None:
    """As in a store from before forms were recorded, whose template has changed since."""
    with mixed.store.write() as connection:
        connection.execute("DELETE FROM asked_prompts")
        connection.execute("DELETE FROM prompt_forms")
        connection.execute("UPDATE rounds SET recipe = '{}'")
    rows = rows_of(export(mixed.amended(export={"draw_on": "store"})))
    assert {row["kind"] for row in rows} == {"sampled"}
    assert sorted(row["messages"][0]["content"] for row in rows) == ["New words.", *["Old words."] * 3]
    assert {len(row["messages"]) for row in rows} == {3}
