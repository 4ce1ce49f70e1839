"""The builder's own environment: Python, packages, extras."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection
from importlib import metadata

from selftaught_builder.doctor.finding import Finding

EXTRAS = {
    "local": "`endpoint.kind: local`",
    "litellm": "`endpoint.kind: litellm`",
    "gym": "questions from `gym://`",
    "report": "`report --html` and `--png`",
}
"""The extras, and what each is for."""


def examine_environment(needed: Collection[str] = ()) -> list[Finding]:
    """Look at Python and at the packages that selftaught requires.

    Args:
        needed: the extras that the room needs; another that is absent is no fault.
    """
    version = metadata.version("selftaught")
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, selftaught {version}"
    findings = [Finding("python", "ok", python)]
    if sys.flags.optimize:
        findings.append(Finding("python", "warn", "runs with -O: assertions are off", "Start it without -O."))
    findings += _packages()
    return findings + [_extra(name, needed=name in needed) for name in EXTRAS]


def _packages() -> list[Finding]:
    wrong = [text for extra, text in _misfits() if not extra]
    if wrong:
        return [Finding("packages", "fail", "; ".join(wrong), "Run `pip install -U selftaught`.")]
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("duckdb", "polars", "datasets", "openai"))
    return [Finding("packages", "ok", f"all there and fit: {shown}, …")]


def _extra(name: str, *, needed: bool) -> Finding:
    wrong = [text for extra, text in _misfits() if extra == name]
    mend = f"Run `pip install 'selftaught[{name}]'`."
    if not wrong:
        return Finding("extras", "ok", f"{name}: there")
    if needed:
        return Finding("extras", "fail", f"{name}: {'; '.join(wrong)}; the recipe needs it", mend)
    if all(text.endswith("not installed") for text in wrong):
        return Finding("extras", "ok", f"{name}: not installed; only {EXTRAS[name]} needs it")
    return Finding("extras", "warn", f"{name}: {'; '.join(wrong)}", mend)


def _misfits() -> list[tuple[str, str]]:
    """Return (extra, what is wrong) for each requirement that this environment does not meet."""
    from packaging.requirements import Requirement

    found = []
    for line in metadata.requires("selftaught") or ():
        requirement = Requirement(line)
        extra = next((name for name in EXTRAS if requirement.marker and f'"{name}"' in str(requirement.marker)), "")
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.append((extra, f"{requirement.name} is not installed"))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append((extra, f"{requirement.name} {version} is not {requirement.specifier}"))
    return found
