"""Policies with a name: each an SQL predicate over `attempts_wide` in a file of its own, to be read.

The first comment line of a file is its title, the second says what it is for. A recipe's `keep` names one of them, or is a
predicate itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_ASIDE = re.compile(r"--[^\n]*|'[^']*'")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Policy:
    """What is kept, as an SQL predicate.

    Attributes:
        name: the shipped policy's name; "" for a predicate of the user's own.
        sql: the predicate; a shipped one with its comments.
        title: what a shipped one keeps.
        about: what it is for.
    """

    name: str
    sql: str
    title: str = ""
    about: str = ""

    @property
    def line(self) -> str:
        """The predicate on one line without comments, and before it, as a comment, its name."""
        if not self.name:
            return self.sql
        predicate = " ".join(re.sub(r"--[^\n]*", "", self.sql).split())
        return f"/* {self.name} */ {predicate}"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the predicate, comments and text left out: the columns that it reads are among them."""
        return tuple(dict.fromkeys(_WORD.findall(_ASIDE.sub(" ", self.sql))))

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The verifiers that a shipped policy reads: in its file, only columns are written in lower case."""
        words = self.words if self.name else ()
        return tuple(dict.fromkeys(verifier_of(word) for word in words if word.islower()))


def verifier_of(column: str) -> str:
    """Return the verifier that a column of `attempts_wide` shows: `answer` for `answer_strict`, NAME for NAME_score."""
    return "answer" if column == "answer_strict" else column.removesuffix("_score")


@lru_cache(maxsize=1)
def shipped_policies() -> dict[str, Policy]:
    """Return the shipped policies by name."""
    found = (entry for entry in files("selftaught_builder.recipe.policies").iterdir() if entry.name.endswith(".sql"))
    policies = [_read(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")) for entry in found]
    return {policy.name: policy for policy in sorted(policies, key=lambda policy: policy.name)}


def as_policy(keep: str) -> Policy:
    """Return the shipped policy that `keep` names, or `keep` itself as a nameless one."""
    return shipped_policies().get(keep) or Policy("", keep)


def _read(name: str, sql: str) -> Policy:
    title, about = (line.removeprefix("--").strip() for line in sql.splitlines()[:2])
    return Policy(name, sql.strip(), title, about)
