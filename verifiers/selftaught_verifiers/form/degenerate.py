"""The row verifier `degenerate`: is the text broken as a text, whatever it says?

A model that learns from looping, cut, garbled or empty texts writes more of them. What is judged is form only, and a form
that sound rationales have as well (a repeated phrase, no final full stop) is let pass.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice

from selftaught_verifiers.text.extract import without_thinking
from selftaught_verifiers.text.plain import words
from selftaught_verifiers.verdict.verdict import Outcome, Question, Rationale, Verdict, row_verifier

MAX_LENGTH = 200_000
"""Characters of the reasoning and of the completion that are read, from their start and from their end."""

CUT = frozenset(words("length max_tokens content_filter abort error"))
"""Finish reasons of a text that did not come to its end."""

_QUOTE = 120


@row_verifier("degenerate", version="1")
def judge(
    question: Question,
    rationale: Rationale,
    *,
    repeated: float = 0.8,
    compression: float = 0.1,
    garbled: float = 0.01,
    shortest: int = 0,
    longest: int = MAX_LENGTH,
    reasons: int = 3,
) -> Verdict:
    """Fail where the text is broken; the reason is its first sign, the detail has all of them with their evidence.

    The signs: `empty`; `truncated` (by the server's word); `unclosed_think`; `too_short` and `too_long`; `garbled`
    (replacement and control characters, a jumble of scripts); `repetition` (a loop, hardly anything new, or a text that
    packs to nothing); `template_token` (a chat template's mark); `goes_on` (after its answer it puts another question);
    `no_end` (it stops in the middle of a sentence); `bare_answer`.

    Args:
        question: the question; scripts and marks of its own are innocent.
        rationale: the attempt.
        repeated: the share of words in runs of 8 words seen before that is too much, in a text of 200 characters or more.
        compression: packed size by size under which a text of 200 bytes or more is a repetition.
        garbled: the share of broken characters that is too much; 0 allows none.
        shortest: the fewest characters that reasoning and completion have together.
        longest: the most characters that they have together.
        reasons: words and numbers that a text must have beside its answer; 0 lets a bare answer pass.

    Returns:
        A verdict whose score is 1 minus the repeated share.
    """
    said, thought = rationale.completion[-MAX_LENGTH:], rationale.reasoning[:MAX_LENGTH]
    visible = without_thinking(said)
    length = len(rationale.completion) + len(rationale.reasoning)
    shares, loops = zip(*(_repetition(part) for part in (thought, said)), strict=True)
    packed = min(_packed(part) for part in (thought, said))
    share = max(shares)
    loop = next(filter(None, loops), "")
    broken = _broken(said + thought)
    found = {
        "empty": visible is not None and not visible.strip(),
        "truncated": rationale.finish_reason.lower() in CUT,
        "unclosed_think": visible is None,
        "too_short": length < shortest,
        "too_long": length > longest,
        "garbled": (broken > 0 and broken >= garbled) or _jumble(question.text, said + thought),
        "repetition": loop or (share >= repeated and length >= _LONG_ENOUGH) or packed < compression,
        "template_token": _first(_TEMPLATE, said),
        "goes_on": _goes_on(question.text, said),
        "no_end": _stops(visible or ""),
        "bare_answer": reasons > 0 and not thought.strip() and _is_bare(question, said, reasons),
    }
    signs = {sign: evidence for sign, evidence in found.items() if evidence}
    detail: dict[str, object] = {"characters": length, "repeated": round(share, 3)}
    if packed < 1:
        detail["compression"] = round(packed, 3)
    if not signs:
        return Verdict(Outcome.PASS, "sound", score=1 - share, detail=detail)
    return Verdict(Outcome.FAIL, next(iter(signs)), score=1 - share, detail={**detail, "signs": signs})


# -- repetition ------------------------------------------------------------------------------------------------------

_RUN = 8
_STUCK_LENGTH = 30
_STUCK = re.compile(rf"([^\W\d_]|[!?()\[\]{{}}%&@/\\])\1{{{_STUCK_LENGTH - 1},}}")
_LONG_ENOUGH = 200


def _repetition(text: str) -> tuple[float, str]:
    """The share of words that stand in a run of 8 words seen before, and the first loop, "" where there is none."""
    said = text.split()
    stuck = max(map(len, said), default=0) >= _STUCK_LENGTH and _STUCK.search(text)
    loop = stuck[0][:_QUOTE] if stuck else ""
    runs = list(zip(*(said[offset:] for offset in range(_RUN)), strict=False))
    if len(set(runs)) == len(runs):
        return 0.0, loop
    seen: dict[tuple[str, ...], int] = {}
    covered = end = distance = since = 0
    for at, run in enumerate(runs):
        before = seen.get(run)
        seen[run] = at
        if before is None:
            distance = 0
            continue
        covered += at + _RUN - max(at, end)
        end = at + _RUN
        if not distance or run != runs[at - distance]:
            distance, since = at - before, before
        # From `since` to `end` the text says a block of `distance` words again and again, without a break.
        copies, left = divmod(end - since, distance)
        if not loop and left == 0 and copies > 1 and _is_loop(said[since : since + distance], copies):
            loop = " ".join(said[since : since + distance])[:_QUOTE]
    return covered / len(said), loop


def _is_loop(block: list[str], copies: int) -> bool:
    """Whether `copies` of this block in a row are a loop; "5 cars + 5 cars + 5 cars" is a sum.

    Brackets and numbers repeat in sound texts, words hardly ever: three times the same few words, or twice the same
    long sentence.
    """
    if copies >= 20 or (copies >= 5 and (len(block) >= 5 or any("=" in word for word in block))):
        return True
    if copies < 3 and len(block) < 12:
        return False
    spoken = len({word for word in block if sum(map(str.isalpha, word[:20])) > 1})
    return spoken >= (3 if copies >= 3 else 8)


def _packed(text: str) -> float:
    """Packed size by size; 1 for texts too short to tell."""
    raw = text.encode("utf-8", "replace")
    return len(zlib.compress(raw)) / len(raw) if len(raw) >= _LONG_ENOUGH else 1.0


# -- broken characters -----------------------------------------------------------------------------------------------

_BROKEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff\ue000-\uf8ff]")
_SCRIPTS = (
    "\u0400-\u052f",  # Cyrillic
    "\u0530-\u058f",  # Armenian
    "\u0590-\u05ff",  # Hebrew
    "\u0600-\u06ff",  # Arabic
    "\u0900-\u097f",  # Devanagari
    "\u0980-\u0dff",  # the other scripts of India
    "\u0e00-\u0eff",  # Thai, Lao
    "\u10a0-\u10ff",  # Georgian
    "\u3040-\u30ff",  # kana
    "\u3400-\u9fff",  # Han
    "\u1100-\u11ff\uac00-\ud7af",  # Hangul
)
_SCRIPT = tuple(re.compile(f"[{script}]") for script in _SCRIPTS)
_MANY_SCRIPTS = 3


def _broken(text: str) -> float:
    """The share of replacement, control, surrogate and private characters."""
    return len(_BROKEN.findall(text)) / len(text) if text else 0.0


def _jumble(asked: str, text: str) -> bool:
    """Whether the text mixes several scripts that the question does not use; Latin and Greek are at home in any."""
    if text.isascii():
        return False
    return sum(bool(script.search(text) and not script.search(asked)) for script in _SCRIPT) >= _MANY_SCRIPTS


# -- going on --------------------------------------------------------------------------------------------------------

_TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|endoftext|end_of_text|begin_of_text|user|assistant|system|eot_id|start_header_id"
    r"|end_header_id|end)\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>\s*(?:\Z|<s>)"
)
_ROLE = re.compile(
    r"\n[ \t*_]{0,4}(?:Q|Human|User)[ \t]?\d{0,3}[*_]{0,2}:|\n#{2,4} ?(?:Instruction|Human|User|Input)\b"
)
_ANOTHER = re.compile(
    r"\n[ \t*_#]{0,6}(?:(?:Question|Problem|Exercise|Example)(?:[ \t]\d{1,3})?[*_]{0,2}[:.]|Next (?:question|problem)\b)"
)
_ANSWERED = re.compile(r"answer|####|\\boxed|solution|choice|option", re.IGNORECASE)


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[0].strip() if match else ""


def _goes_on(asked: str, text: str) -> str:
    """The mark of another turn after the first words, "" where there is none or the question speaks so itself."""
    for pattern in (_ROLE, _ANOTHER):
        match = pattern.search(text.lstrip())
        if match is None or pattern.search(f"\n{asked}"):
            continue
        # A heading "Question:" opens a rationale as well; after the answer it opens the next one.
        if pattern is _ROLE or _ANSWERED.search(text.lstrip(), 0, match.start()):
            return match[0].strip()
    return ""


# -- the end ---------------------------------------------------------------------------------------------------------

_CLOSING = " \t\r\n*_\"'\u201d\u2019"
_OPEN_END = tuple(",;:([{+=<&/-\\^\u2212\u2013\u2014\u00d7\u00f7")
_HANGING = frozenset(
    words(
        "a an the of to at by from with into onto than as and or but nor because since if while that which whose where "
        "although though unless until is are was were be been being have has had does did will would can could should "
        "may might must shall not very its their his her our your my this these those every we he she they i then "
        "therefore thus hence between per about during against let"
    )
)
_LAST_WORD = re.compile(r"(?:\A|[\s(,])([A-Za-z]+)\Z")
_SENTENCE = re.compile(r"[.!?][\"')*\u201d]*\s|\n")
_PROSE = re.compile(r"[^\W\d_]+")
_MARKED = re.compile(r"answer(?: is\b|:)|####|\\boxed\{|</answer>", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:[-*+\u2022|>#]|\d+[.)])")


def _stops(text: str) -> str:
    """The last words of a text that stops in the middle of a sentence, "" where it ends or may have ended.

    A missing full stop alone says nothing: people leave it out. A last sentence that gives the answer has ended.
    """
    text = text.rstrip(_CLOSING)
    tail = text[-2_000:]
    start = max((match.end() for match in _SENTENCE.finditer(tail)), default=0)
    last = tail[start:]
    if not last or _ANSWERED.search(last):
        return ""
    word = _LAST_WORD.search(last)
    hangs = last.endswith(_OPEN_END) or (word is not None and word[1] in _HANGING) or text.count("```") % 2 == 1
    if not hangs and last.count("(") <= last.count(")"):
        said = _PROSE.findall(last)
        hangs = bool(
            len(said) > 3 and last[-1].isalpha() and not _LISTED.match(last) and _MARKED.search(text, len(text) // 2)
        )
    return last[-40:] if hangs else ""


_CALCULATION = re.compile(r"\d[^=\n]*=")
_ITEM = re.compile(r"\d+|[^\W\d_]{2,}")
_BARE = 400
_FILLER = frozenset(
    words(
        "the answer is final correct right best result solution so therefore thus hence an of to that are it option "
        "choice letter and boxed text think would be must my response"
    )
)


def _is_bare(question: Question, text: str, reasons: int) -> bool:
    """Whether nothing stands beside the answer."""
    if len(text) > _BARE + sum(map(len, (question.gold, *question.choices.values()))):
        return False
    if _CALCULATION.search(text):
        return False
    known = {*_FILLER, *_items(" ".join((question.gold, *question.choices.values())))}
    beside = (item for item in _items(text) if item not in known)
    return bool(text.strip()) and len(list(islice(beside, reasons))) < reasons


def _items(text: str) -> Iterator[str]:
    return (match[0] for match in _ITEM.finditer(text.lower()))
