"""The row verifier `code`: does the program that a rationale ends with pass its tests?

The tests come with the question: Python assertions (MBPP, Austin et al. 2021, arXiv 2108.07732), or inputs with their
outputs (APPS, Hendrycks et al. 2021, arXiv 2105.09938). The program runs in `sandbox`, behind what that module says
it can and cannot prevent.

An assertion holds only where code that runs after it says so under a token that the program was not given: leaving
early, printing, or another `AssertionError` passes nothing, nor does a result that equals everything. The program and
its assertions share one process, though, so a program that reads this package's source and searches the interpreter's
frames can pass without solving anything. Inputs with outputs have no such gap: the outputs never enter the program's
process.
"""

from __future__ import annotations

import ast
import json
import re
import signal
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from selftaught_verifiers.sandbox import Finished, NoSandbox, run
from selftaught_verifiers.text.extract import MAX_LENGTH, without_thinking
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

_PYTHON = frozenset({"python", "python3", "py", "py3"})
_FENCE = re.compile(r"\s*+(`{3,}+|~{3,}+)([^`]*+)")
_MEGABYTE = 1 << 20


@row_verifier("code", version="1")
def judge(
    question: Question, rationale: Rationale, *, seconds: float = 5.0, memory: int = 512, unsafe: bool = False
) -> Verdict:
    """Pass where the completion's last fenced Python block (else its last fenced block) passes all tests.

    For questions of the kind `code`. The tests are the meta field `tests` (a list of pieces of Python, or one text)
    with `setup` before them, or `cases` (a list of {"input", "output"}), or else the gold answer as Python. Of a text
    each top-level `assert` or call is a test. Outputs are equal but for spaces at the ends of lines and empty lines
    at the end. The standard library is all that a program can import.

    The score is the share of tests that passed, the detail has `passed` and `of`, and the `isolation` that held. The
    reason is `passed`, `failed: TEST`, `timeout`, `memory`, `output` (too much of it), `crashed: ERROR`, `no_program`
    or `unclosed_think`; of unscorable ones `not_code`, `no_tests`, `gold_unparsable` or `no sandbox: WHY`.

    Options:
        seconds: for all assertions together, or for each case; after a case that took longer, no more are run.
        memory: MiB of address space.
        unsafe: run programs even where nothing takes the network from them.
    """
    if question.kind != "code":
        return Verdict(Outcome.UNSCORABLE, "not_code")
    try:
        tests, cases = _tests(question)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return Verdict(Outcome.UNSCORABLE, "gold_unparsable")
    if not tests and not cases:
        return Verdict(Outcome.UNSCORABLE, "no_tests")
    visible = without_thinking(rationale.completion)
    if visible is None:
        return Verdict(Outcome.FAIL, "unclosed_think")
    program = find_program(visible[-MAX_LENGTH:])
    if program is None:
        return Verdict(Outcome.FAIL, "no_program")
    limits = {"seconds": seconds, "memory": memory * _MEGABYTE, "unsafe": unsafe}
    try:
        result = _assertions(program, tests, limits) if tests else _cases(program, cases, limits)
    except NoSandbox as error:
        return Verdict(Outcome.UNSCORABLE, f"no sandbox: {error}"[:300])
    of = len(tests or cases)
    outcome = Outcome.PASS if result.passed == of else Outcome.FAIL
    detail = {"passed": result.passed, "of": of, "isolation": list(result.isolation)}
    return Verdict(outcome, result.reason[:300], score=result.passed / of, detail=detail)


def find_program(text: str) -> str | None:
    """Return the last fenced Python block of Markdown, else the last fenced block, else None.

    A block that is never closed goes to the end: a server may have stopped at the closing fence.
    """
    blocks: list[tuple[str, list[str]]] = []
    closing = ""
    for line in text.split("\n"):
        match = _FENCE.fullmatch(line.rstrip())
        if closing:
            if match and not match[2] and match[1].startswith(closing):
                closing = ""
            else:
                blocks[-1][1].append(line)
        elif match:
            closing = match[1]
            words = match[2].split()
            blocks.append((words[0].strip("{}.").lower() if words else "", []))
    best = next((lines for name, lines in reversed(blocks) if name in _PYTHON), blocks[-1][1] if blocks else None)
    return None if best is None else textwrap.dedent("\n".join(best)) + "\n"


@dataclass(frozen=True, slots=True)
class _Result:
    passed: int
    reason: str
    isolation: Sequence[str]


def _assertions(program: str, tests: Sequence[str], limits: Mapping[str, Any]) -> _Result:
    finished = run(program, tests=tests, **limits)
    passed = sum(not error for error in finished.tests.values())
    reason = "passed" if passed == len(tests) else _trouble(finished) or _failure(finished, tests)
    return _Result(passed, reason, finished.isolation)


def _failure(finished: Finished, tests: Sequence[str]) -> str:
    for number, error in sorted(finished.tests.items()):
        if error:
            test = " ".join(tests[number].split())[:200]
            return f"failed: {test}" + ("" if error == "AssertionError" else f" ({error})")
    return "crashed: it ended before its tests"


def _cases(program: str, cases: Sequence[tuple[str, str]], limits: Mapping[str, Any]) -> _Result:
    passed, reason, isolation = 0, "", ()
    for number, (given, expected) in enumerate(cases, 1):
        finished = run(program, stdin=given, **limits)
        isolation = finished.isolation
        trouble = _trouble(finished)
        if not trouble and _lines(finished.stdout) == _lines(expected):
            passed += 1
            continue
        got = finished.stdout.strip().encode("unicode_escape").decode()[:100]
        reason = reason or trouble or f"failed: case {number} of {len(cases)} printed {got!r}"
        if finished.end == "timeout":
            break
    return _Result(passed, reason or "passed", isolation)


def _trouble(finished: Finished) -> str:
    """What ended the program other than its own end, "" where nothing did."""
    if finished.end in ("timeout", "output"):
        return finished.end
    if finished.out_of_memory:
        return "memory"
    if finished.raised:
        return f"crashed: {finished.raised}"
    if finished.end == "signal":
        return f"crashed: {_signal_name(finished.code)}"
    return f"crashed: exit code {finished.code}" if finished.code else ""


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"exit code {128 + (number or 0)}"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _tests(question: Question) -> tuple[Sequence[str], Sequence[tuple[str, str]]]:
    """The question's assertions and cases; one of them is empty.

    Raises:
        SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError: they are not in the form.
    """
    given, setup = _listed(question.meta.get("tests")), question.meta.get("setup") or ""
    if given:
        tests = [str(test) for test in given] if isinstance(given, list) else split_tests(str(given))
        tests = [f"{setup}\n{tests[0]}", *tests[1:]] if setup and tests else tests
        for test in tests:
            ast.parse(test)
        return tests, ()
    cases = _listed(question.meta.get("cases"))
    if cases:
        return (), [(_text(case["input"]), _text(case["output"])) for case in cases]
    return split_tests(question.gold), ()


def _listed(value: Any) -> Any:
    """A list, which may be written as JSON; any other text as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _text(value: Any) -> str:
    """An input or output, which some data sets keep as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


@lru_cache(maxsize=1024)
def split_tests(source: str) -> tuple[str, ...]:
    """Return the tests of a text: each top-level `assert` or expression, with the statements that prepare it before it.

    Raises:
        SyntaxError, ValueError: it is no Python.
    """
    tests, before = [], []
    for statement in ast.parse(source).body:
        before.append(ast.unparse(statement))
        if isinstance(statement, ast.Assert) or (
            isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant | ast.Name)
        ):
            tests.append("\n".join(before))
            before = []
    return tuple(tests)
