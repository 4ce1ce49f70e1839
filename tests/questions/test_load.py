from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions import Loaded, content_hash, load_questions
from selftaught_builder.recipe import Questions


def load(folder: Path, rows: list[Any], **spec: Any) -> Loaded:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    loaded = load_questions(Questions(source=path.name, **spec), folder)
    assert loaded.rows == len(loaded.questions) + len(loaded.rejected) + loaded.beyond_limit
    return loaded


def only(folder: Path, row: dict[str, Any], **spec: Any) -> tuple[str, str, str]:
    question = load(folder, [row], **spec).questions[0]
    return question.text, question.gold, question.kind


@pytest.mark.parametrize(
    ("answer", "gold", "kind"),
    [
        ("72", "72", "number"),
        (72, "72", "number"),
        (51.0, "51", "number"),
        ("51.0", "51", "number"),
        ("1,000", "1,000", "number"),
        (0.5, "0.5", "number"),
        ("Yes", "Yes", "yesno"),
        (True, "yes", "yesno"),
        (" Paris ", "Paris", "text"),
    ],
)
def test_kind_and_gold_follow_the_answer(tmp_path: Path, answer: Any, gold: str, kind: str) -> None:
    assert only(tmp_path, {"question": "q", "answer": answer}) == ("q", gold, kind)


@pytest.mark.parametrize(
    ("spec", "row", "gold"),
    [
        ("answer|after:####", {"answer": "4 #### 5\n#### 72 "}, "72"),
        ("answer|before:(", {"answer": "12 (dollars) (sic)"}, "12"),
        ("answer|after:=|before:;|strip", {"answer": "x = 3 ; done"}, "3"),
        ("answer.text", {"answer": {"text": "9"}}, "9"),
        ("answer.text.0", {"answer": {"text": ["9", "10"]}}, "9"),
        ("answer.text", {"answer.text": "8", "answer": {"text": "9"}}, "8"),
        ("{{ a }}{{ b }}|after:-", {"a": "1-2", "b": "-3"}, "3"),
        (["answer|after:####", "answer"], {"answer": "41"}, "41"),
        (["Answer", "answer"], {"answer": "41"}, "41"),
        (["Answer", "answer"], {"Answer": None, "answer": "41"}, "41"),
    ],
)
def test_field_specifications(tmp_path: Path, spec: Any, row: dict[str, Any], gold: str) -> None:
    assert only(tmp_path, {"question": "q"} | row, answer=spec)[1] == gold


