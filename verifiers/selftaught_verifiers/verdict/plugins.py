"""Users' own verifiers: functions decorated with `row_verifier` or `group_verifier`, in a file or an installed package.

    # checks.py
    from selftaught_verifiers import Outcome, Verdict, row_verifier

    @row_verifier("no_apology", version="1")
    def judge(question, rationale, *, word: str = "sorry"):
        return Verdict(Outcome.FAIL if word in rationale.completion.lower() else Outcome.PASS)

A package names its module or function under the entry point group `selftaught.verifiers`, by the verifier's name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from selftaught_verifiers.verdict.verdict import Verifier, collecting

ENTRY_POINTS = "selftaught.verifiers"


def load_file(path: Path) -> dict[str, Verifier]:
    """Run a Python file and return the verifiers that it defines, by name.

    The file's content becomes part of their versions: whoever edits it gets new verdicts, whether or not the version in
    the decorator was raised.

    Raises:
        Exception: whatever the file raises.
    """
    name = f"selftaught_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickle look themselves up there
    with collecting() as found:
        specification.loader.exec_module(module)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return {name: replace(verifier, version=f"{verifier.version}+{digest}") for name, verifier in found.items()}


def installed() -> list[str]:
    """Return the names of the verifiers that installed packages offer."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))


def load_installed(name: str) -> Verifier:
    """Return a verifier that an installed package offers.

    Raises:
        LookupError: none offers it, or what it names defines no verifier of that name.
        Exception: whatever the package raises when imported.
    """
    entries = entry_points(group=ENTRY_POINTS, name=name)
    if not entries:
        raise LookupError(f"no installed package offers the verifier `{name}`")
    with collecting() as found:
        next(iter(entries)).load()
    _loaded.update(found)  # a module runs once in a process, however often it is asked for
    if name not in _loaded:
        raise LookupError(f"the package that offers `{name}` defines no verifier of that name")
    return _loaded[name]


_loaded: dict[str, Verifier] = {}
