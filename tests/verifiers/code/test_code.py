from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, Verdict, get_verifier, sandbox
from selftaught_verifiers.code.code import find_program, split_tests

DOUBLE = Question("Write a function that doubles.", "assert f(1) == 2\nassert f(4) == 8\nassert f('a') == 'aa'", "code")
ECHO = Question(
    "Read two numbers, print their sum.",
    "",
    "code",
    meta={"cases": [{"input": "1 2\n", "output": "3\n"}, {"input": "4 5\n", "output": "9\n"}]},
)

needs_sandbox = pytest.mark.skipif(
    not sandbox.fenced(sandbox.working()), reason="nothing takes the network from a program on this machine"
)


def judge(program: str, question: Question = DOUBLE, **options: object) -> Verdict:
    return judge_text(f"We write it down.\n```python\n{program}\n```\nThat is all.", question, **options)


def judge_text(text: str, question: Question = DOUBLE, **options: object) -> Verdict:
    verdict = get_verifier("code").configured(options)(question, Rationale(text))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    json.dumps(dict(verdict.detail))
    verdict.reason.encode()
    return verdict


# -- which block is the program -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na\n```", "a\n"),
        ("```\na\n```", "a\n"),
        ("```Py\na\n```\nthen\n```python3\nb\n\nc\n```\nprints\n```text\nd\n```\n", "b\n\nc\n"),
        ("```js\na\n```\n```\nb\n```", "b\n"),
        ("~~~python\na\n```\nb\n~~~", "a\n```\nb\n"),
        ("````python\na\n```\nb\n````", "a\n```\nb\n"),
        ("1. So:\n   ```python\n   if a:\n       b\n   ```", "if a:\n    b\n"),
        ("```python\na\nb", "a\nb\n"),
        ("```{.python}\na\n```", "a\n"),
        ("```python title='x'\r\na\n```", "a\n"),
        ("no program, only `a` and ```b```", None),
        ("", None),
    ],
)
def test_the_last_python_block_is_the_program(text: str, program: str | None) -> None:
    assert find_program(text) == program


@given(st.text(alphabet="`~ python\na\t", max_size=60))
def test_any_text_is_read(text: str) -> None:
    program = find_program(text)
    assert program is None or program.endswith("\n")
    if "```" not in text and "~~~" not in text:
        assert program is None


@given(st.lists(st.sampled_from(["x = 1", "f(2)", "return 3", "# ok", "", "    indented"]), min_size=1, max_size=8))
@settings(max_examples=50)
def test_a_fenced_program_comes_back(lines: list[str]) -> None:
    lines = ["def f():", *lines]
    assert find_program("So.\n```python\n" + "\n".join(lines) + "\n```\nDone.").split("\n") == [
        "" if line.isspace() else line for line in lines
    ] + [""]


def test_tests_are_taken_apart_with_what_prepares_them() -> None:
    source = (
        "import math\nassert f(1) == 2; assert f(2) == math.pi\n\ndef check(g):\n    assert g(3)\n\ncheck(f)\nx = 1\n"
    )
    assert split_tests(source) == (
        "import math\nassert f(1) == 2",
        "assert f(2) == math.pi",
        "def check(g):\n    assert g(3)\ncheck(f)",
    )


# -- verdicts -------------------------------------------------------------------------------------------------------


@needs_sandbox
def test_a_right_program_passes_all_its_tests() -> None:
    verdict = judge("def f(x):\n    return x * 2")
    assert (verdict.outcome, verdict.reason, verdict.score) == (Outcome.PASS, "passed", 1.0)
    assert (verdict.detail["passed"], verdict.detail["of"]) == (3, 3)
    assert "rlimits" in verdict.detail["isolation"]


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "passed", "reason"),
    [
        ("def f(x):\n    return 2 * x + 0", 2, "failed: assert f('a') == 'aa' (TypeError: can only concatenate str"),
        ("def f(x):\n    return 2", 1, "failed: assert f(4) == 8"),
        ("def g(x):\n    return 2 * x", 0, "failed: assert f(1) == 2 (NameError: name 'f' is not defined)"),
        ("def f(x):\n    while x == 4: pass\n    return 2 * x", 1, "timeout"),
        ("def f(x):\n    return [x] * 10**10", 0, "memory"),
        ("x = bytearray(10**10)", 0, "memory"),
        ("while True: print('x' * 1000)", 0, "output"),
        ("def f(x) return 2 * x", 0, "crashed: SyntaxError"),
        ("import numpy", 0, "crashed: ModuleNotFoundError: No module named 'numpy'"),
        ("import ctypes; ctypes.string_at(0)", 0, "crashed: SIGSEGV"),
    ],
)
def test_what_is_wrong_is_said(program: str, passed: int, reason: str) -> None:
    verdict = judge(program, seconds=2.0)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason.startswith(reason), verdict.reason
    assert verdict.score == pytest.approx(passed / 3)