def test_a_question_template(tmp_path: Path) -> None:
    row = {"Body": "Two cats.", "Question": "How many?", "answer": 2}
    assert only(tmp_path, row, question=["missing", "{{ Body }} {{ Question }}"])[0] == "Two cats. How many?"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"answer": "answer|afer:x"}, "unknown filter `afer:x`"),
        ({"answer": "answer|after:"}, "unknown filter"),
        ({"question": "{{ Body"}, "Did you mean|no row has"),
        ({"question": "{% if %}{{ Body }}"}, r"questions\.question"),
        ({"id": " "}, "names no field"),
    ],
)
def test_a_wrong_specification_is_an_input_error(tmp_path: Path, spec: dict[str, str], said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        load(tmp_path, [{"Body": "q", "question": "q", "answer": "1"}], **spec)


LABELLED = {"label": ["1", "2", "3"], "text": ["bank", "4", "Shop"]}
LETTERED = {"A": "bank", "B": "library", "C": "shop"}
LISTED = ["bank", "library", "shop"]


@pytest.mark.parametrize(
    ("choices", "spec", "answer", "gold"),
    [
        (LETTERED, "answer", "B", "B"),
        (LETTERED, "answer", "(b)", "B"),
        (LETTERED, "answer", "Library", "B"),
        (LISTED, "answer", "shop", "C"),
        (LISTED, "answer", 0, "A"),
        (LISTED, "answer", "2", "C"),
        (LABELLED, "answer", "3", "C"),
        (LABELLED, "answer", 1, "A"),
        (LABELLED, "answer", "4", "B"),
        (["1", "0", "2"], "answer", "0", "B"),
        (["1", "0", "2"], "answer|letter", "0", "A"),
        (["1", "0", "2"], "answer", 0, "A"),
        ('["bank", "library"]', "answer", "B", "B"),
        ([{"label": "x", "text": "bank"}, {"label": "y", "text": "shop"}], "answer", "y", "B"),
        (["A)10 m", "B) 20 m"], "answer", "20 m", "B"),
        ({"A": "bank", "B": "shop", "C": None}, "answer", "B", "B"),
    ],
)
def test_an_answer_among_choices_becomes_its_letter(
    tmp_path: Path, choices: Any, spec: str, answer: Any, gold: str
) -> None:
    row = {"question": "q", "answer": answer, "options": choices}
    loaded = load(tmp_path, [row], choices="options", answer=spec)
    assert (loaded.questions[0].gold, loaded.questions[0].kind) == (gold, "letter")
    assert list(loaded.questions[0].choices) == list("ABC")[: len(loaded.questions[0].choices)]


@pytest.mark.parametrize(
    ("row", "spec", "reason"),
    [
        ([1], {}, "broken_row"),
        ({"question": "a\ud800", "answer": 1}, {}, "broken_row"),
        ({"question": "a\0", "answer": 1}, {}, "broken_row"),
        ({"question": ["a"], "answer": 1}, {}, "broken_row"),
        ({"question": "a"}, {}, "missing_field"),
        ({"answer": "1"}, {"question": "{{ question }}"}, "missing_field"),
        ({"question": "  ", "answer": "1"}, {}, "empty_question"),
        ({"question": None, "answer": "1"}, {}, "empty_question"),
        ({"question": "a", "answer": ""}, {}, "empty_answer"),
        ({"question": "a", "answer": None}, {}, "empty_answer"),
        ({"question": "a", "answer": "four apples?"}, {"kind": "number"}, "answer_unparsable"),
        ({"question": "a", "answer": "perhaps"}, {"kind": "yesno"}, "answer_unparsable"),
        ({"question": "a", "answer": "AB"}, {"kind": "letter"}, "answer_unparsable"),
        ({"question": "a", "answer": "7"}, {"answer": ["{{ question }}|after:is", "gone"]}, "answer_unparsable"),
        ({"question": 1, "answer": "7"}, {"question": "{{ question + '' }}"}, "template_failed"),
        ({"question": "what  IS\tfine", "answer": "1"}, {}, "duplicate"),
        ({"question": "What is fine", "answer": "2"}, {}, "conflicting_duplicate"),
    ],
)
def test_rejections_by_reason(tmp_path: Path, row: Any, spec: dict[str, Any], reason: str) -> None:
    good = {"letter": "A", "yesno": "no"}.get(spec.get("kind", ""), "1")
    loaded = load(tmp_path, [{"question": "What is fine", "answer": good}, row], **spec)
    assert [(rejected.row, rejected.reason) for rejected in loaded.rejected] == [(2, reason)]
    assert loaded.reasons == {reason: 1}


@pytest.mark.parametrize(
    ("choices", "answer", "reason"),
    [
        (["x"], "A", "bad_choices"),
        ([str(n) for n in range(27)], "A", "bad_choices"),
        (["x", ""], "A", "bad_choices"),
        ("x or y", "A", "bad_choices"),
        (3, "A", "bad_choices"),
        ({"label": ["A"], "text": ["x", "y"]}, "A", "bad_choices"),
        (["x", "y"], "C", "answer_unparsable"),
        (["x", "x"], "x", "answer_unparsable"),
        (["x", "y"], 2, "answer_unparsable"),
    ],
)
def test_unusable_choices(tmp_path: Path, choices: Any, answer: Any, reason: str) -> None:
    good = {"question": "good", "choices": ["x", "y"], "answer": "A"}
    loaded = load(tmp_path, [good, {"question": "q", "choices": choices, "answer": answer}], choices="choices")
    assert loaded.reasons == {reason: 1}


def test_the_same_words_with_other_choices_are_another_question(tmp_path: Path) -> None:
    rows = [
        {"question": "Where?", "choices": ["bank", "shop"], "answer": "A"},
        {"question": "Where?", "choices": ["bank", "park"], "answer": "A"},
        {"question": "where?", "choices": ["shop", "bank"], "answer": "B"},
        {"question": "Where?", "choices": ["shop", "bank"], "answer": "A"},
    ]
    loaded = load(tmp_path, rows, choices="choices")
    assert [question.row for question in loaded.questions] == [1, 2]
    assert [rejected.reason for rejected in loaded.rejected] == ["duplicate", "conflicting_duplicate"]


def test_equal_numbers_written_differently_do_not_conflict(tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": "1,000"}, {"question": "Q", "answer": "1000"}]
    assert load(tmp_path, rows).reasons == {"duplicate": 1}


def test_a_field_that_no_row_has_names_the_ones_there_are(tmp_path: Path) -> None:
    rows = [{"question": "a", "anwser": "1", "extra": 2}, {"question": "b", "anwser": "2"}]
    with pytest.raises(QuestionError) as raised:
        load(tmp_path, rows)
    said = str(raised.value)
    for part in ("`answer`", "questions.answer", "did you mean `anwser`", "`extra`", "rows.jsonl"):
        assert part in said


def test_no_usable_question_says_why(tmp_path: Path) -> None:
    rows = [{"question": "a", "answer": ""}, {"question": "", "answer": "1"}, {"question": "b", "answer": ""}]
    with pytest.raises(QuestionError, match="2 empty_answer, 1 empty_question"):
        load(tmp_path, rows)
    with pytest.raises(QuestionError, match="holds no rows"):
        load(tmp_path, [])


def test_meta_holds_the_other_fields_and_survives_json(tmp_path: Path) -> None:
    kept = {"n": 3, "s": "x", "l": [1, {"a": None}]}
    row = {"question": "q", "answer": 1, **kept, "nan": float("nan"), "bad": "\ud800", "worse": ["\ud800"]}
    assert load(tmp_path, [row]).questions[0].meta == {**kept, "nan": "nan"}


def test_id_is_the_field_or_the_row_number(tmp_path: Path) -> None:
    rows = [{"question": "a", "answer": 1, "key": "x-1"}, {"question": "b", "answer": 1, "key": 2}]
    assert [question.id for question in load(tmp_path, rows, id="key").questions] == ["x-1", "2"]
    assert [question.id for question in load(tmp_path, rows).questions] == ["1", "2"]


def test_long_questions_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{"question": "x" * 20, "answer": "1"}, {"question": "y" * 21, "answer": "2"}]
    loaded = load(tmp_path, rows, longest=20)
    assert [question.gold for question in loaded.questions] == ["1"]
    assert [(problem.row, problem.reason) for problem in loaded.rejected] == [(2, "too_long")]


def test_shuffle_then_limit_is_repeatable(tmp_path: Path) -> None:
    rows = [{"question": f"question {n}", "answer": n} for n in range(50)]
    loaded = load(tmp_path, rows, shuffle=5, limit=10)
    order = list(range(1, 51))
    random.Random(5).shuffle(order)
    assert [question.row for question in loaded.questions] == order[:10]
    assert (loaded.rows, loaded.beyond_limit) == (50, 40)
    assert [question.row for question in load(tmp_path, rows, limit=3).questions] == [1, 2, 3]


def test_templates_are_sandboxed(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="template_failed"):
        load(tmp_path, [{"question": "q", "answer": 1}], question="{{ question.__class__.__mro__ }}")


def test_the_hash_is_of_the_content_alone() -> None:
    choices = {"A": "x", "B": "y"}
    assert content_hash("q", "A", "letter", choices) == "10a813d77e71bd206bcc086f964518a3"
    assert content_hash("q", "B", "letter", choices) != content_hash("q", "A", "letter", choices)


ROW = st.fixed_dictionaries(
    {"question": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), "answer": st.integers()},
    optional={"extra": st.text(max_size=5), "other": st.floats(allow_nan=False)},
).filter(lambda row: row["question"].strip())
IN_TMP_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@IN_TMP_PATH
@given(row=ROW, order=st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_order_of_fields(tmp_path: Path, row: dict, order: random.Random) -> None:
    items = list(row.items())
    order.shuffle(items)
    first, second = load(tmp_path, [row]), load(tmp_path, [dict(items)])
    assert first.questions[0].hash == second.questions[0].hash


DIRTY = st.one_of(
    st.binary(max_size=20).filter(lambda line: b"\n" not in line),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=8), st.lists, max_leaves=4).map(
        lambda value: json.dumps(value).encode()
    ),
    st.dictionaries(
        st.sampled_from(["question", "answer", "x"]), st.none() | st.integers(0, 3) | st.text(max_size=2)
    ).map(lambda row: json.dumps(row).encode()),
)


@IN_TMP_PATH
@given(lines=st.lists(DIRTY, max_size=30), limit=st.none() | st.integers(1, 5), shuffle=st.none() | st.integers(0, 9))
def test_every_row_is_accounted_for(tmp_path: Path, lines: list[bytes], limit: int | None, shuffle: int | None) -> None:
    content = [b'{"question": "sure", "answer": 1}', *lines]
    (tmp_path / "dirty.jsonl").write_bytes(b"\n".join(content))
    loaded = load_questions(Questions(source="dirty.jsonl", limit=limit, shuffle=shuffle), tmp_path)
    assert loaded.rows == len(loaded.questions) + len(loaded.rejected) + loaded.beyond_limit
    assert loaded.rows == sum(1 for line in content if line.strip(b" \t\r\n\xef\xbb\xbf"))
    numbers = [each.row for each in loaded.questions] + [each.row for each in loaded.rejected]
    assert len(set(numbers)) == len(numbers)
    json.dumps([[each.text, each.meta] for each in loaded.questions], allow_nan=False).encode()
