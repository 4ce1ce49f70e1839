"""The row verifier `hint_leak`: does a rationale show that it was written from the answer?

A rationalized rationale is trained on without its hint, so a text that quotes the hint, speaks of it, opens with the
answer, or only repeats question and answer teaches the wrong thing (STaR, arXiv 2203.14465, section 3.3). `hint_talk` holds
the grammar of speaking of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from selftaught_verifiers import hint_talk
from selftaught_verifiers.answer import parse_number
from selftaught_verifiers.answer.plain import unify, words
from selftaught_verifiers.hint_talk import Gold, Talk
from selftaught_verifiers.verdict import Outcome, Question, Rationale, Verdict, row_verifier

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
    gold, asked, gold_asked = _known(question.text, question.gold, question.kind, tuple(question.choices.items()))
    talk = hint_talk.read(text, gold, gold_asked=gold_asked)
    signs = {
        "answer_first": _answer_first(talk),
        "restates_only": _restates_only(text, asked, question),
        "gold_assumed": gold.digits != "" and _gold_assumed(talk, gold),
    }
    reason, evidence = _shown(text, talk, asked, question, hinted=rationale.hinted)
    if reason:
        return Verdict(Outcome.FAIL, reason, detail={**signs, "evidence": evidence})
    sign = next((sign for sign, found in signs.items() if found), None)
    if rationale.hinted and sign:
        return Verdict(Outcome.FAIL, sign, detail=signs)
    return Verdict(Outcome.PASS, "no_leak", detail=signs)


_WRAPPED = re.compile(r"(?<=[A-Za-z,])\n(?=[a-z])")
"""A line break inside a sentence."""


def _plain(text: str) -> str:
    return _WRAPPED.sub(" ", unify(text[:MAX_LENGTH]).replace("**", "")).strip()


@lru_cache(maxsize=1024)
def _known(asked: str, answer: str, kind: str, choices: tuple[tuple[str, str], ...]) -> tuple[Gold, str, bool]:
    """What counts as the gold answer, the question in one line of lower case, and whether the answer stands in it."""
    gold = hint_talk.gold_of(answer, choices, parse_number(answer) if kind in ("number", "math") else None)
    asked = _plain(asked)
    stands = hint_talk.read(asked, gold).first_gold >= 0 if gold.digits else False
    return gold, _line(asked), stands


def _line(text: str) -> str:
    return " ".join(text.lower().split())


# -- quoted and spoken of ---------------------------------------------------------------------------------------------


_MARK = re.compile(
    r"[(\[<]\s?(?:correct(?:\s(?:answer|choice|option|one))?|(?:the|this is the) correct (?:answer|choice|option|one)"
    r"|(?:right|true|gold) (?:answer|choice|option|one)|gold|ground[ -]truth|answer)\s?[!.]?\s?[)\]>]",
    re.IGNORECASE,
)


_REFUSED = re.compile(r"[(\[<]\s?(?:in|not )correct", re.IGNORECASE)
"""A text that marks wrong choices, too, judges them itself."""


def _shown(text: str, talk: Talk, asked: str, question: Question, *, hinted: bool) -> tuple[str, str]:
    """The reason and the words where the hint is quoted or spoken of, else two empty strings."""
    mark = _MARK.search(text)
    if mark and mark[0].lower() not in asked and not _REFUSED.search(text):
        return "quotes_hint", " ".join(mark[0].split())
    if question.kind != "letter" and (copied := _copied(text, asked, question.gold)):
        return "quotes_hint", copied
    for family, start, end in hint_talk.leaks(talk, asked, hinted=hinted):
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

_BARE = hint_talk.rule(
    "[^ END NUMBER OPERATOR EQUALS SINCE SO COLON ]{0,3} GOLD+ [^ END OPERATOR EQUALS COLON SINCE ]{0,2} (?: END | $ )"
)
_TITLED = hint_talk.rule(
    "[CORRECT FINAL]{0,2} [ANSWER RESULT SOLUTION] [^ END ]? COLON [OPEN]? GOLD+ [CLOSE]? [END COMMA]"
)
_BEFORE = "[^ END NUMBER OPERATOR EQUALS SINCE ]"
_FREE = "(?! [WORD BY]{0,3} [OPERATOR EQUALS] )"
_STATES = hint_talk.rule(
    f"(?: [ANSWER RESULT SOLUTION] {_BEFORE}{{0,8}} | VALUE {_BEFORE}{{0,6}} [BE MUST]{{1,2}} [TO ADV]{{0,2}}"
    f" | IT [BE MUST]{{1,2}} [ADV THE]{{0,2}} | BOXED ) [OPEN COLON]{{0,2}} GOLD+ {_FREE}"
)
_REASONS = hint_talk.rule("[OPERATOR EQUALS SINCE SO]")
_REASONED = hint_talk.rule("[OPERATOR EQUALS SINCE SO END]")
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


_DERIVES = hint_talk.rule("EQUALS")


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
_OPERATES = re.compile(r"\d\s?[-+*/x]\s?[$]?\d|=")
_CALCULATES = frozenset(
    words(
        "add adds adding plus minus times subtract subtracting multiply multiplying divide dividing half twice double sum each"
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
_NEW_WORDS = 3
_SHARED_PAIRS = 0.55


def _restates_only(text: str, asked: str, question: Question) -> bool:
    """Whether the text brings nothing beyond question, choices and answer: no operation, no number, hardly a word."""
    if len(text) > 3 * len(asked) + 1000:
        return False
    line = _line(text)
    known = " ".join([asked, *(_line(_plain(part)) for part in (question.gold, *question.choices.values()))])
    if len(_OPERATES.findall(line)) > len(_OPERATES.findall(known)):
        return False
    if set(_NUMBER.findall(line)) - set(_NUMBER.findall(known)):
        return False
    said, given = _WORD.findall(line), _WORD.findall(known)
    fresh = set(said) - set(given)
    if fresh & _CALCULATES or len(fresh - _FILLER) >= _NEW_WORDS:
        return False
    # The question's words in another order are a reasoning about them: "Alice: red, Bob: blue".
    pairs = set(pairwise(given))
    told = [pair for pair in pairwise(said) if not _FILLER.issuperset(pair)]
    return sum(pair in pairs for pair in told) >= _SHARED_PAIRS * len(told)
