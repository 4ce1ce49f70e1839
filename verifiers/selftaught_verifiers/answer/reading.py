"""What a reader of final answers returns, and the readers of yes, no and text.

A reader returns a `Reading`: the answer in a form that equal answers share, or the reason why there is none. Where the
text allows two answers it says `ambiguous` and never guesses: a false accept costs more than a false reject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught_verifiers.text.extract import Final
from selftaught_verifiers.text.numbers import Number
from selftaught_verifiers.text.plain import text_form, trim, without_latex


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
    r"\b(?:or maybe|or perhaps|or possibly|maybe|perhaps|not sure|on second thou?ght|alternatively|could also be|might also be"
    r"|(?:is|are) also (?:a |an )?(?:possible|correct|right|valid|acceptable|plausible)|another (?:possible |valid )?answer"
    r"|wait|actually|oops|whoops|hold on|scratch that|strike that|i meant?|take (?:that|it) back|never ?mind|or is it|edit:"
    r"|(?:disregard|ignore) (?:that|this)|let me (?:correct|fix|revise|redo)|my (?:bad|mistake)|i(?:'m| am| was) wrong"
    r"|i (?:made an? (?:\w{1,12} )?(?:mistake|error)|misread|miscounted)"
    r"|re-?(?:check|do|comput|calculat)ing,? (?:i|we) (?:get|got|find)|hmm|correction|no,)(?!\w)"
    r"|(?:[.!;,:] |\b(?:it|that|this|answer) )(?:should|must) (?:be|have been) (?=[$-]?\d)|\.\.\s?no\b|[.!]\s{1,2}no[.!;:]",
    re.IGNORECASE,
)


_IS_WRONG = (
    r"(?:was|is|(?:that|this|it|which)(?:'s| is| was| must be| seems| looks))"
    r"\s(?:clearly |obviously |just )?(?:wrong|incorrect|impossible|a mistake|an error"
    r"|not (?:right|correct|possible|the answer))\b(?! to\b)"
    r"|(?:that|this|it) (?:(?:cannot|can't|could not|couldn't) be|(?:does not|doesn't|is not|isn't)(?: make| seem| look)?)"
    r" (?:right|correct|sense|possible|true|the answer)\b"
)
_RETRACTED = re.compile(
    r"[\W_]{0,12}(?:(?:no|wait|sorry|hmm|oops|actually|but|however|and)\W{1,3}){0,2}"
    rf"(?:{_IS_WRONG})|\s?\((?:incorrect|wrong)\)",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    rf"(?:[.!;]\s|,\s(?=but|however))(?:(?:but|however),?\s)?(?:{_IS_WRONG})|\d\s?\((?:incorrect|wrong)\)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"[^.!?\n]{1,40}\?")
_UNSURE = re.compile(
    r"^\W*(?:maybe|perhaps|possibly)\b"
    r"|[,(]\s?(?:maybe|perhaps|possibly)\W*$"
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
    return not final.enclosed and bool(_HEDGE.search(text) or _ASKED.match(text) or _TAKEN_BACK.search(text))


_POLARITY = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_WORD = re.compile(r"[a-z]+(?:'t)?")
_NEGATIONS = frozenset(("not", "isn't", "never", "neither", "cannot", "can't", "doesn't"))


def polarity(text: str) -> str | None:
    """Return `yes` or `no` for a lone yes, true, no or false."""
    return _POLARITY.get(text_form(text))


# "There is no way to tell" answers nothing.
_DETERMINER = re.compile(
    r"\bno(?: \w{1,12})? (?:doubt|problem|idea|way|answer|need|reason|information|evidence|clue|matter|one|other|more"
    r"|longer|less|such|conclusion|data|context|solution|question)\b"
)


_SECOND = re.compile(r"\W*(yes|no|true|false)(?:[^\w\s]|\s*\Z)")
_SAID_WRONG = re.compile(r"(?:yes|no) (?:is|was|would be) (?:wrong|incorrect|false|not)\b")


def read_yesno(final: Final) -> Reading:
    """Read the yes or no that a final answer states."""
    whole = trim(without_latex(final.text)).lower()
    stated = sentence(whole)
    words = _WORD.findall(_DETERMINER.sub(" ", stated))
    second = _SECOND.match(whole, len(stated))
    if words[:1] and second and {_POLARITY.get(words[0]), _POLARITY[second[1]]} == {"yes", "no"}:
        return AMBIGUOUS  # yes... no
    if _SAID_WRONG.match(stated):
        return AMBIGUOUS
    if words[:1] and words[0] in _POLARITY and len({_POLARITY[word] for word in words if word in _POLARITY}) == 1:
        return Reading(_POLARITY[words[0]])
    found = {_POLARITY[word] for word in words if word in _POLARITY}
    if len(found) > 1 or (found and _NEGATIONS.intersection(words)):
        return AMBIGUOUS
    return Reading(found.pop()) if found else NO_ANSWER


_DISPLAYED = re.compile(
    r"(?:\\\[|\$\$)\s*(\\text\s?\{[^{}]{1,200}\})\s*\.?\s*(?:\\\]|\$\$)\s*\Z"
)  # "So we get \[ \text{even} \]"


def read_text(final: Final, gold: str) -> Reading:
    """Read a text answer: the marked text, its first sentence where that is the gold answer; strict otherwise."""
    displayed = _DISPLAYED.search(final.text[-600:]) if not final.strict and "\\" in final.text else None
    whole, gold_form = text_form(displayed[1] if displayed else final.text), text_form(gold)
    first = text_form(sentence(final.text))
    form = first if first == gold_form and not final.enclosed else whole
    return Reading(form) if form else NO_ANSWER
