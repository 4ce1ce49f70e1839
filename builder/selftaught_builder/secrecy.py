"""Which environment variables are secrets, so that processes which need none are started without them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_SECRET = re.compile(
    r"(^|_)(API_?KEY|ACCESS_KEY|KEY|TOKEN|PAT)(_ID|_FILE)?$|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE
)


def is_secret(variable: str) -> bool:
    """Whether a variable's name says that it holds a key, a token or a password."""
    return _SECRET.search(variable) is not None


def without_keys(environment: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """Return an environment without the variables whose names say that they hold a secret, except those to `keep`."""
    return {name: value for name, value in environment.items() if name in keep or not is_secret(name)}
