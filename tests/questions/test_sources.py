from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.hub import HubName, parse_hub_name
from selftaught_builder.questions.sources import RowProblem, is_remote, override_source, read_rows
from selftaught_builder.recipe import Questions

ROWS = [{"question": "1 + 1?", "answer": 2}, {"question": "2 + 3?", "answer": 5}, {"question": "Drei?", "answer": 3}]


def read(room: Path, source: str | None = None, **settings: Any) -> list:
    return list(read_rows(Questions(source=source, **settings), room))


def problems(rows: list) -> dict[int, str]:
    return {number: row.detail for number, row in rows if isinstance(row, RowProblem)}


def usable(rows: list) -> dict[int, dict]:
    return {number: row for number, row in rows if not isinstance(row, RowProblem)}


def write_jsonl(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_jsonl_reports_broken_lines_by_their_number(tmp_path: Path) -> None:
    lines = [b'\xef\xbb\xbf{"q": 1}', b"", b'{"q": ', b"[1]", b'{"q": "\xff"}', b"[" * 100_000, b'{"q": "\xc3\xa4"}']
    (tmp_path / "dirty.jsonl").write_bytes(b"\n".join(lines))
    rows = read(tmp_path, "dirty.jsonl")
    assert usable(rows) == {1: {"q": 1}, 7: {"q": "ä"}}
    found = problems(rows)
    assert list(found) == [3, 4, 5, 6]
    assert "not valid JSON" in found[3]
    assert "list" in found[4]
    assert "UTF-8" in found[5]


def test_csv_reports_broken_rows_and_goes_on(tmp_path: Path) -> None:
    text = b'question,answer\n"a, b",1\nonly one cell\n\xff\xfe,2\n"two\nlines",3\n'
    (tmp_path / "q.csv").write_bytes(text)
    rows = read(tmp_path, "q.csv")
    assert usable(rows) == {
        1: {"question": "a, b", "answer": "1"},
        4: {"question": "two\nlines", "answer": "3"},
    }
    assert "1 cells under a header of 2" in problems(rows)[2]
    assert "UTF-8" in problems(rows)[3]


def test_csv_with_a_cell_beyond_the_limit_and_an_open_quote(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("q\ta\n" + "x" * 200_000 + '\t1\nfine\t2\nopen\t"3\n', encoding="utf-8")
    rows = read(tmp_path, "q.tsv")
    assert {"q": "fine", "a": "2"} in usable(rows).values()
    assert len(problems(rows)) == 2


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(QuestionError, match="`a` stands there twice"):
        read(tmp_path, "q.csv")
    with pytest.raises(QuestionError, match="`a` stands there twice"):
        read(tmp_path, query="SELECT 1 AS a, 2 AS a")


def test_parquet_keeps_nested_values_and_numbers_rows(tmp_path: Path) -> None:
    rows = [{"q": f"question {n}", "choices": {"label": ["A"], "text": [str(n)]}} for n in range(2500)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "q.parquet", row_group_size=700)
    found = read(tmp_path, "q.parquet")
    assert [number for number, _ in found] == list(range(1, 2501))
    assert found[2000][1] == rows[2000]


def test_parquet_reports_text_that_is_no_utf8(tmp_path: Path) -> None:
    broken = pa.StringArray.from_buffers(3, pa.array([0, 2, 3, 5], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xffok"))
    pq.write_table(pa.table({"q": broken}), tmp_path / "q.parquet")
    rows = read(tmp_path, "q.parquet")
    assert usable(rows) == {1: {"q": "ok"}, 3: {"q": "ok"}}
    assert list(problems(rows)) == [2]


@pytest.mark.parametrize("name", ["q.parquet", "q.duckdb"])
def test_a_file_of_another_format_is_an_input_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no such format")
    with pytest.raises(QuestionError, match=name):
        read(tmp_path, name, **({"query": "SELECT 1"} if name.endswith("duckdb") else {}))


def test_several_files_are_read_in_order_and_numbered_on(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train-1.jsonl", ROWS[2:])
    write_jsonl(tmp_path / "train-0.jsonl", ROWS[:2])
    assert read(tmp_path, "train-*.jsonl") == list(enumerate(ROWS, start=1))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("trian.jsonl", "Did you mean `train.jsonl`"),
        ("none-*.jsonl", "no such file"),
        ("elsewhere/train.jsonl", "recipe's folder"),
        ("train.xlsx", "unknown kind of file `.xlsx`"),
        ("store.duckdb", "questions.query"),
        ("https://example.org/train.jsonl", "no source of questions"),
        ("hf://gsm8k", "hf://OWNER/NAME"),
    ],
)
def test_a_wrong_source_names_the_mend(tmp_path: Path, source: str, said: str) -> None:
    for name in ("train.jsonl", "train.xlsx", "store.duckdb"):
        (tmp_path / name).touch()
    with pytest.raises(QuestionError, match=said):
        read(tmp_path, source)


def test_a_folder_is_read_by_datasets(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_jsonl(folder / "train.jsonl", ROWS)
    assert read(tmp_path, "set") == list(enumerate(ROWS, start=1))
    write_jsonl(folder / "test.jsonl", ROWS[:1])
    with pytest.raises(QuestionError, match="several splits"):
        read(tmp_path, "set")
    assert read(tmp_path, "set", split="test") == [(1, ROWS[0])]
    with pytest.raises(QuestionError, match=r"questions\.split|split"):
        read(tmp_path, "set", split="validation")


def test_a_folder_that_save_to_disk_wrote(tmp_path: Path) -> None:
    import datasets

    datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}).save_to_disk(tmp_path / "saved")
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    assert read(tmp_path, "saved", split="train") == list(enumerate(ROWS, start=1))
    assert read(tmp_path, "one") == list(enumerate(ROWS, start=1))
    with pytest.raises(QuestionError, match="Available splits"):
        read(tmp_path, "saved", split="test")


def test_an_empty_folder_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(QuestionError, match="empty"):
        read(tmp_path, "empty")


def test_a_query_over_a_duckdb_file_cannot_write_to_it(tmp_path: Path) -> None:
    with contextlib.closing(duckdb.connect(str(tmp_path / "q.duckdb"))) as connection:
        connection.execute("CREATE TABLE quiz AS SELECT range::INT AS n, {'text': 'x'} AS nested FROM range(3)")
    rows = read(tmp_path, "q.duckdb", query="SELECT * FROM quiz WHERE n > 0 ORDER BY n")
    assert rows == [(1, {"n": 1, "nested": {"text": "x"}}), (2, {"n": 2, "nested": {"text": "x"}})]
    with pytest.raises(QuestionError, match="read-only"):
        read(tmp_path, "q.duckdb", query="DELETE FROM quiz")


def test_a_query_reads_files_from_the_room_and_not_from_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, rows in (("room", ROWS), ("elsewhere", ROWS[:1])):
        (tmp_path / folder).mkdir()
        pl.DataFrame(rows).write_parquet(tmp_path / folder / "q.parquet")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read(tmp_path / "room", query="SELECT * FROM 'q.parquet'") == list(enumerate(ROWS, start=1))
    assert Path.cwd() == tmp_path / "elsewhere"


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM 'missing.csv'", "SELECT 1 / 'x'"])
def test_a_wrong_query_is_an_input_error(tmp_path: Path, query: str) -> None:
    with pytest.raises(QuestionError, match=r"questions\.query"):
        read(tmp_path, query=query)


def test_a_query_with_a_source_that_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no source but a DuckDB file"):
        read(tmp_path, "q.csv", query="SELECT 1")
    with pytest.raises(QuestionError, match="no such database"):
        read(tmp_path, "q.duckdb", query="SELECT 1")


def test_gym_gives_the_same_questions_for_the_same_source(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym")
    source = "gym://chain_sum?seed=7&size=5&min_terms=3&max_terms=3"
    first = read(tmp_path, source)
    assert first == read(tmp_path, source)
    assert [number for number, _ in first] == [1, 2, 3, 4, 5]
    assert {"question", "answer"} <= first[0][1].keys()
    assert first != read(tmp_path, source.replace("seed=7", "seed=8"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gym://chain_sums", "Did you mean chain_sum"),
        ("gym://chain_sum?terms=2", "refuses"),
        ("gym://chain_sum?size=-1", "refuses"),
    ],
)
def test_a_wrong_gym_source_names_the_mend(tmp_path: Path, source: str, said: str) -> None:
    pytest.importorskip("reasoning_gym")
    with pytest.raises(QuestionError, match=said):
        read(tmp_path, source)


def test_hub_names() -> None:
    assert parse_hub_name("hf://openai/gsm8k/main@refs/pr/3") == HubName("openai/gsm8k", "main", "refs/pr/3")
    assert parse_hub_name("hf://tau/commonsense_qa") == HubName("tau/commonsense_qa", None, None)


def test_an_offline_hub_names_the_local_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(QuestionError, match="--questions FILE"):
        read(tmp_path, "hf://selftaught-tests/there-is-none", split="train")


def test_override_keeps_the_fields_and_drops_what_belongs_to_the_source(tmp_path: Path) -> None:
    settings = Questions(source="hf://openai/gsm8k/main", split="train", answer="answer|after:####")
    write_jsonl(tmp_path / "q.jsonl", ROWS)
    local = override_source(settings, tmp_path / "q.jsonl")
    assert (local.split, local.query, local.answer) == (None, None, settings.answer)
    assert is_remote(settings)
    assert not is_remote(local)
    assert list(read_rows(local, Path("/nowhere"))) == list(enumerate(ROWS, start=1))
    assert override_source(settings, tmp_path).split == "train"
