"""What an examination finds: one line, how bad it is, and the mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from selftaught_builder.common.errors import InputError, SelftaughtError

Level = Literal["ok", "warn", "fail"]
"""`fail`: a run would end here. `warn`: it would go on, and something is worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        part: what was looked at, such as `store`.
        level: see `Level`.
        text: what was found. It may hold text from outside.
        mend: what to do about it, "" where there is nothing to do.
    """

    part: str
    level: Level
    text: str
    mend: str = ""


def failed(part: str, error: SelftaughtError) -> Finding:
    """Return an error that a run would end with as a finding."""
    if isinstance(error, InputError):
        text = f"{error.place}: {error.message}" if error.place else error.message
        return Finding(part, "fail", text, error.mend or "")
    text, _, mend = str(error).partition("\n")
    return Finding(part, "fail", text, mend.strip())


@contextmanager
def noting(part: str, findings: list[Finding]) -> Iterator[None]:
    """Turn an error inside the block into a finding."""
    try:
        yield
    except SelftaughtError as error:
        findings.append(failed(part, error))
    except OSError as error:
        findings.append(
            Finding(part, "fail", f"{error.filename or part}: {error.strerror}", "Check the path's rights.")
        )


def size(count: float) -> str:
    """Return a number of bytes as a person reads it, in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}" if unit != "bytes" else f"{count:.0f} bytes"
        count /= 1000
    return f"{count:.3g} TB"
