"""Audits: the questions to ask of a filter, each a plain SQL file in `audits/`.

They are written over the views of `reading.py`: `audited` (the attempts that the recipe draws on, with its verifiers at their
pinned versions) and `kept` (those of them that the policy keeps).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files

import polars as pl

from selftaught_builder.common.errors import InputError
from selftaught_builder.probing import ENDPOINT_VERIFIERS
from selftaught_builder.selection.reading import View
from selftaught_verifiers import registered


@dataclass(frozen=True)
class Audit:
    """One canned query.

    Attributes:
        name: its file's name without number: `false_equation`.
        title: the first comment line.
        about: the second comment line: how to read it.
        sql: the whole file.
    """

    name: str
    title: str
    about: str
    sql: str


def audits() -> list[Audit]:
    """Return the shipped audits, in their order."""
    folder = files("selftaught_builder.audit") / "queries"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [_read(name, (folder / name).read_text(encoding="utf-8")) for name in names]


def find_audit(name: str) -> Audit:
    """Return the audit of that name; raises InputError where there is none."""
    known = {audit.name: audit for audit in audits()}
    if name not in known:
        raise InputError(f"no audit `{name}`", place="audit", mend=f"There are: {', '.join(known)}.")
    return known[name]


def lacking_verifiers(audit: Audit, verifiers: Collection[str]) -> list[str]:
    """Return the verifiers that an audit reads and the recipe does not run."""
    known = {*(one.name for one in registered()), *ENDPOINT_VERIFIERS}
    words = re.findall(r"\w+", re.sub(r"--[^\n]*", "", audit.sql))
    return sorted((set(words) & known) - set(verifiers))


def run_audits(view: View, chosen: Sequence[Audit]) -> dict[str, pl.DataFrame]:
    """Run audits over what the recipe draws on, read-only; return their results by name.

    Raises:
        InputError: one needs a verifier that the recipe does not run, or the policy fails on the data.
    """
    for audit in chosen:
        if lacking := lacking_verifiers(audit, view.filter.versions):
            names = ", ".join(f"`{name}`" for name in lacking)
            mend = f"Add {names} to `verify`, and run `selftaught verify`."
            raise InputError(f"needs {names}, which the recipe does not run", place=f"audit {audit.name}", mend=mend)
    # An audit may come to its end without the policy being asked about every attempt, and a fault in it would go unseen.
    view.sql("SELECT count(*) FROM kept")
    return {audit.name: view.sql(audit.sql) for audit in chosen}


def _read(name: str, sql: str) -> Audit:
    first, second = (line.removeprefix("--").strip() for line in sql.splitlines()[:2])
    return Audit(name.removesuffix(".sql").split("_", 1)[1], first, second, sql)
