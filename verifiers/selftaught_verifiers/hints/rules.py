"""The rules of `hint_leak`: how a text speaks of a hint, or of an answer that was known beforehand.

Rules that hold for any rationale ask for talk that only a hint explains. Those for rationales that were written with the
answer shown ask for less: there it is enough that being told, marked or bracketed stands near the answer, or that a number
from nowhere is aimed at. `talk` holds the classes of words and the language of the patterns.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from selftaught_verifiers.hints.grammar import RULES, Rule
from selftaught_verifiers.hints.talk import CODE, Gold, Talk, read, rule
from selftaught_verifiers.text.plain import words


def leaks(talk: Talk, asked: str, *, hinted: bool) -> Iterator[tuple[str, int, int]]:
    """Yield family, start and end (in words) of each place where the text speaks of the hint or of a known answer.

    Args:
        talk: the text.
        asked: the question. Where it speaks so itself ("the answer to it is known to be 36"), only a place that names the
            gold answer counts.
        hinted: whether the answer was shown to whoever wrote the text.
    """
    present = frozenset(talk.classes)
    for at in sorted(set().union(*(_AT[code] for code in present if code in _AT))):
        by = RULES[at]
        if (by.hinted and not hinted) or (by.foreign and talk.gold_asked) or by.numeric is (not talk.numeric):
            continue
        if any(map(present.isdisjoint, by.needs)):
            continue
        match = by.pattern.search(talk.classes)
        if match is None:
            continue
        if by.fresh and (-1 < talk.first_gold < match.start() or _concludes(talk.classes, match.start())):
            continue
        if (talk.gold_asked or CODE["GOLD"] not in match[0]) and _spoken(asked, by):
            continue
        yield by.family, match.start(), match.end()


def _concludes(classes: str, at: int) -> bool:
    """Whether the sentence around a place follows from an earlier one: "So we know that", "This shows that"."""
    start = classes.rfind(CODE["END"], 0, at) + 1
    return start > 1 and _CONCLUDING.match(classes, start) is not None


_CONCLUDING = rule("SO | [THE THAT] BE? ADV? [GIVES CHECK SAYS JUSTIFY WHY]")
_COMMON = frozenset(
    CODE[name] for name in words("ANSWER BE GOLD THE TO END IN COMMA VALUE SINCE GET WE WORD THAT IT OF SO AS")
)


def _index() -> dict[str, list[int]]:
    """For each class the places of the rules that can match only with it, or with another of a set, in the text."""
    index: dict[str, list[int]] = {}
    for at, one in enumerate(RULES):
        for code in min(one.needs, key=lambda codes: len(codes & _COMMON)):
            index.setdefault(code, []).append(at)
    return index


_AT = _index()


def _spoken(asked: str, spoken_by: Rule) -> bool:
    """Whether a question's own words obey the rule, or one of its family that holds for any rationale."""
    classes, families = _families(asked)
    return spoken_by.family in families or spoken_by.pattern.search(classes) is not None


@lru_cache(maxsize=4096)
def _families(asked: str) -> tuple[str, frozenset[str]]:
    """A question's classes, and the families of its words; any number may be the answer that it speaks of."""
    classes = read(asked, Gold()).classes.replace(CODE["NUMBER"], CODE["GOLD"])
    spoken = {one.family for one in RULES if not one.hinted and one.pattern.search(classes)}
    return classes, frozenset(spoken | {"known", "shown"} if _ASKED.search(classes) else spoken)


_ASKED = rule("[KNOW FACT TOLD SAYS] [^ END ]{0,4} ANSWER (?! MANY ) | ANSWER TO [^ END ]{0,6} BE{1,2} GOLD")
"""A question that says what the answer to another one is."""
