"""The row verifier `hint_leak`: does a rationale show that it was written from the answer?

A rationalized rationale is trained on without its hint, so a text that quotes the hint, speaks of it, opens with the
answer, or only repeats question and answer teaches the wrong thing (STaR, arXiv 2203.14465, section 3.3).
"""

from __future__ import annotations

import re

from selftaught_verifiers.answer import parse_number
from selftaught_verifiers.answer.plain import unify, words
from selftaught_verifiers.verdict import Outcome, Question, Rationale, Verdict, row_verifier

MAX_LENGTH = 200_000
"""Characters that are read."""

QUOTES = (
    "(correct)",
    "[correct]",
    "(correct answer)",
    "(the correct answer)",
    "(hint:",
    "[hint:",
    "hint: the",
    "(gold)",
    "(ground truth)",
)
"""The hint's own marks, copied."""

ALLUSIONS = (
    "the hint says",
    "the hint tells",
    "the hint states",
    "the hint is",
    "the hint gives",
    "the hint suggests",
    "the hint indicates",
    "the hint shows",
    "the hint confirms",
    "hint provided",
    "hint given",
    "given hint",
    "provided hint",
    "in the hint",
    "by the hint",
    "from the hint",
    "per the hint",
    "to the hint",
    "with the hint",
    "based on the hint",
    "using the hint",
    "matches the hint",
    "as hinted",
    "told the answer",
    "told that the answer",
    "told the correct answer",
    "told that the correct answer",
    "since we know the answer",
    "since we know that the answer",
    "since we know the correct answer",
    "since we know that the correct answer",
    "as we know the answer",
    "because we know the answer",
    "already know the answer",
    "already know that the answer",
    "already know the correct answer",
    "given the answer",
    "given that the answer",
    "given that the correct answer",
    "given the correct answer",
    "answer is given as",
    "answer was given",
    "answer is already given",
    "answer given is",
    "answer given to us",
    "answer has been given",
    "answer we were given",
    "correct answer is given",
    "correct answer given",
    "the given answer",
    "provided answer",
    "answer provided",
    "answer is provided",
    "correct answer is provided",
    "answer is known to be",
    "answer is already known",
    "known answer",
    "known correct answer",
    "supposed to be the answer",
    "answer is supposed to be",
    "answer should come out to",
    "expected answer",
    "the reference answer",
    "the gold answer",
    "the answer key",
    "ground truth",
    "ground-truth",
    "marked as correct",
    "marked correct",
    "labeled as correct",
    "labelled as correct",
    "indicated as correct",
    "to get the correct answer of",
    "to arrive at the given",
    "to match the answer",
    "to match the given",
    "matches the given answer",
    "matches the correct answer",
    "matches the provided",
    "work backwards from the answer",
    "working backwards from the answer",
)
"""Phrases that speak of a known answer or of the hint."""


