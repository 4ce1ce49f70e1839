"""Reading the letter of the choice that a final answer names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from selftaught_verifiers.answer.reading import AMBIGUOUS, NO_ANSWER, SENTENCE_END, Reading, sentence
from selftaught_verifiers.text.extract import Final
from selftaught_verifiers.text.plain import text_form, trim, without_latex

_LONE = re.compile(r"\(?([A-Za-z])\s?[.):]?")
_OPENS = re.compile(r"\(([A-Za-z])\)|([A-Z])(?=[.):,](?:\s|$)|\s?$|\s)")
_NAMED = re.compile(r"\b(?:option|choice|answer|letter)(?:[\s_:]{1,2}\(?|\()([A-Z])\b(?!')", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\(([A-Za-z])\)")
_STANDING = re.compile(r"(?<![A-Za-z\u00c0-\u024f\d_'(-])([A-Z])(?![A-Za-z\u00c0-\u024f\d_'+#-])")
_EITHER = re.compile(
    r"^(?:(?:both|either|options?|choices?|letters?|answers?)\s){0,2}\(?([A-Z])\)?\s{0,2}(?:or|and|/|,|&)\s{0,2}\(?([A-Z])\)?(?![\w'])",
    re.IGNORECASE,
)
_NAME = r"(?:(?:option|choice|answer)s?[ _])?\(?[A-Z]\b\)?"
# What a sentence rules out: "not A", "can't be A or B", "A is wrong".
_NEGATED = re.compile(
    r"\b(?:not|non|isn't|cannot be|can't be|couldn't be|neither|nor|rather than|instead of|than|unlike|(?:any|every)thing but"
    r"|except(?: for)?|other than|apart from|aside from|eliminat(?:es?|ed|ing)"
    r"|(?:exclud|reject|discard|dismiss)(?:e?s|ed|ing|e)?|hardly|rul(?:es?|ed|ing) out)"
    rf"\s{{1,2}}(?:be )?{_NAME}(?:(?:, {_NAME}){{0,5}},? (?:and|or|nor) {_NAME}){{0,4}}"
    rf"|(?<![\w']){_NAME}(?:(?:, {_NAME}){{0,4}},? and {_NAME})? (?:is|are|was|were|seems?|would be|can be)"
    r" (?:clearly |also |both |all )?(?:incorrect|wrong|false|eliminated|excluded|ruled out"
    r"|(?:not|never|hardly) (?:correct|right|true|possible|the (?:correct |right )?answer))\b"
    rf"|(?<![\w']){_NAME} (?:(?:cannot|can't|could not|couldn't) be (?:correct|right|true|possible|the (?:correct )?answer)"
    r"|(?:does not|doesn't|do not|don't) (?:work|fit|hold|apply)|fails|failed)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r",|;|\b(?:because|since|as)\b")
_ARTICLE = re.compile(r"(?:an?|the)\s", re.IGNORECASE)


def read_letter(final: Final, choices: Mapping[str, str]) -> Reading:
    """Read the letter of the choice that a final answer names, by letter or by the choice's text."""
    text = trim(_NEGATED.sub(" ", trim(without_latex(final.text.replace("**", "").replace("\\_", "_")))))
    if _contradicts(text, choices):
        return AMBIGUOUS
    first = trim(sentence(text) if final.strict or _OPENS.match(text) else _last_sentence(text))
    reading = _read(text, first, choices)
    claimed = _claimed(_CERTAIN, text, choices)
    if reading.answer is None:
        return _known(claimed, choices) or reading if len(claimed) == 1 and not final.strict else reading
    if claimed and reading.answer not in claimed and not final.strict:
        return _known(claimed, choices) or AMBIGUOUS  # "C is tempting, but B is right"
    claimed |= _claimed(_POSSIBLE, text, choices)
    return AMBIGUOUS if claimed - {reading.answer} else reading


def _read(text: str, first: str, choices: Mapping[str, str]) -> Reading:
    for reader in (
        _lone_letter,
        _either,
        _by_text,
        _opening_letter,
        _named_letter,
        _bracketed_letter,
        _standing_letter,
    ):
        for part in dict.fromkeys((text, first, _CLAUSE.split(first)[0]) if reader is _by_text else (first or text,)):
            found = reader(part, choices)
            if found is not None:
                return found
    return _named_letter(text, choices) or _bracketed_letter(text, choices) or NO_ANSWER


