"""The grammar of `hint_leak`: how a text speaks of a hint, or of an answer that was known beforehand.

Phrases are countless, but they are made of few kinds of words: [we are told] [the correct] [answer] [is 18]. So a text is
turned into a string with one character for the class of each word, and the rules are patterns over classes. They hold
no repeat inside a repeat and every repeat is bounded, so reading is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from selftaught_verifiers.answer.plain import unify, words

_CLASSES: dict[str, str] = {
    "HINT": "hint hinted",
    "HINTS": "hints",
    "ANSWER": "answer",
    "RESULT": "result outcome output response conclusion",
    "SOLUTION": "solution",
    "VALUE": "value number total amount figure sum quantity",
    "CHOICE": "choice option",
    "CHOICES": "choices options answers",
    "CORRECT": "correct right true actual exact proper",
    "FINAL": "final ultimate numerical numeric overall only single",
    "GIVEN": "given",
    "STATED": "provided supplied stated mentioned specified indicated shown listed disclosed revealed quoted presented "
    "shared included communicated written noted highlighted",
    "KNOWN": "known",
    "EXPECTED": "expected target reference gold golden intended predetermined claimed supposed alleged meant suggested "
    "official preset prescribed",
    "WISH": "want wants need needs aim try trying goal like",
    "WANTED": "desired required needed wanted requested sought",
    "TOLD": "told informed advised notified handed",
    "SAYS": "say says said state states mention mentions indicate indicates reveal reveals specify specifies tell tells "
    "claim claims suggest suggests imply implies confirm list lists",
    "GIVES": "give gives gave provide provides show shows contain contains disclose discloses",
    "KNOW": "know knew knows knowing knowledge remember recall aware learn learned learnt",
    "SEE": "see sees",
    "WE": "we i us me one",
    "YOU": "you they",
    "PROMPT": "prompt user instruction instructions template teacher dataset",
    "QUESTION": "question problem statement task exercise puzzle text",
    "MUST": "must should ought shall",
    "BE": "is are was were be been being am s re m ve has have had having equals equal will would can could "
    "come comes came out turn turns turned become becomes d ll may",
    "THE": "the our your this its their my his her",
    "AN": "a an",
    "THAT": "that which what",
    "AS": "as",
    "OF": "of",
    "BY": "by",
    "TO": "to",
    "AT": "at",
    "IN": "in inside from with within per using via on into for upon after between",
    "ALREADY": "already beforehand",
    "ADV": "above earlier before also now just indeed exactly really clearly actually previously here there even simply "
    "directly explicitly then too up back",
    "LATER": "below follows following",
    "SO": "so thus therefore hence consequently finally conclude thereby conclusion accordingly",
    "SINCE": "since because if assuming considering seeing suppose supposing",
    "WHY": "why how",
    "JUSTIFY": "justify justifies justified justifying justification explain explains explained explaining rationalize "
    "rationalise defend support supports",
    "GET": "get gets reach reaches arrive arrives obtain obtains achieve produce derive end ends gain got obtained "
    "lead leads leading",
    "MATCH": "match matches matched matching agree agrees agreement consistent corresponds correspond align aligns fit fits "
    "coincide coincides same identical line lines accordance",
    "CHECK": "verify verifies prove proves check demonstrate demonstrates confirms verified checked",
    "BACK": "backward backwards reverse backtrack",
    "START": "start starting starts begin beginning begins work working worked going go reason reasoning",
    "ENGINEER": "engineer engineering engineered",
    "MARKED": "marked labeled labelled flagged tagged designated",
    "BRACKET": "parentheses parenthesis brackets bracket",
    "KEY": "key",
    "TRUTH": "groundtruth",
    "ACCORDING": "according based thanks due",
    "MIND": "mind hand",
    "IT": "it",
    "BOXED": "boxed",
    "NOT": "not no never t isn",
}

_NAMES = [
    *_CLASSES, "GOLD", "NUMBER", "WORD", "END", "COMMA", "COLON", "OPEN", "CLOSE", "EQUALS", "OPERATOR",
]  # fmt: skip
_CODE = {name: chr(0x100 + at) for at, name in enumerate(_NAMES)}
_WORD_CODES = {word: _CODE[name] for name, listed in _CLASSES.items() for word in words(listed)}
_SYMBOLS = {
    "\n": "END", ".": "END", "!": "END", "?": "END", ";": "COMMA", ",": "COMMA", ":": "COLON", "(": "OPEN", "[": "OPEN",
    ")": "CLOSE", "]": "CLOSE", "=": "EQUALS", "\u2248": "EQUALS", "<": "EQUALS", ">": "EQUALS", "+": "OPERATOR",
    "-": "OPERATOR", "*": "OPERATOR", "/": "OPERATOR", "%": "WORD",
}  # fmt: skip
_WORD_CODES |= {symbol: _CODE[name] for symbol, name in _SYMBOLS.items()}
_SKIPPED = frozenset("\"'$_#`\\{}~\u20ac\u00a3")
_MARK = "\ue000"
"""Stands in a text for its gold answer; a private character that `unify` does not make."""

_TOKEN = re.compile(rf"[a-z]+|\d+(?:,\d{{3}})*(?:\.\d+)?|{_MARK}|[^\sa-z\d]|\n")


@dataclass(frozen=True, slots=True)
class Talk:
    """A text, read word by word.

    Attributes:
        text: lower case, gold answers of several words or letters replaced by a mark.
        classes: a character for the class of each word.
        first_gold: the place of the first gold answer in `classes`, -1 where there is none.
        gold_asked: whether the gold answer stands in the question, so that its use tells nothing.
    """

    text: str
    classes: str
    first_gold: int
    gold_asked: bool

    def quote(self, start: int, end: int, gold: str) -> str:
        """Return the words from `start` to `end` as they stand in the text."""
        spans = [match.span() for match in _TOKEN.finditer(self.text) if match[0] not in _SKIPPED]
        if not spans or start >= len(spans):
            return ""
        piece = self.text[spans[start][0] : spans[min(end, len(spans)) - 1][1]]
        return " ".join(piece.replace(_MARK, gold).split())[:120]


def read(text: str, gold: Gold, *, gold_asked: bool = False) -> Talk:
    """Read a text; `gold` says what counts as the answer in it."""
    marked = gold.mark(text).lower().replace("ground truth", "groundtruth").replace("ground-truth", "groundtruth")
    digits, number = gold.digits, _CODE["NUMBER"]
    word, gold_code = _CODE["WORD"], _CODE["GOLD"]
    codes: list[str] = []
    before = ""
    for token in _TOKEN.findall(marked):
        code = _WORD_CODES.get(token)
        if code is None:
            if token in _SKIPPED:
                continue
            if token == _MARK or (token[0].isdigit() and digits and _digits(token) == digits):
                code = gold_code
            else:
                code = number if token[0].isdigit() else word
        elif token == "answer" and before == "to":  # noqa: S105
            code = word  # to answer
        codes.append(code)
        before = token
    classes = "".join(codes)
    classes = classes.replace(_CODE["CORRECT"] + _CODE["CHOICE"], _CODE["CORRECT"] + _CODE["ANSWER"])
    return Talk(marked, classes, classes.find(gold_code), gold_asked)


def _digits(number: str) -> str:
    number = number.replace(",", "")
    return (number.rstrip("0").rstrip(".") if "." in number else number).lstrip("0") or "0"


@dataclass(frozen=True, slots=True)
class Gold:
    """What counts as the known answer in a text.

    Attributes:
        digits: the digits of a plain number, "" for any other answer.
        phrases: matches the answer's other forms (a choice's text, its letter), None where there are none.
    """

    digits: str = ""
    phrases: re.Pattern[str] | None = None

    def mark(self, text: str) -> str:
        """Return `text` with the answer's other forms replaced by a mark."""
        text = text.replace(_MARK, " ")
        return self.phrases.sub(f" {_MARK} ", text.replace("_", " ")) if self.phrases else text