@row_verifier("hint_leak", version="1")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Fail where the hint shows; unscorable on empty text.

    The reason is `quotes_hint` or `alludes_to_hint` for any rationale, `answer_first`, `restates_only` or `gold_assumed`
    for hinted ones only: a sampled rationale that opens with its answer knew it by itself. The detail says all three in
    any case.
    """
    text = _readable(f"{rationale.reasoning}\n{rationale.completion}")
    if not text:
        return Verdict(Outcome.UNSCORABLE, "empty")
    asked = _readable(question.text)
    found = _quotes(text, asked, question), _phrase(text, asked, ALLUSIONS)
    signs = {
        "answer_first": _answer_first(text, question),
        "restates_only": _restates_only(text, asked, question),
        "gold_assumed": _gold_assumed(text, asked, question),
    }
    for reason, evidence in zip(("quotes_hint", "alludes_to_hint"), found, strict=True):
        if evidence:
            return Verdict(Outcome.FAIL, reason, detail={**signs, "evidence": evidence})
    shown = next((sign for sign, found in signs.items() if found), None)
    if rationale.hinted and shown:
        return Verdict(Outcome.FAIL, shown, detail=signs)
    return Verdict(Outcome.PASS, "no_leak", detail=signs)


def _readable(text: str) -> str:
    """Lower case, plain quotes, no Markdown emphasis, single spaces."""
    return " ".join(unify(text[:MAX_LENGTH]).replace("**", "").lower().split())


def _phrase(text: str, asked: str, phrases: tuple[str, ...]) -> str | None:
    """The first phrase that the text holds and the question does not."""
    return next((phrase for phrase in phrases if phrase not in asked and _says(text, phrase)), None)


def _says(text: str, phrase: str) -> bool:
    """Whether `phrase` stands in the text; "given the answer choices" speaks of the choices, not of the answer."""
    at = text.find(phrase)
    while at >= 0:
        at += len(phrase)
        if not text.startswith((" choice", " option", "s choice"), at):
            return True
        at = text.find(phrase, at)
    return False


def _quotes(text: str, asked: str, question: Question) -> str | None:
    """A copied mark, or the gold answer in brackets right after the restated question."""
    mark = _phrase(text, asked, QUOTES)
    if mark:
        return mark
    at = text.find(asked[-60:]) if asked else -1
    after = text[at + len(asked[-60:]) :][: len(question.gold) + 12].strip() if at >= 0 else ""
    bracketed = f"({question.gold.strip().lower()})"
    return bracketed if question.kind != "letter" and after.startswith(bracketed) else None


_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_REASONS = re.compile(r"\d\s?[-+*/x]\s?[$]?\d|[=<>]|\b(?:because|since|so|therefore|thus|hence|then|if|when)\b")
_STATES = re.compile(
    r"\b(?:answer|result|solution|(?:correct|best|right) (?:choice|option))\b"
    r"[^.]{0,40}?(?:\bis\b|\bare\b|\bmust be\b|:)|#### ?"
)


def _answer_first(text: str, question: Question) -> bool:
    """Whether the first sentence states the gold answer before anything is reasoned, or is nothing but that answer."""
    end = _SENTENCE_END.search(text, 1)
    opening = text[: min(end.start() if end else len(text), 400)]
    states = _STATES.search(opening)
    if states is None:
        return len(opening.split()) <= 4 and _mentions_gold(opening, question)
    if states.start() > 80 or _REASONS.search(opening[: states.start()]):
        return False
    return _mentions_gold(opening[states.end() :], question)


_NUMBER = re.compile(r"-?[$]?\d+(?:,\d{3})*(?:\.\d+)?")


def _mentions_gold(text: str, question: Question) -> bool:
    text = text.split(" because ")[0][:120]
    if question.kind == "number":
        gold = parse_number(question.gold)
        first = _NUMBER.search(text)
        operates = first and re.match(r"\s?[-+*/x=]\s?[$]?\d", text[first.end() :])
        return bool(first and not operates and gold is not None and parse_number(first[0]) == gold)
    golds = {question.gold.strip("() ").lower(), question.choices.get(question.gold, "").lower()} - {""}
    return any(re.search(rf"(?<!\w){re.escape(gold)}(?!\w)", text) for gold in golds)


_WORD = re.compile(r"[a-z]{3,}")
_OPERATION = re.compile(
    r"\d\s?[-+*/x]\s?[$]?\d|="
    r"|\b(?:add|plus|minus|times|subtract\w*|multipl\w*|divid\w*|half|twice|double|triple|sum|each)\b"
)
_FILLER = frozenset(
    words(
        "the and answer therefore thus hence correct final because that this are was were has have had its they them "
        "their with for from our you your which what who how can will would should must may not but so question asks "
        "asked given option choice solution result true right best most all also there here then than"
    )
)
_NEW_WORDS = 3
_ROOM = 40
_FEW_SENTENCES = 4


def _numbers(text: str) -> set[str]:
    return {number.lstrip("$-") for number in _NUMBER.findall(text)}


def _restates_only(text: str, asked: str, question: Question) -> bool:
    """Whether the text brings nothing beyond question, choices and answer: no operation, no number, hardly a word."""
    known = " ".join([asked, question.gold.lower(), *(choice.lower() for choice in question.choices.values())])
    if _OPERATION.search(text) or len(text) > len(known) + _ROOM:
        return False
    if len(_SENTENCE_END.findall(text)) > _FEW_SENTENCES or _numbers(text) - _numbers(known):
        return False
    fresh = set(_WORD.findall(text)) - set(_WORD.findall(known)) - _FILLER
    return len(fresh) < _NEW_WORDS


def _gold_assumed(text: str, asked: str, question: Question) -> bool:
    """Whether a gold number that the question lacks is used before any equation has yielded one: it came from the hint."""
    gold = parse_number(question.gold) if question.kind == "number" else None
    derived = text.find("=")
    if gold is None or derived < 0 or any(parse_number(number) == gold for number in _NUMBER.findall(asked)):
        return False
    return any(parse_number(number) == gold for number in _NUMBER.findall(text[:derived]))
