"""Secrets: which variables hold one, processes that start without any, and text that shows none."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from urllib.parse import quote

SECRET_LENGTH = 12
"""Characters. A shorter key is a placeholder such as `EMPTY`, and may well be a word of a completion."""


MASK = "[key]"
"""What stands where a key stood."""


_SECRET = re.compile(
    r"(^|_)(API_?KEYS?|ACCESS_KEY|KEY|TOKEN|PAT)(_?\d+)?(_ID|_FILE)?$|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE
)


# How OpenAI and those that follow it, Hugging Face, Groq, xAI, Perplexity, Google and GitHub begin their keys.
_KEY_SHAPED = re.compile(r"(sk-|hf_|gsk_|xai-|pplx-|AIza|ghp_|github_pat_)[\w-]{12,}")


def is_secret(variable: str, value: str = "") -> bool:
    """Whether a variable's name, or its value by the way it begins, says that it holds a key, a token or a password."""
    return bool(_SECRET.search(variable) or _KEY_SHAPED.fullmatch(value.strip()))


def without_keys(environment: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """Return an environment without the variables that are secret, except those to `keep`."""
    return {name: value for name, value in environment.items() if name in keep or not is_secret(name, value)}


def keys_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the variables hold that are secret, without placeholders."""
    return tuple(
        {value.strip() for name, value in environment.items() if is_secret(name, value) and len(value) >= SECRET_LENGTH}
    )


def scrub(text: str, *keys: str) -> str:
    """Return a text with these keys masked, as they are and as a URL or JSON would hold them."""
    for form in (form for key in keys for form in forms(key)):
        text = text.replace(form, MASK)
    return text


def scrub_bytes(raw: bytes, *keys: str) -> bytes:
    """Return bytes with these keys masked, as `scrub` does."""
    for form in (form for key in keys for form in forms(key)):
        raw = raw.replace(form.encode(), MASK.encode())
    return raw


@cache
def forms(key: str) -> tuple[str, ...]:
    """Return a key as it may stand in a text: as it is, in JSON, and in a URL; nothing for no key."""
    written = (key, json.dumps(key)[1:-1], key.replace("/", "\\/"), quote(key), quote(key, safe=""))
    return tuple(dict.fromkeys(written)) if key else ()