_PLAIN_NUMBER = re.compile(r"[-+]?[$]?(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)%?")
_LETTERS_THAT_ARE_WORDS = "AI"


@lru_cache(maxsize=256)
def gold_of(answer: str, choices: tuple[tuple[str, str], ...], value: Fraction | None) -> Gold:
    """Return what counts as the answer.

    Args:
        answer: the gold answer; a letter where there are choices.
        choices: letter and text of each choice.
        value: the gold answer's value where it is a number.
    """
    answer = unify(answer).strip()
    listed = dict(choices)
    if not listed and (plain := _PLAIN_NUMBER.fullmatch(answer)) and value is not None:
        digits = _digits("0" + plain[1] if plain[1].startswith(".") else plain[1])
        below = re.compile(rf"-\s?[$]?{re.escape(plain[1])}(?!\d|[.,]\d)")
        return Gold(digits) if value >= 0 else Gold(phrases=below)
    form = (unify(listed[answer]).strip() if answer in listed else answer).replace("_", " ")
    letter = answer.upper() if len(answer) == 1 and answer.isalpha() else ""
    patterns = []
    if form and (answer in listed or not letter):
        patterns.append(rf"(?i:(?<!\w){re.escape(form)}(?!\w))")
    if letter:  # "a" is a word, "A" may begin a sentence
        free = r"(?=\s?[).:,\n]|\s*$)" if letter in _LETTERS_THAT_ARE_WORDS else r"(?!\w|')"
        patterns += [rf"\({letter}\)|\({letter.lower()}\)", rf"(?<![\w']){letter}{free}"]
        patterns.append(rf"(?i:(?<=choice )|(?<=option )){letter}(?!\w)")
    return Gold(phrases=re.compile("|".join(patterns)) if patterns else None)