CHEATS = [
    "import sys; sys.exit(0)",
    "import os; os._exit(0)",
    "exit()",
    "raise SystemExit",
    "print('passed', 3, 'of', 3)",
    "def f(x):\n    import os; os._exit(0)",
    "def f(x):\n    raise SystemExit(0)",
    "import builtins\nbuiltins.AssertionError = KeyboardInterrupt",
    "import builtins\nbuiltins.BaseException = SystemExit\nAssertionError = int\nBaseException = int",
    "import builtins\nbuiltins.exec = lambda *a: None\nbuiltins.compile = lambda *a: None\ndef f(x): return 0",
    "import builtins\nbuiltins.__import__ = None\nbuiltins.type = lambda x: int\ndef f(x): return 0",
    "import os, sys\nsys.modules['os'].write = lambda *a: 1\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 0",
    "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0",
    "class A:\n    def __eq__(self, other): return True\ndef f(x): return A()",
    "class A(int):\n    def __eq__(self, other): return 1\ndef f(x): return A()",
    "class A(str):\n    __eq__ = lambda self, other: True\n    __hash__ = str.__hash__\ndef f(x): return [A()]",
    "import unittest.mock\ndef f(x): return unittest.mock.ANY",
    "import os\nfor d in range(3, 64):\n  try: os.write(d, b'{\"test\": 0}\\n')\n  except OSError: pass",
    "import threading, os\nthreading.Thread(target=os._exit, args=(0,)).start()\ndef f(x): return 0",
    "import sys\nsys.settrace(lambda *a: None)\nsys.setrecursionlimit(5)\ndef f(x): return 0",
    "import signal, os\nsignal.alarm(1)\ndef f(x):\n    while True: pass",
]


@needs_sandbox
@pytest.mark.parametrize("program", CHEATS)
def test_cheap_tricks_pass_nothing(program: str) -> None:
    question = Question("Write f.", "assert f(1) == 2\nassert [f(4)] == [8]\nassert f('a') == 'aa'", "code")
    verdict = judge(program, question, seconds=3.0)
    assert verdict.outcome is Outcome.FAIL, verdict
    assert verdict.score == 0.0


@needs_sandbox
def test_an_honest_class_may_have_its_own_equality() -> None:
    program = """
from dataclasses import dataclass
from collections import namedtuple
@dataclass(frozen=True)
class P:
    x: int
class Q:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
T = namedtuple("T", "a b")
"""
    question = Question(
        "", "assert P(1) == P(1)\nassert {Q(1).x: [Q(2)]} == {1: [Q(2)]}\nassert T(1, 2) == (1, 2)", "code"
    )
    assert judge(program, question).outcome is Outcome.PASS
    assert judge(program, Question("", "assert P(1) == P(2)", "code")).reason == "failed: assert P(1) == P(2)"


@needs_sandbox
def test_a_main_block_does_not_run_under_assertions() -> None:
    assert (
        judge("def f(x):\n    return x * 2\nif __name__ == '__main__':\n    print(f(int(input())))").outcome
        is Outcome.PASS
    )


@needs_sandbox
@pytest.mark.parametrize(
    "meta",
    [
        {"tests": ["assert f(2) == 4", "assert f(0) == 0"]},
        {"tests": '["assert f(2) == 4", "assert f(0) == 0"]'},
        {"tests": "assert f(2) == 4\nassert f(0) == 0"},
        {"tests": ["assert f(two) == 4", "assert f(0) == 0"], "setup": "two = 2"},
        {"tests": "def check(g):\n    assert g(2) == 4\n    assert g(3) == 6\ncheck(f)\nassert f(0) == 0"},
    ],
)
def test_tests_in_the_meta_come_before_the_gold(meta: dict) -> None:
    question = Question("", "a reference solution", "code", meta=meta)
    verdict = judge("def f(x):\n    return x * 2", question)
    assert (verdict.outcome, verdict.detail["of"]) == (Outcome.PASS, 2)
    assert judge("def f(x):\n    return 4", question).score == 0.5 if "check" not in str(meta) else True


