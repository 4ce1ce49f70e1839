"""Names of files made of names that may hold anything."""

from __future__ import annotations

import hashlib
import re

_FIT = r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}"


def file_name(name: str) -> str:
    """Return a name as a part of a file's name: itself where it is fit for that, else what is fit of it, and a hash."""
    if re.fullmatch(_FIT, name):
        return name
    fit = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "run"
    return f"{fit}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"
