"""How `hint_leak` reads: a text as classes of words, and the language of patterns over them.

Phrases are countless, but they are made of few kinds of words: [we are told] [the correct] [answer] [is 18]. So a text is
turned into a string with one character for the class of each word, and a rule is a pattern over classes (`rules` holds
them). Patterns hold no repeat inside a repeat and every repeat is bounded, so reading is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from selftaught_verifiers.text.plain import unify, words

_CLASSES: dict[str, str] = {
    "HINT": "hint hinted",
    "HINTS": "hints",
    "CLUE": "clue clues spoiler",
    "ANSWER": "answer ans",
    "RESULT": "result outcome output response conclusion",
    "SOLUTION": "solution",
    "VALUE": "value number total amount figure sum quantity",
    "CHOICE": "choice option",
    "CHOICES": "choices options answers",
    "CORRECT": "correct right true actual exact proper",
    "FINAL": "final ultimate numerical numeric overall only single",
    "GIVEN": "given",
    "STATED": "provided supplied stated mentioned specified indicated shown listed disclosed revealed quoted presented "
    "shared included communicated written noted highlighted printed displayed attached appended furnished identified "
    "announced declared conveyed cited confirmed",
    "KNOWN": "known",
    "EXPECTED": "expected target reference gold golden intended predetermined claimed supposed alleged meant suggested "
    "official preset prescribed anticipated predefined prespecified targeted implied "
    "promised apparently supposedly allegedly reportedly",
    "WISH": "want wants need needs aim try trying goal like expect expects expecting hope hoping objective purpose",
    "WANTED": "desired required needed wanted requested sought",
    "TOLD": "told informed advised notified handed seen instructed",
    "SAYS": "say says said saying state states mention mentions indicate indicates reveal reveals specify specifies tell tells "
    "claim claims suggest suggests imply implies confirm list lists convey conveys declare declares note notes identify "
    "identifies signal signals assert asserts dictate dictates",
    "GIVE": "give gives gave provide provides contain contains disclose discloses include includes carries",
    "SHOW": "show shows showing",
    "MAKE": "make makes making",
    "ASKED": "asked",
    "KNOW": "know knew knows knowing knowledge remember recall aware learn learned learnt",
    "SEE": "see sees",
    "WE": "we i us me",
    "ONE": "one",
    "YOU": "you they",
    "PROMPT": "prompt user instruction instructions template teacher dataset questioner asker author",
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
    "rationalise defend support supports argue",
    "GET": "get gets reach reaches arrive arrives obtain obtains achieve produce derive end ends gain got obtained "
    "lead leads leading yield yields landing land lands",
    "MATCH": "match matches matched matching agree agrees agreement consistent corresponds correspond align aligns fit fits "
    "coincide coincides same identical line lines accordance agreeing tallies tally accords conforms reproduces "
    "corresponding aligned",
    "CHECK": "verify verifies prove proves check demonstrate demonstrates confirms verified checked validates validate "
    "confirming verifying validating corroborates",
    "BACK": "backward backwards reverse backtrack",
    "START": "start starting starts begin beginning begins work working worked going go reason reasoning",
    "ENGINEER": "engineer engineering engineered",
    "MARKED": "marked labeled labelled flagged tagged designated annotated starred ticked circled denoted",
    "LABEL": "label mark marking tag annotation marker asterisk tick checkmark flag marks labels tags flags",
    "LOOK": "look looking looked judging glancing glance",
    "BUT": "but however wait hmm although though yet still unless otherwise",
    "BRACKET": "parentheses parenthesis brackets bracket parenthetical parenthesized bracketed parens",
    "KEY": "key sheet manual",
    "TRUTH": "groundtruth",
    "ACCORDING": "according based thanks due",
    "MIND": "mind hand disposal sight front view advance",
    "IT": "it",
    "BOXED": "boxed",
    "NOT": "not no never t isn",
}

_NAMES = [
    *_CLASSES, "GOLD", "NUMBER", "WORD", "END", "COMMA", "COLON", "OPEN", "CLOSE", "EQUALS", "OPERATOR",
]  # fmt: skip
CODE = {name: chr(0x100 + at) for at, name in enumerate(_NAMES)}
_WORDCODES = {word: CODE[name] for name, listed in _CLASSES.items() for word in words(listed)}
_MARK = "\ue000"
"""Stands in a text for its gold answer; a private character that `unify` does not make."""
_SYMBOLS = {
    "\n": "END", ".": "END", "!": "END", "?": "END", ";": "COMMA", ",": "COMMA", ":": "COLON", "(": "OPEN", "[": "OPEN",
    ")": "CLOSE", "]": "CLOSE", "=": "EQUALS", "\u2248": "EQUALS", "<": "EQUALS", ">": "EQUALS", "+": "OPERATOR",
    "-": "OPERATOR", "*": "OPERATOR", "/": "OPERATOR", "%": "WORD",
}  # fmt: skip
_WORDCODES |= {_MARK: CODE["GOLD"]} | {symbol: CODE[name] for symbol, name in _SYMBOLS.items()}
_IDLE = frozenset(
    word for name in ("EXPECTED", "WANTED", "PROMPT", "LABEL", "CLUE", "LOOK") for word in words(_CLASSES[name])
)
_TOKEN = re.compile(rf"[a-z]+|[0-9]+(?:,[0-9]{{3}})*(?:\.[0-9]+)?|{_MARK}|[^\sa-z0-9\"'$_#`\\{{}}~\u20ac\u00a3]|\n")


@dataclass(frozen=True, slots=True)
class Talk:
    """A text, read word by word.

    Attributes:
        text: lower case, gold answers of several words or letters replaced by a mark.
        classes: a character for the class of each word.
        first_gold: the place of the first gold answer in `classes`, -1 where there is none.
        gold_asked: whether the gold answer stands in the question, so that its use tells nothing.
        numeric: whether the gold answer is a plain number.
    """

    text: str
    classes: str
    first_gold: int
    gold_asked: bool
    numeric: bool

    def quote(self, start: int, end: int, gold: str) -> str:
        """Return the words from `start` to `end` as they stand in the text."""
        spans = [match.span() for match in _TOKEN.finditer(self.text)]
        if not spans or start >= len(spans):
            return ""
        piece = self.text[spans[start][0] : spans[min(end, len(spans)) - 1][1]]
        return " ".join(piece.replace(_MARK, gold).split())[:120]


def read(text: str, gold: Gold, *, gold_asked: bool = False, idle: frozenset[str] = frozenset()) -> Talk:
    """Read a text; `gold` says what counts as the answer in it, the words in `idle` are of no class."""
    marked = gold.mark(text).lower().replace("ground truth", "groundtruth").replace("ground-truth", "groundtruth")
    word, number, digits = CODE["WORD"], CODE["NUMBER"], gold.digits
    code_of = {**_WORDCODES, **dict.fromkeys(idle, word)} if idle else _WORDCODES
    classes = "".join(
        code_of.get(token)
        or (word if not "0" <= token[0] <= "9" else CODE["GOLD"] if digits and is_number(token, digits) else number)
        for token in _TOKEN.findall(marked)
    )
    for pair, meant in _PAIRS:
        classes = classes.replace(pair, meant)
    return Talk(marked, classes, classes.find(CODE["GOLD"]), gold_asked, gold.digits != "")


_PAIRS = tuple(
    ("".join(CODE[name] for name in pair.split()), "".join(CODE[name] for name in meant.split()))
    for pair, meant in (
        ("TO ANSWER", "TO WORD"),
        ("CORRECT CHOICE", "CORRECT ANSWER"),
        ("CORRECT ONE", "CORRECT ANSWER"),
    )
)


def idle_words(asked: str) -> frozenset[str]:
    """The words of a question that mean nothing where its rationale says them: "expected value", "the marked price"."""
    if not any(word in asked for word in _IDLE):
        return frozenset()
    return _IDLE.intersection(re.findall("[a-z]+", asked))


def is_number(token: str, digits: str) -> bool:
    """Whether `token`, a number as it is written, has the value of `digits`, as `Gold` holds it."""
    return token == digits or (("," in token or "." in token or token[0] == "0") and _digits(token) == digits)


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
        free = (
            r"(?=\s?[).:,\n]|\s*$|\s(?:is|as|was|being|because)\b)"
            if letter in _LETTERS_THAT_ARE_WORDS
            else r"(?!\w|')"
        )
        patterns += [rf"\({letter}\)|\({letter.lower()}\)", rf"(?<![\w']){letter}{free}"]
        patterns.append(rf"(?i:(?<=choice )|(?<=option )){letter}(?!\w)")
    return Gold(phrases=re.compile("|".join(patterns)) if patterns else None)


# -- rules ------------------------------------------------------------------------------------------------------------

_MACROS = {
    "GIVES": "GIVE SHOW",
    "FACT": "GIVEN STATED KNOWN EXPECTED",
    "NOUN": "ANSWER RESULT SOLUTION",
    "NP": "[THE THAT CORRECT FINAL ADV ALREADY]{0,5}",
    "AGOLD": "[BE MUST TO OF AS ADV COLON COMMA OPEN THAT IT EXPECTED]{0,5} GOLD+ (?! [OPERATOR EQUALS])",
    "SAID": "[BE MUST ADV ALREADY]{0,3} [SAYS GIVES STATED TOLD] [WE THAT THE TO ADV CORRECT FINAL]{0,6}",
    "INFORMED": "[WE YOU] [BE MUST ADV ALREADY]{1,4} [TOLD GIVEN STATED] [IN THAT TO THE ADV CORRECT FINAL]{0,6}",
    "NEAR": "[^ END COMMA COLON SO NOT ACCORDING CHOICES NUMBER OPERATOR EQUALS ]{0,7}",
    "CALM": "^ END EQUALS OPERATOR NUMBER",
    "STOP": "(?: $ | [END COMMA CLOSE] )",
    "ASKER": "QUESTION PROMPT",
    "MANY": "[CHOICE CHOICES]",
    "LONE": "(?! MANY | TO THE )",
}


def rule(pattern: str) -> re.Pattern[str]:
    """Return a pattern over word classes, written with their names: `WE BE{1,2} TOLD` matches "we have been told"."""
    return re.compile(re.sub(r"[A-Z]+", lambda name: CODE[name[0]], spelled(pattern)).replace(" ", ""))


def spelled(pattern: str) -> str:
    """Return a pattern with its short names written out."""
    for name, meaning in reversed(_MACROS.items()):
        pattern = re.sub(rf"\b{name}\b", meaning, pattern)
    return pattern
