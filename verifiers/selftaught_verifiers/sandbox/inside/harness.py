"""Running the program, and its tests, in the process that has been fenced in.

What happened is told through a descriptor of its own, each line opened by a token that the program was not given: a
program that prints, exits early or changes `AssertionError` passes nothing, since only code after a test writes that
it held. A program that knows this file, and looks through the interpreter's frames for the token, can still lie.
"""

from __future__ import annotations

import _sitebuiltins
import ast
import builtins
import io
import json
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

Tell = Callable[..., None]


def teller(descriptor: int, token: str) -> Tell:
    """Return the function that tells the parent something, in JSON-able keyword arguments."""
    # Bound now: the program may replace what the modules hold.
    write, encode, start = os.write, json.JSONEncoder().encode, token.encode() + b" "

    def tell(**said: Any) -> None:
        left = start + encode(said).encode() + b"\n"
        while left:
            left = left[write(descriptor, left) :]

    return tell


def run_program(source: str, tell: Tell) -> NoReturn:
    """Run a program as `python program.py` would; its exit code is the process's."""
    module = _prepare("__main__")
    try:
        exec(compile(source, "program.py", "exec"), module.__dict__)  # noqa: S102 (the fence is around this process)
    except SystemExit:
        raise
    except BaseException as error:
        tell(raised=_describe(error))
        sys.exit(1)
    sys.exit(0)


def run_tests(source: str, tests: Sequence[str], tell: Tell) -> NoReturn:
    """Import a program as the module `solution`, run each test in it, and tell which held."""
    end, run, secret = os._exit, exec, f"_{os.urandom(8).hex()}"
    codes = [_compiled(test, secret) for test in tests]
    check, describe = _checker(), _describe
    module = _prepare("solution")
    try:
        run(compile(source, "solution.py", "exec"), module.__dict__)
    except BaseException as error:
        tell(raised=describe(error))
        end(1)
    for number, code in enumerate(codes):
        module.__dict__[secret] = check
        try:
            run(code, module.__dict__)
        except BaseException as error:
            tell(test=number, failed=describe(error))
        else:
            tell(test=number)
    tell(done=True)
    end(0)


def _prepare(name: str) -> types.ModuleType:
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")  # `site`, which brings them, is not loaded
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")
    sys.argv = [f"{name.strip('_')}.py"]
    sys.dont_write_bytecode = True
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module


def _describe(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "MemoryError"
    try:
        said = str(error)
    except BaseException:
        said = ""
    return f"{type(error).__name__}: {said}"[:300].rstrip(": ")


def _compiled(test: str, secret: str) -> types.CodeType:
    tree = _Checked(secret).visit(ast.parse(test))
    return compile(ast.fix_missing_locations(tree), "test.py", "exec")


class _Checked(ast.NodeTransformer):
    """Passes both sides of every comparison through the checker, which the test finds under a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        node.left = self._through(node.left)
        node.comparators = [self._through(each) for each in node.comparators]
        return node

    def _through(self, value: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(self.name, ast.Load()), [value], [])


class EqualsEverything(AssertionError):  # noqa: N818 (it names what happened)
    """A value claims to equal an object that nobody knows."""


def _checker() -> Callable[[Any], Any]:
    """Return a function that returns its argument, and raises where it holds an object that equals everything."""
    plain = (int, float, str, bytes, bool, complex, type(None), range)
    sequences, tables = (list, tuple, set, frozenset), dict

    def check(value: Any) -> Any:
        left, seen, stranger = [value], 0, object()
        while left and seen < 100_000:
            each, seen = left.pop(), seen + 1
            kind = type(each)
            if kind in plain:
                continue
            if kind in sequences:
                left.extend(each)
            elif kind is tables:
                left.extend(each.values())
            elif equals(each, stranger):
                raise EqualsEverything("the result equals everything")
        return value

    def equals(value: Any, stranger: object) -> bool:
        try:
            return bool(value == stranger)
        except Exception:  # an honest __eq__ may expect its own kind
            return False

    return check
