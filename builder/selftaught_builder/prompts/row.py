"""A prompt as the store keeps it."""

from __future__ import annotations

import orjson

from selftaught_builder.prompts.form import Prompt
from selftaught_builder.store.rows import PromptRow


def prompt_row(prompt: Prompt) -> PromptRow:
    """Return a prompt's row."""
    messages = orjson.dumps(prompt.messages).decode()
    return {"table": "prompts", "hash": prompt.hash, "style": prompt.style, "messages": messages}
