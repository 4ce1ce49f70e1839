"""An endpoint's key: where it stands, and what it is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.paths import expand

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings


_LONGEST_KEY = 4096


_OTHERS_MAY = 0o077


_MAY_BE_A_KEY = re.compile(r"(?![/~.])(?!.*\.\w{1,6}$)\S{20,}")
"""What may be the key itself, written in the place of its file by mistake."""


def key_of(settings: EndpointSettings) -> str:
    """Return an endpoint's key: the first line of `api_key_file`, else what `api_key_env` holds; "" where there is none.

    Servers that we start on this machine need none: they get no other's, unless the recipe names one.

    Raises:
        EndpointError: the file cannot be read or holds no key, or the key has characters that no key has.
    """
    ours = settings.kind in ("local", "sglang") and settings.base_url is None
    if ours and not settings.names_a_key:
        return ""
    path = key_file(settings)
    key = (
        os.environ.get(settings.api_key_env, "").strip()
        if path is None
        else _first_line(path, settings.api_key_file or "")
    )
    if not (key.isascii() and key.isprintable()):
        place = key_place(settings)
        raise EndpointError("the API key holds a character that no key has", place=place, mend="Set it anew.")
    return key


def key_place(settings: EndpointSettings) -> str:
    """Return the file or the environment variable that the key stands in; this may be shown."""
    return str(key_file(settings) or settings.api_key_env)


def key_file(settings: EndpointSettings) -> Path | None:
    """Return the file that the recipe names for the key, None where it names none."""
    return None if settings.api_key_file is None else settings.folder / expand(settings.api_key_file)


def others_may_read(path: Path) -> bool:
    """Whether a file's mode lets others than its owner at it."""
    try:
        return bool(path.stat().st_mode & _OTHERS_MAY)
    except OSError:
        return False


def _first_line(path: Path, given: str) -> str:
    mend = "`endpoint.api_key_file` names a file whose first line is the key, and nothing else."
    place = "endpoint.api_key_file" if _MAY_BE_A_KEY.fullmatch(given) else path
    try:
        if not path.is_file():  # a pipe could be read only once
            raise EndpointError("no such file", place=place, mend=mend)
        with path.open("rb") as file:
            line = file.readline(_LONGEST_KEY + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise EndpointError(f"cannot be read: {reason}", place=place, mend=mend) from None
    key = line.decode("utf-8-sig", "replace").strip()
    if not key or len(line) > _LONGEST_KEY:
        raise EndpointError("no key on its first line", place=path, mend=mend)
    return key
