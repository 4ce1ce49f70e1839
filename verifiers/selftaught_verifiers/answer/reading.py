"""What a reader of final answers returns, and the readers of yes, no and text.

A reader returns a `Reading`: the answer in a form that equal answers share, or the reason why there is none. Where the
text allows two answers it says `ambiguous` and never guesses: a false accept costs more than a false reject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught_verifiers.answer.extract import Final
from selftaught_verifiers.answer.numbers import Number
from selftaught_verifiers.answer.plain import text_form, trim, without_latex


@dataclass(frozen=True, slots=True)
class Reading:
    """What a final answer says.

    Attributes:
        answer: its canonical form, None where there is none.
        reason: `no_answer` or `ambiguous` where `answer` is None.
        number: the number read, for the kind `number`.
    """

    answer: str | None = None
    reason: str = ""
    number: Number | None = None


NO_ANSWER = Reading(reason="no_answer")
AMBIGUOUS = Reading(reason="ambiguous")

SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
"""What ends a sentence: a decimal point does not."""

_HEDGE = re.compile(
    r"\b(?:or maybe|or perhaps|maybe|perhaps|not sure|on second thou?ght|alternatively|could also be|wait|actually"
    r"|hmm|correction|no,)(?!\w)|\.\.\s?no\b",
    re.IGNORECASE,
)


_RETRACTED = re.compile(
    r"[\W_]{0,12}(?:(?:no|wait|sorry|hmm|oops|actually)\W{1,3}){0,2}"
    r"(?:was|is|(?:that|this|it|which)(?:'s| is| was| must be| seems))"
    r"\s(?:clearly |obviously |just )?(?:wrong|incorrect|not (?:right|correct|the answer)|a mistake|an error)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(r"[^.!?\n]{1,40}\?")
_UNSURE = re.compile(
    r"^\W*(?:maybe|perhaps|possibly)\b"
    r"|\b(?:not sure|don't know|(?:cannot|can't|could not|couldn't|unable to) (?:determine|tell)"
    r"|a guess|guessing|unsure|no idea|or maybe|cannot tell|can't tell)\b",
    re.IGNORECASE,
)


def sentence(text: str) -> str:
    """Return `text` up to the end of its first sentence."""
    end = SENTENCE_END.search(text)
    return text[: end.start()] if end else text


def hedged(final: Final) -> bool:
    """Whether what stands around the marked answer takes it back: "7. Or maybe 9", "42. Wait, ..."."""
    if _RETRACTED.match(final.after):
        return True
    if final.method in ("tag", "hash"):
        return False
    if final.method == "last_line":
        return bool(_UNSURE.search(final.text) or _ASKED.fullmatch(final.text.strip()))
    if _HEDGE.search(final.after[:300]):
        return True
    # An answer may itself be "no, because ...".
    text = final.text[:600].lstrip().removeprefix("no,").removeprefix("No,")
    return not final.enclosed and bool(_HEDGE.search(text) or _ASKED.match(text))


_POLARITY = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_WORD = re.compile(r"[a-z]+(?:'t)?")
_NEGATIONS = frozenset(("not", "isn't", "never", "neither", "cannot", "can't", "doesn't"))


def polarity(text: str) -> str | None:
    """Return `yes` or `no` for a lone yes, true, no or false."""
    return _POLARITY.get(text_form(text))


def read_yesno(final: Final) -> Reading:
    """Read the yes or no that a final answer states."""
    words = _WORD.findall(sentence(trim(without_latex(final.text))).lower())
    if words[:1] and words[0] in _POLARITY and len({_POLARITY[word] for word in words if word in _POLARITY}) == 1:
        return Reading(_POLARITY[words[0]])
    found = {_POLARITY[word] for word in words if word in _POLARITY}
    if len(found) > 1 or (found and _NEGATIONS.intersection(words)):
        return AMBIGUOUS
    return Reading(found.pop()) if found else NO_ANSWER


def read_text(final: Final, gold: str) -> Reading:
    """Read a text answer: the marked text, its first sentence where that is the gold answer; strict otherwise."""
    whole, gold_form = text_form(final.text), text_form(gold)
    first = text_form(sentence(final.text))
    form = first if first == gold_form and not final.enclosed else whole
    return Reading(form) if form else NO_ANSWER
