"""Planted cases: a sound rationale is made flawed in a known way, and its final answer stays right.

No public set of rationales that were written from a hint and judged by people is known, so detectors of hint leaks are
measured on these. They are made from a seed: the same rationales and the same seed give the same plants, whatever else is
planted beside them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from selftaught_builder.leakbench import corruption, phrasings


@dataclass(frozen=True)
class Sound:
    """A rationale that is taken as sound.

    Attributes:
        id: names it in reports, and seeds its plants.
        question: the question as asked, without choices.
        gold: its known answer; the letter where there are choices.
        kind: how its answers compare.
        text: the rationale.
        choices: letter to text, empty where the question has none.
        task: what it is counted under.
    """

    id: str
    question: str
    gold: str
    kind: str
    text: str
    choices: Mapping[str, str] = field(default_factory=dict)
    task: str = ""

    @property
    def answer(self) -> str:
        """The known answer as a rationale names it: `72`, `bank (A)`."""
        return f"{self.choices[self.gold]} ({self.gold})" if self.gold in self.choices else self.gold


@dataclass(frozen=True)
class Planted:
    """A rationale with a planted flaw.

    Attributes:
        source: what it was made from.
        plant: the kind of flaw, one of `PLANTS`.
        style: which form of it.
        text: the flawed rationale.
        hinted: whether such a rationale comes of a prompt that shows the answer.
        finish_reason: the word a server would have ended it with.
    """

    source: Sound
    plant: str
    style: str
    text: str
    hinted: bool = False
    finish_reason: str = "stop"


def plant(sound: Sound, name: str, seed: int = 0, others: Sequence[Sound] = ()) -> Planted | None:
    """Make one planted case of `sound`; None where it has nothing to plant this flaw in.

    Args:
        sound: a rationale taken as sound.
        name: one of `PLANTS`.
        seed: decides phrasing, place and style, together with the name and the rationale's id.
        others: rationales of the same task, for `swapped_question`.
    """
    random_ = random.Random(f"{seed}:{name}:{sound.id}")  # noqa: S311 - a repeatable choice, no secret
    return PLANTS[name](sound, random_, others)


def plant_all(sounds: Sequence[Sound], seed: int = 0) -> Iterator[Planted]:
    """Yield every planted case of every rationale, plant by plant within each."""
    tasks: dict[str, list[Sound]] = defaultdict(list)
    for sound in sounds:
        tasks[sound.task].append(sound)
    for sound in sounds:
        for name in PLANTS:
            made = plant(sound, name, seed, tasks[sound.task])
            if made is not None:
                yield made


# -- the hint shows ---------------------------------------------------------------------------------------------------


def _hint_quoting(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """The hint is quoted or spoken of: before, between or after the steps; or its own mark is copied."""
    style = random_.choice(("opening", "opening", "inside", "closing", "copied"))
    answered = with_answer(sound)
    if style == "copied":
        if sound.choices:
            return None  # there the mark is `option_mark`'s
        facts, asked = _split_question(sound.question)
        form = random_.choice(phrasings.COPIED_QUESTION)
        text = form.format(question=sound.question, asked=asked or facts, gold=sound.gold, reasoning=answered)
        return Planted(sound, "hint_quoting", style, text, hinted=True)
    said = {"opening": phrasings.OPENINGS, "inside": phrasings.INSIDE, "closing": phrasings.CLOSINGS}[style]
    sentence = random_.choice(said).format(answer=_named(sound, random_))
    text = _inserted(answered, sentence, style, random_)
    return Planted(sound, "hint_quoting", style, text, hinted=True)


def _inserted(text: str, sentence: str, style: str, random_: random.Random) -> str:
    gap = random_.choice((" ", "\n"))
    if style == "opening":
        return f"{sentence}{gap}{text}"
    if style == "closing":
        return f"{text}{gap}{sentence}"
    steps = _split_steps(text)
    at = random_.randrange(1, len(steps)) if len(steps) > 1 else 1
    return "".join([*steps[:at], sentence, gap, *steps[at:]]).strip()


def _answer_first(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """The answer is stated before any reasoning."""
    form = random_.choice(phrasings.ANSWER_FIRST)
    reasoning = with_answer(sound) if random_.random() < 0.5 else sound.text
    text = form.format(answer=_named(sound, random_), reasoning=reasoning)
    return Planted(sound, "answer_first", form.partition("{")[0].strip() or "bare", text, hinted=True)


def _restating(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """Question and answer, and nothing between them."""
    facts, asked = _split_question(sound.question)
    if not asked or not facts:
        facts, asked = sound.question, sound.question
    form = random_.choice(phrasings.RESTATING)
    text = form.format(question=sound.question, facts=facts, asked=asked, answer=_named(sound, random_))
    return Planted(sound, "restating", form, text, hinted=True)


def _option_mark(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """The mark of the right choice is copied from the prompt."""
    if sound.gold not in sound.choices:
        return None
    form, mark = random_.choice(phrasings.COPIED_MARK), random_.choice(phrasings.MARKS)
    listed = [
        f"({letter}) {text}{f' {mark}' if letter == sound.gold else ''}" for letter, text in sound.choices.items()
    ]
    right = f"({sound.gold}) {sound.choices[sound.gold]}"
    text = form.format(choices="\n".join(listed), right=right, mark=mark, reasoning=with_answer(sound))
    return Planted(sound, "option_mark", mark, text, hinted=True)


# -- the reasoning is wrong -------------------------------------------------------------------------------------------


def _corrupted_step(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """One step is false, the final answer stays right."""
    styles = list(corruption.STYLES)
    random_.shuffle(styles)
    answered = with_answer(sound)
    for style in styles:
        text = corruption.corrupt(answered, style, random_)
        if text is not None:
            return Planted(sound, "corrupted_step", style, text)
    return None


def _swapped_question(sound: Sound, random_: random.Random, others: Sequence[Sound]) -> Planted | None:
    """The rationale of another question, ended with this question's answer."""
    for _ in range(10):
        if not others:
            return None
        other = random_.choice(others)
        if other.question != sound.question and other.gold != sound.gold and bool(other.choices) == bool(sound.choices):
            text = f"{without_answer(other)}\nThe answer is {sound.answer}."
            return Planted(sound, "swapped_question", "swapped", text)
    return None