@needs_sandbox
@pytest.mark.parametrize(
    "program",
    [
        "print(sum(map(int, input().split())))",
        "import sys\nif __name__ == '__main__':\n    print(sum(map(int, sys.stdin.read().split())), end='  \\n\\n')",
        "import atexit, os\nout = input().replace(' ', '+')\natexit.register(lambda: os.write(1, b'%d' % eval(out)))",
        "print(sum(map(int, input().split())))\nexit()",
        "import os\nprint(sum(map(int, input().split())), flush=True)\nos._exit(0)",
    ],
)
def test_cases_compare_what_is_printed(program: str) -> None:
    verdict = judge(program, ECHO)
    assert (verdict.outcome, verdict.reason, verdict.score) == (Outcome.PASS, "passed", 1.0)


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "score", "reason"),
    [
        ("print(3)", 0.5, "failed: case 2 of 2 printed '3'"),
        ("print('3 4')", 0.0, "failed: case 1 of 2 printed '3 4'"),
        ("print(sum(map(int, input().split())))\n1/0", 0.0, "crashed: ZeroDivisionError: division by zero"),
        ("print(sum(map(int, input().split())))\nexit(1)", 0.0, "crashed: exit code 1"),
        ("input(); input()", 0.0, "crashed: EOFError"),
        ("while True: pass", 0.0, "timeout"),
        ("", 0.0, "failed: case 1 of 2 printed ''"),
    ],
)
def test_cases_that_fail_say_how(program: str, score: float, reason: str) -> None:
    verdict = judge(program, ECHO, seconds=0.5)
    assert (verdict.outcome, verdict.score) == (Outcome.FAIL, score)
    assert verdict.reason.startswith(reason)


@needs_sandbox
def test_cases_may_be_lists_of_lines_and_json() -> None:
    meta = {"cases": json.dumps([{"input": ["1", "2"], "output": ["3"]}])}
    question = Question("", "", "code", meta=meta)
    assert judge("print(int(input()) + int(input()))", question).outcome is Outcome.PASS


# -- what is no program, or no question -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("I do not know.", Outcome.FAIL, "no_program"),
        ("", Outcome.FAIL, "no_program"),
        ("<think>```python\ndef f(x): return 2*x\n```", Outcome.FAIL, "unclosed_think"),
        ("<think>```python\ndef f(x): return 2*x\n```</think> done", Outcome.FAIL, "no_program"),
    ],
)
def test_no_program(text: str, outcome: Outcome, reason: str) -> None:
    verdict = judge_text(text)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (Question("", "18", "number"), "not_code"),
        (Question("", "assert f(", "code"), "gold_unparsable"),
        (Question("", "assert " + "(" * 5000, "code"), "gold_unparsable"),
        (Question("", "", "code", meta={"cases": [{"input": "1"}]}), "gold_unparsable"),
        (Question("", "", "code", meta={"tests": ["assert ("]}), "gold_unparsable"),
        (Question("", "x = 1", "code"), "no_tests"),
        (Question("", "", "code"), "no_tests"),
    ],
)
def test_a_question_without_usable_tests_is_unscorable(question: Question, reason: str) -> None:
    verdict = judge("def f(x): return 2", question)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, reason)


def test_without_a_sandbox_nothing_is_judged_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.outside, "working", lambda: ())
    verdict = judge("def f(x): return x * 2")
    assert verdict.outcome is Outcome.UNSCORABLE
    assert verdict.reason.startswith("no sandbox")
    verdict = judge("def f(x): return x * 2", unsafe=True)
    assert verdict.outcome is Outcome.PASS
    assert verdict.detail["isolation"] == ["rlimits"]


def test_the_answer_to_a_question_for_a_program_is_one_that_passes_its_tests() -> None:
    question = Question("Double it.", "assert double(2) == 4", "code")
    answer = get_verifier("answer")
    right = answer(question, Rationale("It adds.\n```python\ndef double(x):\n    return x + x\n```"))
    wrong = answer(question, Rationale("```python\ndef double(x):\n    return x\n```"))
    assert (right.outcome, right.detail["strict"]) == (Outcome.PASS, "pass")
    assert (wrong.outcome, wrong.detail["strict"]) == (Outcome.FAIL, "fail")
