"""The row verifier `hint_leak`: does a rationale show that it was written from the answer?

A rationalized rationale is trained on without its hint, so a text that quotes the hint, speaks of it, opens with the
answer, or only repeats question and answer teaches the wrong thing (STaR, arXiv 2203.14465, section 3.3). `talk` reads
a text and `rules` holds the grammar of speaking of a hint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from selftaught_verifiers.hints.rules import leaks
from selftaught_verifiers.hints.talk import Gold, Talk, gold_of, idle_words, is_number, rule
from selftaught_verifiers.hints.talk import read as read_talk
from selftaught_verifiers.text.numbers import parse_number
from selftaught_verifiers.text.plain import unify, words
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

MAX_LENGTH = 200_000
"""Characters that are read."""


@row_verifier("hint_leak", version="2")
def judge(question: Question, rationale: Rationale) -> Verdict:
    """Fail where the hint shows; unscorable on empty text.

    The reason is `quotes_hint` or `alludes_to_hint` for any rationale, `justifies_answer`, `answer_first`, `restates_only` or
    `gold_assumed` for hinted ones only: a sampled rationale that opens with its answer knew it by itself. The detail says
    the last three in any case, and the words that show a hint as `evidence`.
    """
    text = _plain(f"{rationale.reasoning}\n{rationale.completion}")
    if not text:
        return Verdict(Outcome.UNSCORABLE, "empty")
    known = _known(question.text, question.gold, question.kind, tuple(question.choices.items()))
    talk = read_talk(text, known.gold, gold_asked=known.gold_asked, idle=known.idle)
    signs = {
        "answer_first": _answer_first(talk),
        "restates_only": _restates_only(text, question, known),
        "gold_assumed": known.gold.digits != "" and _gold_assumed(talk, known.gold),
    }
    reason, evidence = _shown(text, talk, known, question, hinted=rationale.hinted)
    if reason:
        return Verdict(Outcome.FAIL, reason, detail={**signs, "evidence": evidence})
    sign = next((sign for sign, found in signs.items() if found), None)
    if rationale.hinted and sign:
        return Verdict(Outcome.FAIL, sign, detail=signs)
    return Verdict(Outcome.PASS, "no_leak", detail=signs)


_WRAPPED = re.compile(r"(?<=[A-Za-z,])\n(?=[a-z])")
"""A line break inside a sentence."""

_HEADED = re.compile(r"\A\s*\*\*([^*\n]{1,80})\*\*\s+(?=[A-Z])")
"""Bold words that stand before a text like a title."""


def _plain(text: str) -> str:
    return _WRAPPED.sub(" ", _HEADED.sub(r"\1\n", unify(text[:MAX_LENGTH])).replace("**", "")).strip()


@dataclass(frozen=True, slots=True)
class _Known:
    """What the checks ask of a question, read once for its rationales.

    Attributes:
        gold: what counts as its answer in a text.
        asked: its text in one line of lower case.
        gold_asked: whether the answer, a number, stands in it.
        idle: words of it that mean nothing where a rationale says them.
        whole: question, answer and choices in one line of lower case.
        operations: how often that line calculates.
        counts: whether the answer is a number or holds one.
    """

    gold: Gold
    asked: str
    gold_asked: bool
    idle: frozenset[str]
    whole: str
    operations: int
    counts: bool


@lru_cache(maxsize=1024)
def _known(asked: str, answer: str, kind: str, choices: tuple[tuple[str, str], ...]) -> _Known:
    gold = gold_of(answer, choices, parse_number(answer) if kind in ("number", "math") else None)
    asked = _line(_plain(asked))
    whole = " ".join([asked, *(_line(_plain(part)) for part in (answer, *dict(choices).values()))])
    return _Known(
        gold=gold,
        asked=asked,
        gold_asked=any(is_number(one, gold.digits) for one in _NUMBER.findall(asked)),
        idle=idle_words(asked),
        whole=whole,
        operations=len(_OPERATES.findall(whole)),
        counts=_NUMBER.search(dict(choices).get(answer, answer)) is not None,
    )


def _line(text: str) -> str:
    return " ".join(text.lower().split())


# -- quoted and spoken of ---------------------------------------------------------------------------------------------


_MARK = re.compile(
    r"[(\[<]\s?(?:correct(?:\s(?:answer|choice|option|one))?|(?:the|this is the) correct (?:answer|choice|option|one)"
    r"|(?:right|true|gold) (?:answer|choice|option|one)|gold|ground[ -]truth|answer)\s?[!.]?\s?[)\]>]",
    re.IGNORECASE,
)


_LOUD = re.compile(r"(?<!NOT )\bCORRECT\b")
"""The word of the mark, as the prompt writes it."""

_REFUSED = re.compile(r"[(\[<]\s?(?:in|not )correct", re.IGNORECASE)
"""A text that marks wrong choices, too, judges them itself."""


def _shown(text: str, talk: Talk, known: _Known, question: Question, *, hinted: bool) -> tuple[str, str]:
    """The reason and the words where the hint is quoted or spoken of, else two empty strings."""
    mark = _MARK.search(text)
    if mark and mark[0].lower() not in known.asked and not _REFUSED.search(text):
        return "quotes_hint", " ".join(mark[0].split())
    if hinted and question.choices and _LOUD.search(text) and "INCORRECT" not in text and text != text.upper():
        return "quotes_hint", "CORRECT"
    if question.kind != "letter" and (copied := _copied(text, known.asked, question.gold)):
        return "quotes_hint", copied
    for family, start, end in leaks(talk, known.asked, hinted=hinted):
        reason = "justifies_answer" if family == "justifies" else "alludes_to_hint"
        return reason, talk.quote(start, end, question.gold)
    return "", ""


_TAIL = 40


def _copied(text: str, asked: str, gold: str) -> str:
    """The gold answer in brackets right after the restated question, as the shipped template writes the hint."""
    bracketed = f"({_line(gold)})"
    line = _line(text[: 4 * len(asked) + 1000]) if asked else ""
    if bracketed not in line:
        return ""
    if line.startswith(bracketed):
        return bracketed
    tail = re.split(r"(?<=[.!?])\s", asked)[-1][-_TAIL:]
    at = line.find(tail)
    return bracketed if at >= 0 and line[at + len(tail) :].lstrip().startswith(bracketed) else ""


# -- the answer before the reasoning ----------------------------------------------------------------------------------

_PREFACE = "(?: [^ END NUMBER OPERATOR EQUALS GOLD ]{1,5} [END COLON]{1,2} )"
_BARE = rule(
    "[^ END NUMBER OPERATOR EQUALS SINCE COLON ]{0,3} GOLD+ [^ END OPERATOR EQUALS COLON SINCE ]{0,2} (?: END | $ )"
    f" | {_PREFACE}? OPEN? GOLD CLOSE? COLON? GOLD* COMMA? (?: IT BE )? (?: END | SINCE )"
)
_TITLED = rule(
    f"{_PREFACE}? [CORRECT FINAL THE]{{0,3}} [ANSWER RESULT SOLUTION AN] [^ END ]? [COLON EQUALS OPERATOR]"
    " [OPEN]? GOLD+ [CLOSE]? [END COMMA]"
)
_BEFORE = "[^ END NUMBER OPERATOR EQUALS SINCE ]"
_FREE = "(?! [WORD BY]{0,3} [OPERATOR EQUALS] )"
_STATES = rule(
    f"(?: [ANSWER RESULT SOLUTION] {_BEFORE}{{0,8}} | VALUE {_BEFORE}{{0,6}} [BE MUST]{{1,2}} [TO ADV]{{0,2}}"
    f" | IT [BE MUST]{{1,2}} [ADV THE]{{0,2}} | CHOICE BE | BOXED"
    f" | WE BE{{0,2}} (?: SAYS | START IN ) ) [OPEN COLON]{{0,2}} GOLD+ {_FREE}"
    " | GOLD+ [BE MUST]{1,2} [THE ADV FINAL WORD]{0,3} [CORRECT ANSWER CHOICE]"
)
_REASONS = rule("[OPERATOR EQUALS SINCE]")
_REASONED = rule("[OPERATOR EQUALS SINCE SO END]")
_PREAMBLE_WORDS = 6
_OPENING_WORDS = 30


def _answer_first(talk: Talk) -> bool:
    """Whether the gold answer is stated before anything is reasoned, or the first line is nothing but that answer."""
    if not 0 <= talk.first_gold < _OPENING_WORDS:
        return False
    if _BARE.match(talk.classes) or _TITLED.match(talk.classes):
        return True
    states = _STATES.search(talk.classes)
    if states is None or not states.start() <= talk.first_gold < states.end():
        return False
    before = talk.classes[1 : states.start()]
    return not (_REASONS if len(before) <= _PREAMBLE_WORDS else _REASONED).search(before)


_DERIVES = rule("EQUALS")


def _gold_assumed(talk: Talk, gold: Gold) -> bool:
    """Whether a gold number that the question lacks is used before any equation has yielded one: it came from the hint.

    Small numbers and those of units of time and money come of themselves: they tell nothing.
    """
    if talk.gold_asked or gold.digits in _COMMON:
        return False
    derived = _DERIVES.search(talk.classes)
    return derived is not None and 0 <= talk.first_gold < derived.start()


_COMMON = frozenset([*map(str, range(13)), "24", "30", "52", "60", "100", "365", "1000"])


# -- nothing but question and answer ----------------------------------------------------------------------------------

_WORD = re.compile(r"[a-z]{3,}")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_OPERATES = re.compile(r"\d\s?[-+*/xX]\s?[$]?\d|=")
_CALCULATES = frozenset(
    words(
        "add adds adding plus minus times subtract subtracting multiply multiplying divide dividing half twice double sum"
    )
)
_FILLER = frozenset(
    words(
        "the and answer therefore thus hence correct final because that this are was were has have had its they them "
        "their with for from our you your which what who how can will would should must may not but question asks asking "
        "asked given option choice choices solution result true right best most all also there here then than let lets "
        "think thinking about follows know known want wanted need needed find finding now see step problem says following "
        "consider considering look looking into where when why does did been being just some any reading information facts "
        "above get gives total number value means conclude"
    )
)
_NEAR = 3
_NEW_WORDS = 3
_ONE_SENTENCE = 10
_NEW_WORDS_ABOUT_NUMBERS = 8
_SHARED_PAIRS = 0.55


def _content(line: str) -> list[str]:
    stems = (word if word in _FILLER else word.removesuffix("s") for word in _WORD.findall(line))
    return [stem for stem in stems if stem not in _FILLER]


@lru_cache(maxsize=1024)
def _vocabulary(whole: str) -> tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]:
    """Words, words and numbers as they stand, and pairs of words that stand close, of a question with its choices."""
    content = _content(whole)
    near = frozenset((one, other) for at, one in enumerate(content) for other in content[at + 1 : at + 1 + _NEAR])
    return frozenset(content), frozenset(_WORD.findall(whole)) | frozenset(_NUMBER.findall(whole)), near


def _restates_only(text: str, question: Question, known: _Known) -> bool:
    """Whether the text brings nothing beyond question, choices and answer: no operation, no number, hardly a word."""
    if len(text) > 3 * len(known.asked) + 1000 or len(_OPERATES.findall(text)) > known.operations:
        return False
    line = _line(text)
    content, given, near = _vocabulary(known.whole)
    if not given.issuperset(_NUMBER.findall(line)) or not given.issuperset(
        _CALCULATES.intersection(_WORD.findall(line))
    ):
        return False
    said = _content(line)
    fresh = len(set(said) - content)
    if known.counts:
        return fresh < _NEW_WORDS_ABOUT_NUMBERS
    if fresh >= _NEW_WORDS:
        return False
    if fresh == 0 and question.choices and len(said) <= _ONE_SENTENCE:
        return True
    # The question's words in another order are a reasoning about them: "Alice: red, Bob: blue".
    answer = _content(_line(_plain(question.choices.get(question.gold, question.gold))))
    told = [pair for pair in pairwise(said) if not set(answer) & set(pair)]
    if len(said) <= len(_content(known.asked)):
        return len(near.intersection(told)) >= _SHARED_PAIRS * len(told)
    # Longer than the question: only its very words, again and again.
    near = frozenset(pairwise(_WORD.findall(known.whole)))
    told = [pair for pair in pairwise(_WORD.findall(line)) if not _FILLER.issuperset(pair)]
    return sum(pair in near for pair in told) >= _SHARED_PAIRS * len(told)
