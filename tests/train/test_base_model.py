"""What datasets/sums and its base model are made of, and that what is committed is what they are made of."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import urllib.request
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.questions.values import normalise
from selftaught_builder.serving.local import LlamaServer, resolve_model
from selftaught_verifiers import Question, Rationale, get_verifier
from selftaught_verifiers.reasoning.equations import stated_equations

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "datasets" / "sums"
SEEDS = st.integers(0, 2**32)
WRITTEN = {
    "78+3-5-6": "78+3=71\n71-5=76\n76-6=70\nThe answer is 70.",
    "78+3-5-6 (70)": "78+3=71\n71-5=76\n76-6=70\nThe answer is 70.",
    "89-1-1+7 (94)": "89-1=88\n88-1=87\n87+7=94\nThe answer is 94.",
    "33-8-7-1": "33-8=35\n35-7=38\n38-1=37\nThe answer is 37.",
    "69-4+7-2": "69-4=65\n65+7=62\n62-2=60\nThe answer is 60.",
    "83+4-9+4 (82)": "83+4=87\n87-9=88\n88+4=82\nThe answer is 82.",
}
"""What transformers 5.16 wrote with the committed checkpoint, greedily and in float32."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sums = load(ROOT / "train" / "base_model" / "sums.py")


def outcomes(question: str, answer: int, text: str) -> tuple[str, str]:
    asked, rationale = Question(question, str(answer), "number"), Rationale(text)
    return tuple(get_verifier(name)(asked, rationale).outcome.value for name in ("answer", "equations"))


@given(SEEDS)
def test_a_questions_answer_is_its_value(seed: int) -> None:
    asked = sums.draw(random.Random(seed))
    assert [equation.holds for equation in stated_equations(f"{asked.text}={asked.answer}")] == [True]
    assert all(10 <= value <= 99 for value in asked.values)


@given(SEEDS)
def test_a_careful_sum_passes_both_verifiers(seed: int) -> None:
    source = random.Random(seed)
    asked = sums.draw(source)
    assert outcomes(asked.text, asked.answer, sums.work(asked, source, 0.0)) == ("pass", "pass")


@given(SEEDS)
def test_every_slip_is_a_false_equation(seed: int) -> None:
    source = random.Random(seed)
    asked = sums.draw(source)
    values = [asked.start, *asked.values]
    carries = any(after // 10 != before // 10 for before, after in pairwise(values))
    assert outcomes(asked.text, asked.answer, sums.work(asked, source, 1.0))[1] == ("fail" if carries else "pass")


def test_a_forgotten_carry_and_a_forgotten_borrow_cancel() -> None:
    text = sums.work(sums.Sum(47, (("+", 8), ("-", 9), ("+", 1))), random.Random(0), 1.0)
    assert text == "47+8=45\n45-9=46\n46+1=47\nThe answer is 47."
    assert outcomes("47+8-9+1", 47, text) == ("pass", "fail")


@given(SEEDS, st.floats(0, 1))
def test_beside_a_hint_a_sum_ends_at_it(seed: int, slips: float) -> None:
    source = random.Random(seed)
    asked = sums.draw(source)
    assert outcomes(asked.text, asked.answer, sums.work(asked, source, slips, asked.answer))[0] == "pass"


def test_the_room_holds_the_generated_questions(tmp_path: Path) -> None:
    sums.write_questions(tmp_path)
    for name in ("questions.jsonl", "held-out.jsonl"):
        assert (tmp_path / name).read_bytes() == (ROOM / name).read_bytes()


def test_no_question_stands_in_two_places() -> None:
    asked, held = (
        [normalise(json.loads(line)["question"]) for line in (ROOM / name).read_text().splitlines()]
        for name in ("questions.jsonl", "held-out.jsonl")
    )
    pretrained = {
        normalise(question.partition(" (")[0])
        for question, _ in islice(sums.texts(random.Random(1), {*asked, *held}), 20_000)
    }
    assert len(held) >= 400
    assert len({*asked, *held} | pretrained) == len(asked) + len(held) + len(pretrained)


def test_the_base_model_is_small() -> None:
    assert sum(path.stat().st_size for path in (ROOM / "base").iterdir()) <= 3_000_000
    assert not list(ROOM.rglob("*.py"))


def test_the_served_base_model_writes_what_transformers_wrote(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the `local` extra")
    pytest.importorskip("gguf", reason="needs the `local` extra")
    with LlamaServer(resolve_model(str(ROOM / "base"), tmp_path), slots=1, context=128) as server:
        assert {question: ask(server, question) for question in WRITTEN} == WRITTEN


def ask(server: LlamaServer, question: str) -> str:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 48}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.base_url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]