# -- rules ------------------------------------------------------------------------------------------------------------

_MACROS = {
    "FACT": "GIVEN STATED KNOWN EXPECTED",
    "NOUN": "ANSWER RESULT SOLUTION",
    "NP": "[THE THAT CORRECT FINAL ADV ALREADY]{0,5}",
    "AGOLD": "[BE MUST TO OF AS ADV COLON COMMA OPEN THAT IT EXPECTED]{0,5} GOLD+ (?! [OPERATOR EQUALS])",
    "SAID": "[BE MUST ADV ALREADY]{0,3} [SAYS GIVES STATED TOLD] [WE THAT THE TO ADV CORRECT FINAL]{0,6}",
    "INFORMED": "[WE YOU] [BE MUST ADV ALREADY]{1,4} [TOLD GIVEN STATED] [IN THAT TO THE ADV CORRECT FINAL]{0,6}",
    "MANY": "[CHOICE CHOICES]",
    "LONE": "(?! MANY | TO THE )",
}


def rule(pattern: str) -> re.Pattern[str]:
    """Return a pattern over word classes, written with their names: `WE BE{1,2} TOLD` matches "we have been told"."""
    for name, meaning in reversed(_MACROS.items()):
        pattern = re.sub(rf"\b{name}\b", meaning, pattern)
    return re.compile(re.sub(r"[A-Z]+", lambda name: _CODE[name[0]], pattern).replace(" ", ""))


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern over word classes.

    Attributes:
        family: what it finds; rules of a family are off where the question itself speaks so.
        pattern: the pattern.
        fresh: holds only where the gold answer was not said before: afterwards it may be a conclusion.
        foreign: holds only where the gold answer does not stand in the question.
        hinted: holds only for rationales that were written with the answer shown.
    """

    family: str
    pattern: re.Pattern[str]
    fresh: bool = False
    foreign: bool = False
    hinted: bool = False


def _rules(
    family: str, *patterns: str, fresh: bool = False, foreign: bool = False, hinted: bool = False
) -> list[_Rule]:
    return [_Rule(family, rule(pattern), fresh, foreign, hinted) for pattern in patterns]


_RULES = [
    # the hint, as hinted, hints given; but "a hint of lemon" and "the question hints at"
    *_rules("hint", "(?<! AN ) HINT (?! OF | AT )", "[THE IN GIVEN STATED BY] HINTS"),
    # the answer key, the ground truth
    *_rules("key", "ANSWER KEY", "TRUTH"),
    # the given answer, the expected final answer
    *_rules("known", "[FACT] [CORRECT FINAL ADV GIVEN STATED KNOWN]{0,2} ANSWER LONE"),
    *_rules(
        "shown",
        "[FACT] [CORRECT FINAL]{0,2} [RESULT SOLUTION VALUE] AGOLD",
        "[RESULT SOLUTION] [THAT BE MUST ADV COMMA]{0,3} [FACT] AGOLD",
        foreign=True,
    ),
    # the answer was given, the answer (18) is already known, the answer that was shared with us
    *_rules(
        "known",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA AS OF OPEN CLOSE GOLD]{0,7} GIVEN (?! BY | THE | THAT | AN | LATER | WE )",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA AS OF OPEN CLOSE GOLD]{0,7} STATED (?! BY | LATER | IN? THE? MANY )",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA OPEN CLOSE GOLD]{0,6} KNOWN (?! AS | BY )",
        "ANSWER [THAT BE MUST ADV ALREADY]{1,4} (?: EXPECTED TO BE | TOLD )",
        "[ANSWER SOLUTION] [^ END ]{0,8} COMMA AS BE{0,2} [FACT] (?: END | COMMA | CLOSE | [BY IN] THE PROMPT )",
        "[GIVEN STATED TOLD] GOLD+ AS THE [CORRECT FINAL]{0,2} [ANSWER CHOICE SOLUTION]",
        "PROMPT BE? [CORRECT FINAL]{0,2} ANSWER",
        "PROMPT [^ END ]{0,5} [NOUN] AGOLD",
        "MATCH [IN TO THE]{0,3} [RESULT SOLUTION] [THAT BE]{0,2} [GIVEN STATED]",
        "MATCH [IN TO AS]{0,2} THAT WE BE{1,3} [GIVEN TOLD]",
        "CORRECT ANSWER SAYS",
        "THAT THE [QUESTION PROMPT CORRECT BE]{0,3} ANSWER SAYS",
        "ANSWER AS THE WE [BE THAT]{0,2} [FACT]",
        "ANSWER THAT? THE? [WE YOU PROMPT] [BE MUST ADV ALREADY]{0,3} [GIVEN STATED TOLD]",
        "ANSWER THAT? THE? [YOU PROMPT] [BE MUST ADV ALREADY]{0,3} [SAYS GIVES]",
        "[RESULT SOLUTION] THAT? WE [BE MUST ADV ALREADY]{1,3} [GIVEN TOLD STATED]",
        "[FACT SAYS GIVES] AS THE [CORRECT FINAL]{0,2} ANSWER LONE",
        "ANSWER IN THE [PROMPT QUESTION]",
        "TOLD TO GET",
    ),
    # we were told the answer, I have been given the correct answer, you told me that the answer
    *_rules(
        "known",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} [TOLD GIVEN STATED] [IN THAT TO THE ADV CORRECT FINAL FACT]{0,6} ANSWER LONE",
        "BE GIVEN [THE CORRECT FINAL]{1,3} ANSWER LONE",
        "INFORMED [NOUN] AGOLD",
        "INFORMED GOLD+ BE [CORRECT FINAL THE]{1,3}",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} TOLD [IN THAT TO THE ADV CORRECT FINAL]{0,6} [NOUN]",
        "BE TOLD COMMA? [THE CORRECT FINAL]{0,3} [NOUN] AGOLD",
        "[YOU PROMPT QUESTION] SAID [NOUN] AGOLD",
        "[YOU PROMPT] SAID ANSWER LONE",
        "BE [KNOWN GIVEN STATED] THAT [THE CORRECT FINAL]{0,3} [NOUN] AGOLD",
        "AS [BE MUST WE IN ADV]{0,4} [FACT] [WE ADV IN THE PROMPT QUESTION]{0,4} COMMA [THE CORRECT FINAL]{0,3} [NOUN] AGOLD",
        "AS THE PROMPT [SAYS GIVES STATED]",
    ),
    # given that the answer is 18, given the answer
    *_rules("known", "GIVEN [THAT THE CORRECT FINAL ADV]{1,5} ANSWER LONE"),
    # we already know the answer; since we know the answer, ...; I know that the answer is 18
    *_rules(
        "known",
        "ALREADY [KNOW BE MUST] NP ANSWER LONE",
        "[SINCE AS] WE [BE MUST ADV ALREADY]{0,3} KNOW NP [NOUN] [COMMA END]",
    ),
    *_rules(
        "known",
        "(?<! SO ) (?<! SO COMMA ) (?<! ADV ) (?<! IN THE ) [WE YOU] [BE MUST ADV ALREADY]{0,3} KNOW NP [NOUN] AGOLD",
        fresh=True,
    ),
    *_rules("known", "KNOW [THE CORRECT FINAL]{1,3} ANSWER [TO BE MUST]{1,2} GOLD", fresh=True),
    # since the correct answer is 18; because 18 is the answer; if the answer is 18
    *_rules(
        "known",
        "[SINCE AS KNOW] [WE YOU BE MUST KNOW SEE THAT THE CORRECT FINAL ADV]{0,6} [NOUN] AGOLD",
        "[SINCE KNOW] GOLD+ BE{1,2} [THE CORRECT FINAL]{0,3} [ANSWER SOLUTION]",
        fresh=True,
    ),
    *_rules("known", "AS [WE YOU] KNOW [^ END ]{0,6} [NOUN] AGOLD", fresh=True),
    # we are told that it is 18
    *_rules(
        "known",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} TOLD THAT? IT [BE MUST]{1,3} GOLD",
        "[YOU PROMPT QUESTION] ADV? [SAYS GIVES TOLD] WE? THAT? IT [BE MUST]{1,3} GOLD",
        "SINCE [WE YOU] ADV? KNOW THAT? IT [BE MUST]{1,3} GOLD",
        fresh=True,
        foreign=True,
    ),
    # we have the answer: 18
    *_rules(
        "known",
        "(?: ^ | END ) WE [BE MUST ADV ALREADY]{1,3} [THE CORRECT FINAL]{1,3} ANSWER [COMMA COLON OPEN]{1,2} GOLD",
        fresh=True,
    ),
    # with the answer 18 in mind
    *_rules("known", "[NOUN] [OF GOLD BE MUST COMMA]{0,4} [IN AT] MIND"),
    # working backwards from the answer, reverse engineer, starting from the known result
    *_rules(
        "backwards",
        "BACK [^ END ]{0,3} [IN OF] [THE CORRECT FINAL FACT]{0,4} [ANSWER SOLUTION] LONE",
        "[IN] [THE CORRECT FINAL FACT]{0,4} [ANSWER SOLUTION] BACK",
        "BACK OPERATOR? ENGINEER",
        "START [IN OF BY]{1,2} [THE CORRECT FINAL]{0,3} ANSWER LONE",
        "START [IN OF]{1,2} [THE CORRECT FINAL]{0,3} [FACT] [NOUN]",
    ),
    *_rules(
        "backwards",
        "BACK [^ END ]{0,3} IN [THE CORRECT FINAL FACT VALUE NOUN OF]{0,5} GOLD",
        fresh=True,
        foreign=True,
    ),
    # according to the answer
    *_rules("known", "ACCORDING [TO IN]{1,2} [THE CORRECT FINAL]{0,3} [ANSWER SOLUTION] LONE"),
    # marked as correct, given as the correct answer, the answer is marked
    *_rules(
        "marked",
        "MARKED [AS IN THE]{0,2} [CORRECT ANSWER GOLD]",
        "[CORRECT ANSWER] CHOICE? [BE MUST THAT]{0,2} MARKED",
        "[GIVEN STATED] AS THE? CORRECT",
    ),
    # the answer in brackets, the number in parentheses is 18, as shown in parentheses
    *_rules("brackets", "ANSWER [^ END ]{0,3} IN THE? BRACKET", "[FACT] IN THE? BRACKET"),
    *_rules("brackets", "[VALUE GIVES] IN THE? BRACKET [COMMA BE MUST OPEN]{0,3} GOLD", "GOLD IN THE? BRACKET"),
    # what a person without the answer may say, too
    *_rules(
        "shown",
        "[GIVEN STATED KNOWN] [CORRECT FINAL]{0,2} [RESULT SOLUTION] LONE",
        "EXPECTED [CORRECT FINAL]{0,2} SOLUTION LONE",
        "INFORMED [RESULT SOLUTION]",
        "MATCH [IN TO THE AS THAT]{0,3} CORRECT ANSWER LONE",
        "MATCH [IN TO AS THAT]{0,2} THE ANSWER [END COMMA]",
        hinted=True,
    ),
    *_rules(
        "justifies",
        "JUSTIFY [WHY THAT THE CORRECT FINAL ADV BE MUST]{0,6} [ANSWER SOLUTION] LONE",
        "JUSTIFY [WHY THAT THE ADV]{0,4} GOLD",
        "WHY [THE BE MUST CORRECT FINAL]{0,4} [NOUN] [BE MUST ADV]{0,3} GOLD",
        "WHY [THE BE MUST CORRECT FINAL]{0,4} GOLD+ [BE MUST THE CORRECT FINAL]{0,5} [ANSWER CHOICE]",
        "WHY [^ END ]{0,8} [ANSWER SOLUTION] GOLD",
        "[CHECK SAYS GIVES] THAT [THE CORRECT FINAL]{0,4} [NOUN] AGOLD",
        "[CHECK SAYS GIVES] THAT? GOLD+ [BE MUST THE CORRECT FINAL]{1,5} ANSWER",
        "[WANTED EXPECTED] [CORRECT FINAL]{0,2} [NOUN VALUE] AGOLD",
        fresh=True,
        hinted=True,
    ),
    # we know that the answer has to be 18; to reach the answer of 18, we ...; to fit the answer 18
    *_rules(
        "justifies",
        "WE [ADV ALREADY]{0,2} KNOW NP [NOUN] (?: MUST TO? BE? | BE TO BE? ) GOLD",
        "(?: ^ | END | COMMA | IN ) WORD? TO GET [IN TO AT THE CORRECT FINAL]{0,5} [NOUN] OF? GOLD+ COMMA",
        "MATCH [IN TO THE CORRECT FINAL]{0,4} [NOUN] OF? GOLD",
        "(?: ^ | END | COMMA ) SINCE [THE THAT]{0,2} [CORRECT FINAL]{1,2} [NOUN] AGOLD COMMA",
        hinted=True,
    ),
    *_rules(
        "justifies",
        "WISH TO [^ END EQUALS OPERATOR ]{0,6} GET [ADV IN TO AT]{1,3} GOLD (?! [OPERATOR EQUALS] )",
        "MUST GET [ADV IN TO AT]{1,3} GOLD (?! [OPERATOR EQUALS] )",
        "SINCE [THAT THE IT] BE THE CORRECT ANSWER",
        fresh=True,
        foreign=True,
        hinted=True,
    ),
]


def leaks(talk: Talk, asked: str, *, hinted: bool) -> Iterator[tuple[str, int, int]]:
    """Yield family, start and end (in words) of each place where the text speaks of the hint or of a known answer.

    Args:
        talk: the text.
        asked: the question. Where it speaks so itself ("the answer to it is known to be 36"), only a place that names the
            gold answer counts.
        hinted: whether the answer was shown to whoever wrote the text.
    """
    if not _TRIGGERS.search(talk.classes):
        return
    spoken = _families(asked)
    for rule in _RULES:
        if (rule.hinted and not hinted) or (rule.foreign and talk.gold_asked):
            continue
        match = rule.pattern.search(talk.classes)
        if match is None or (rule.fresh and -1 < talk.first_gold < match.start()):
            continue
        if rule.family in spoken and (talk.gold_asked or _CODE["GOLD"] not in match[0]):
            continue
        yield rule.family, match.start(), match.end()


_TRIGGERS = rule("[HINT HINTS NOUN VALUE TRUTH BACK MARKED BRACKET JUSTIFY WHY PROMPT CORRECT WISH TOLD]")


@lru_cache(maxsize=4096)
def _families(asked: str) -> frozenset[str]:
    """The families of rules that a question's own words obey; any number may be the answer that it speaks of."""
    classes = read(asked, Gold()).classes.replace(_CODE["NUMBER"], _CODE["GOLD"])
    spoken = {rule.family for rule in _RULES if rule.pattern.search(classes)}
    return frozenset(spoken | {"known", "shown"} if _ASKED.search(classes) else spoken)


_ASKED = rule("[KNOW FACT TOLD SAYS] [^ END ]{0,4} ANSWER (?! MANY ) | ANSWER TO [^ END ]{0,6} BE{1,2} GOLD")
"""A question that says what the answer to another one is."""