_A = r"(?<![\w'(])(?:(?:option|choice|answer)s?[ _])?\(?(?-i:([A-Z]))\)?"
_SEEMS = r" (?:is|was|seems|looks|sounds)(?: also| very| quite| equally| still| just| probably| likely| even)? (?:as )?"
_THE_ANSWER = (
    r"(?:the (?:right |correct |best |actual |final )?(?:answer|option|choice)|the (?:right|correct|best|true) one)"
)
_CERTAIN = re.compile(
    rf"{_A}{_SEEMS}(?:right|correct|true|best|better|closer|closest|{_THE_ANSWER})\b"
    rf"|{_A} (?:matches|fits|works) best\b"
    rf"|(?:\b(?:so|hence|thus|therefore|actually|rather|instead),?|:"
    rf"|\b(?:leaves|leaving|left with)(?: us with| only)?) {_A}\W*$",
    re.IGNORECASE,
)
# A second letter that may be the answer too: "though B is also plausible", "so might A".
_POSSIBLE = re.compile(
    rf"{_A}{_SEEMS}(?:possible|plausible|likely|an option|a possibility|good|reasonable|valid|acceptable)\b"
    rf"|{_A} (?:could|might|may|would|can|should)(?: also| well| equally)? (?:work|fit|do"
    rf"|be (?:right|correct|true|possible|plausible|it|an option|{_THE_ANSWER}|too(?=\W*$)|as well))\b"
    rf"|{_A} (?:also |equally )(?:works|fits|applies|holds)\b|{_A},? (?:too|as well)\b"
    rf"|\b(?:could|might|may|can)(?: also)?(?: well)? (?:also )?be {_A}\b"
    rf"|\b(?:so|as) (?:might|may|could|does|is|would) {_A}\b"
    rf"|\b(?:maybe|perhaps|possibly) {_A}(?:[^\w' ]|\W*$)",
    re.IGNORECASE,
)


def _claimed(claim: re.Pattern[str], text: str, choices: Mapping[str, str]) -> set[str]:
    """The letters of which a text says, somewhere, that they are the answer or may be."""
    found = {letter.upper() for match in claim.finditer(text[:2_000]) for letter in match.groups() if letter}
    return {letter for letter in found if letter in choices or (not choices and letter < "K")}


def _last_sentence(text: str) -> str:
    ends = [match.end() for match in SENTENCE_END.finditer(text) if match.end() < len(text)]
    return text[ends[-1] :] if ends else text


def _known(letters: set[str], choices: Mapping[str, str]) -> Reading | None:
    if not letters:
        return None
    if len(letters) > 1:
        return AMBIGUOUS
    letter = letters.pop()
    return Reading(letter) if not choices or letter in choices else NO_ANSWER


def _lone_letter(text: str, choices: Mapping[str, str]) -> Reading | None:
    match = _LONE.fullmatch(text)
    return _known({match[1].upper()}, choices) if match else None


def _either(text: str, choices: Mapping[str, str]) -> Reading | None:
    match = _EITHER.match(text)
    return AMBIGUOUS if match and match[1] != match[2] else None


def _by_text(text: str, choices: Mapping[str, str]) -> Reading | None:
    form = text_form(text)
    if not form or not choices:
        return None
    exact = {letter for letter, choice in choices.items() if text_form(choice) == form}
    bare = _ARTICLE.sub("", form, count=1)
    return _known(
        exact or {x for x, choice in choices.items() if _ARTICLE.sub("", text_form(choice), count=1) == bare}, choices
    )


def _contradicts(text: str, choices: Mapping[str, str]) -> bool:
    """Whether a letter is followed by the text of another choice: "B. printer"."""
    match = _OPENS.match(text)
    named = _by_text(text[match.end() :].strip(" .):-,"), choices) if match else None
    return bool(match and named and named.answer and named.answer != (match[1] or match[2]).upper())


def _opening_letter(text: str, choices: Mapping[str, str]) -> Reading | None:
    """`(B) bank`, `B) bank`, `B. bank`, `B because ...`; "A person would ..." opens with an article, not a letter."""
    match = _OPENS.match(text)
    if not match:
        return None
    letter, rest = (match[1] or match[2]).upper(), text[match.end() :]
    if match[2] in ("A", "I") and _is_word(rest, choices.get(letter, "")):
        return None
    named = _by_text(rest.strip(" .):-,"), choices)
    if named is not None and named.answer != letter:
        return AMBIGUOUS
    return _known({letter}, choices)


_AFTER_LETTER = re.compile(r"\s?(?:$|[.):,]|\s(?:because|since|as|is|and|for|non|not)\b)")


def _is_word(rest: str, choice: str) -> bool:
    """Whether the "A" or "I" before `rest` is a word of a sentence."""
    if _AFTER_LETTER.match(rest):
        return False
    stripped = rest.strip()
    return not stripped[:1].isupper() and text_form(stripped) != text_form(choice)


def _named_letter(text: str, choices: Mapping[str, str]) -> Reading | None:
    text = _NEGATED.sub(" ", text)
    letters = {match[1].upper() for match in _NAMED.finditer(text) if match[1].isupper() or len(match[0]) > 6}
    return _known({letter for letter in letters if not choices or letter in choices}, choices)


def _bracketed_letter(text: str, choices: Mapping[str, str]) -> Reading | None:
    text = _NEGATED.sub(" ", text)
    letters = {match[1].upper() for match in _IN_BRACKETS.finditer(text)}
    return _known({letter for letter in letters if not choices or letter in choices}, choices)


def _standing_letter(text: str, choices: Mapping[str, str]) -> Reading | None:
    """A capital letter standing alone in the sentence; what follows a comma or a "not" does not count."""
    head = text.split(",")[0]
    for part in (head, text):
        part = _NEGATED.sub(" ", part)
        letters = {
            match[1]
            for match in _STANDING.finditer(part)
            if not (match[1] in "AI" and re.match(r"\s[a-z]", part[match.end() :]))
        }
        found = _known({letter for letter in letters if letter in choices or (not choices and letter < "K")}, choices)
        if found is not None:
            return found
    return None