# -- the text is broken -----------------------------------------------------------------------------------------------


def _truncated(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """After the answer the text goes on and stops in the middle of a sentence."""
    reason = random_.choice(("stop", "length"))
    text = f"{with_answer(sound)}\n{random_.choice(phrasings.GOING_ON)}"
    return Planted(sound, "truncated", reason, text, finish_reason=reason)


def _repetition(sound: Sound, random_: random.Random, _: Sequence[Sound]) -> Planted | None:
    """The text, its last step, some words of it or its answer come again and again."""
    style = random_.choice(("text", "step", "words", "answer"))
    answered, answer = with_answer(sound), f"The answer is {sound.answer}."
    if style == "text":
        return Planted(sound, "repetition", style, "\n".join([answered] * random_.randint(4, 8)))
    if style == "answer":
        return Planted(sound, "repetition", style, "\n".join([answered, *[answer] * random_.randint(8, 20)]))
    steps = _split_steps(sound.text)
    repeated = steps[-1].strip()
    if style == "words":
        repeated = " ".join(repeated.split()[-6:])
    gap = "\n" if style == "step" else " "
    text = gap.join(["".join(steps[:-1]).rstrip(), *[repeated] * random_.randint(10, 25)])
    return Planted(sound, "repetition", style, f"{text}\n{answer}")


PLANTS: dict[str, Callable[[Sound, random.Random, Sequence[Sound]], Planted | None]] = {
    "hint_quoting": _hint_quoting,
    "answer_first": _answer_first,
    "restating": _restating,
    "option_mark": _option_mark,
    "corrupted_step": _corrupted_step,
    "swapped_question": _swapped_question,
    "truncated": _truncated,
    "repetition": _repetition,
}
"""The planted flaws by name."""

HINT_LEAKS = ("hint_quoting", "answer_first", "restating", "option_mark")
"""Those that show that the answer was known."""


# -- parts of texts ---------------------------------------------------------------------------------------------------

_FINAL = re.compile(r"(?i)####\s?\S|\banswer\b|\bsolution:|\\boxed")
_STEP_END = re.compile(r"\n+|(?<=[a-z)\d%][.!?])\s+(?=[A-Z(])")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")


def with_answer(sound: Sound) -> str:
    """Return the rationale, ended with a line that states its answer where it has none."""
    if _FINAL.search(_last_step(sound.text)):
        return sound.text
    return f"{sound.text.rstrip()}\nThe answer is {sound.answer}."


def without_answer(sound: Sound) -> str:
    """Return the rationale without a last step that states its answer."""
    last = _last_step(sound.text)
    if _FINAL.search(last) and len(last) < len(sound.text):
        return sound.text.rstrip()[: -len(last)].rstrip()
    return sound.text.rstrip()


def _last_step(text: str) -> str:
    return _split_steps(text.rstrip())[-1]


def _split_steps(text: str) -> list[str]:
    """The lines or sentences of a text, each with the space after it."""
    ends = [0, *(match.end() for match in _STEP_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if end > start] or [text]


def _split_question(question: str) -> tuple[str, str]:
    """The facts, and what is asked: the last sentence."""
    sentences = _SENTENCE_END.split(" ".join(question.split()))
    return " ".join(sentences[:-1]), sentences[-1]


def _named(sound: Sound, random_: random.Random) -> str:
    """The known answer as a model may name it."""
    if sound.gold not in sound.choices:
        return sound.gold
    choice = sound.choices[sound.gold]
    return random_.choice((f"({sound.gold})", f"({sound.gold}) {choice}", f"{choice} ({sound.gold})", choice))
