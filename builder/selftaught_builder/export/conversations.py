"""The conversation that a row of a dataset was made under, without the hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl

from selftaught_builder.common.errors import StoreError
from selftaught_builder.prompts.form import Form, Prompt
from selftaught_builder.prompts.prompter import Prompter
from selftaught_builder.scope.asked_prompts import StoredQuestion
from selftaught_builder.store import Store

Messages = tuple[Mapping[str, str], ...]


class Conversations:
    """Finds the prompts that rows are exported under.

    A row that the recipe asked for itself has the recipe's prompt. Any other one has the prompt of the form that it was asked
    under, as the store recorded it; a sample from before forms were recorded has its stored prompt.

    Args:
        store: the store.
        prompter: renders the recipe's prompts.
        examples: whether the few-shot examples stand in the exported prompt.
        rows: the rows of `selection.select_rows`.
    """

    def __init__(self, store: Store, prompter: Prompter, *, examples: bool, rows: pl.DataFrame) -> None:
        self.examples = examples
        self._prompters = {prompter.form.hash: prompter}
        asked = [rows["question"].to_list(), rows["prompt"].to_list()]
        with store.read() as connection:
            forms = connection.execute(_FORMS, [*asked, prompter.form.hash]).fetchall()
            self._forms = {(question, prompt): form for question, prompt, form in forms}
            recorded = connection.execute(
                "SELECT hash, form FROM prompt_forms WHERE hash IN (SELECT unnest(?::VARCHAR[]))",
                [list(set(self._forms.values()))],
            ).fetchall()
            stored = "SELECT hash, style, messages FROM prompts WHERE hash IN (SELECT unnest(?::VARCHAR[]))"
            self._stored = {
                hash_: Prompt(style, tuple(orjson.loads(messages)))
                for hash_, style, messages in connection.execute(stored, [list(set(asked[1]))]).fetchall()
            }
        for hash_, form in recorded:
            if hash_ not in self._prompters:
                self._prompters[hash_] = _prompter(hash_, form)

    def of(self, row: Mapping[str, Any]) -> Messages:
        """Return the turns before the rationale."""
        asked = StoredQuestion(row["question_text"], row["gold"], orjson.loads(row["choices"]))
        form = self._forms.get((row["question"], row["prompt"]))
        if form is not None and form in self._prompters:
            return self._prompters[form].ask(asked, examples=self.examples).messages
        if row["kind"] != "sampled" or row["prompt"] not in self._stored:
            mend = "Draw on less (`export.draw_on`), or restore a copy of the store."
            raise StoreError(f"nothing tells the prompt of attempt {row['attempt']}", place="prompt_forms", mend=mend)
        return self._without_examples(self._stored[row["prompt"]])

    def _without_examples(self, prompt: Prompt) -> Messages:
        """In a chat the examples are turns of their own; in one text they cannot be told from the question."""
        if self.examples or prompt.style != "chat":
            return prompt.messages
        system = [message for message in prompt.messages[:1] if message["role"] == "system"]
        return (*system, prompt.messages[-1])


def _prompter(hash_: str, form: str) -> Prompter:
    """Return the renderer of a recorded form; a store may be from anywhere."""
    try:
        return Prompter(Form.of_data(orjson.loads(form)), f"prompt form {hash_}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        mend = "Draw on less (`export.draw_on`), or restore a copy of the store."
        raise StoreError(f"is no form: {error!r}"[:200], place=f"prompt form {hash_}", mend=mend) from None


# Several forms may put a question alike; the recipe's own comes first.
_FORMS = """
WITH wanted AS (SELECT DISTINCT unnest(?::VARCHAR[]) AS question, unnest(?::VARCHAR[]) AS prompt)
SELECT w.question, w.prompt, min_by(p.form, (p.form <> ?, p.form))
FROM wanted w JOIN asked_prompts p ON p.question = w.question AND w.prompt IN (p.plain, p.hinted)
GROUP BY w.question, w.prompt
"""
