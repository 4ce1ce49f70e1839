"""Identity: what makes an attempt the same attempt.

A key covers everything that shapes one sample: its kind, the question's content, the rendered prompt, the sampling
parameters, the sample's index and the weights that answered. Not k, n or concurrency: asking for more samples keeps the
ones there are. The request's seed and the attempt's id are derived from the key, so resuming a run and reusing another
run's attempts are one mechanism: skip the keys that have a success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

UNKNOWN_WEIGHTS = "unknown"


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def prompt_hash(style: str, messages: Sequence[Mapping[str, str]]) -> str:
    """Return 32 hex digits over the rendered prompt."""
    return _digest("prompt", style, [[message["role"], message["content"]] for message in messages])


def form_hash(form: Mapping[str, Any]) -> str:
    """Return 32 hex digits over all that shapes a recipe's prompts."""
    return _digest("prompt form", dict(form))


def weights_identity(weights: str, *, run: str, round_number: int, model: str) -> str:
    """Return what stands for the weights in a key: their fingerprint, or run, round and model where it is unknown."""
    if weights != UNKNOWN_WEIGHTS:
        return weights
    return f"{UNKNOWN_WEIGHTS}/{run}/{round_number}/{model}"


def attempt_key(
    kind: str, question: str, prompt: str, parameters: Mapping[str, Any], sample_index: int, weights: str
) -> str:
    """Return the attempt's key, 32 hex digits.

    Args:
        kind: `sampled`, `rationalized`, `evaluated` or `probed`.
        question: the question's content hash.
        prompt: the prompt's hash.
        parameters: the sampling parameters as sent, without the seed.
        sample_index: 0 for the first sample of the question.
        weights: see `weights_identity`.
    """
    return _digest("attempt", kind, question, prompt, dict(parameters), sample_index, weights)


def attempt_id(key: str, try_number: int) -> str:
    """Return the id of one try of a key: every try is a row, and a key has at most one success."""
    return f"{key}.{try_number}"


def seed_of(key: str) -> int:
    """Return the request's seed, 31 bits, derived from the key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big") & 0x7FFFFFFF
