"""Prompts that a power cut has taken while attempts of them stay: they are journalled once for all samples of a question.

They are rendered anew, and known by their hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from selftaught_builder.prompts.form import Prompt
from selftaught_builder.prompts.row import prompt_row
from selftaught_builder.store import Store, insert_frame
from selftaught_builder.store.records import frame

_LOST = """
SELECT DISTINCT prompt FROM attempts
WHERE kind IN (SELECT unnest(?::VARCHAR[])) AND prompt NOT IN (SELECT hash FROM prompts)
"""


def restore_prompts(store: Store, kinds: Sequence[str], prompts: Iterable[Prompt]) -> int:
    """Store those of these prompts that attempts name and the table `prompts` lacks; return how many.

    Args:
        store: the caller holds its writer lock and has committed its journal.
        kinds: the kinds of the attempts.
        prompts: as rendered today; not looked at where none is lost.
    """
    lost = set(store.sql(_LOST, [list(kinds)])["prompt"])
    if not lost:
        return 0
    found = {prompt.hash: prompt for prompt in prompts if prompt.hash in lost}
    rows = [prompt_row(prompt) for prompt in found.values()]
    with store.write() as connection:
        insert_frame(connection, "prompts", frame("prompts", rows))
    return len(rows)
