"""The endpoint verifier `judge`: does a model that reads the rationale find a flaw in it?

A judge is a noisy instrument: on right answers GPT-4 found 96 % of the flawed rationales and accused 47 % of the sound ones
(Mr-Ben). It estimates how much leaks, on a sample, better than it filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from selftaught_builder.probing.options import JudgeOptions, read_options
from selftaught_builder.probing.subjects import Subject
from selftaught_builder.probing.templates import load_template
from selftaught_builder.probing.verifier import EndpointVerifier, Probe, Replies
from selftaught_builder.prompts.form import Prompt
from selftaught_builder.recipe import Recipe
from selftaught_verifiers import Outcome, Verdict

REASON_LIMIT = 300
_READ_LIMIT = 20_000
_TRIES = 50


class Judge(EndpointVerifier):
    """Asks for votes, and lets the majority decide."""

    name = "judge"
    code_version = "1"

    def __init__(self, recipe: Recipe, options: Mapping[str, Any]) -> None:
        given = read_options(self.name, JudgeOptions, options, recipe.folder)
        self._votes, self._sees = given.votes, frozenset(given.sees)
        self._template = load_template(given.template, self.name, recipe.folder)
        # A model of one's own may be a base model, which knows no chats.
        self._style = "chat" if given.endpoint else recipe.prompt.style
        shaping = [self._template.text, sorted(self._sees), given.votes, self._style]
        super().__init__(recipe, given, {"max_tokens": given.max_tokens}, shaping)

    def probes(self, subject: Subject) -> list[Probe]:
        """Return the one prompt."""
        question, rationale = subject.question, self.rationale(subject)
        known = {
            "question": question.text,
            "rationale": rationale,
            "gold": question.gold,
            "choices": question.choices,
            "hint": subject.hinted,
        }
        shown: dict[str, Any] = {name: value for name, value in known.items() if name in self._sees}
        if "hint" in shown:
            shown["hinted"] = shown.pop("hint")
        text = self._template.render(**shown, steps=steps_of(rationale))
        return [Probe(Prompt(self._style, ({"role": "user", "content": text},)), self._votes)]

    def most(self, attempts: int, questions: int) -> int:
        """Each attempt has its votes."""
        return attempts * self._votes

    def verdict(self, subject: Subject, replies: Replies) -> Verdict:
        """Pass where most votes that can be read find no flaw; the score is their share."""
        steps = len(steps_of(self.rationale(subject)))
        votes = [None if heard is None else read_vote(heard.completion, steps) for heard in replies[0]]
        read = [vote for vote in votes if vote]
        detail = {"votes": [None if vote is None else vote.plain() for vote in votes]}
        if 2 * len(read) < len(votes) or not read:
            return Verdict(Outcome.UNSCORABLE, f"{len(read)} of {len(votes)} votes can be read", detail=detail)
        flawed = [vote for vote in read if vote.flawed]
        score = 1 - len(flawed) / len(read)
        if 2 * len(flawed) == len(read):
            said = f"the votes are split: {len(flawed)} of {len(read)} find a flaw"
            return Verdict(Outcome.UNSCORABLE, said, score=score, detail=detail)
        if 2 * len(flawed) < len(read):
            return Verdict(
                Outcome.PASS, f"sound by {len(read) - len(flawed)} of {len(read)}", score=score, detail=detail
            )
        step = flawed[0].first_error_step
        where = f"step {step}: " if step else ""
        reason = f"flawed by {len(flawed)} of {len(read)}: {where}{flawed[0].reason}".rstrip(": ")
        return Verdict(Outcome.FAIL, reason, score=score, detail=detail)


@dataclass(frozen=True)
class Vote:
    """What one reply says of a rationale."""

    flawed: bool
    first_error_step: int | None = None
    reason: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"flawed": self.flawed, "first_error_step": self.first_error_step, "reason": self.reason}


def steps_of(rationale: str) -> list[str]:
    """Return a rationale's steps: its lines, or its sentences where it is one line."""
    lines = [line.strip() for line in rationale.splitlines() if line.strip()]
    if len(lines) > 1:
        return lines
    return [part for part in re.split(r"(?<=[.!?]) +", rationale.strip()) if part]


def read_vote(text: str, steps: int) -> Vote | None:
    """Return what a reply says, None where it says nothing, or two things.

    The last JSON object with `flawed` in it counts; where there is none, a plain `flawed: yes` does, if all of them agree.

    Args:
        text: the reply; anything at all.
        steps: how many steps there are; another number is none.
    """
    text = text[-_READ_LIMIT:]
    for found in _objects(text):
        flawed = _truth(found.get("flawed"))
        if flawed is not None:
            step, reason = found.get("first_error_step"), found.get("reason")
            known = type(step) is int and 1 <= step <= steps and flawed
            return Vote(flawed, step if known else None, _storable(reason) if isinstance(reason, str) else "")
    said = {_truth(word) for word in _PLAIN.findall(text)}
    return Vote(bool(said.pop())) if len(said) == 1 else None


_PLAIN = re.compile(
    r"\bflawed\b[\"'*_]{0,3}\s{0,3}[:=]\s{0,3}[\"'*_]{0,3}(true|false|yes|no)\b(?!\s{0,3}(?:[|/]|or\b))", re.IGNORECASE
)
_DECODER = json.JSONDecoder()


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a text, that which begins last first."""
    found, start = [], text.rfind("{")
    for _ in range(_TRIES):
        if start < 0:
            break
        with suppress(ValueError, RecursionError):
            found.append(_DECODER.raw_decode(text, start)[0])
        start = text.rfind("{", 0, start)
    return found


def _storable(reason: str) -> str:
    """A reason without what no file can hold, such as half a surrogate pair."""
    return " ".join("".join(char if char.isprintable() else " " for char in reason[:REASON_LIMIT]).split())


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "false": False, "no": False}
    return words.get(value.strip().lower()) if isinstance(value, str) else None
