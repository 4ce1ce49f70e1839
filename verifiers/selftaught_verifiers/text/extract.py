"""Finding the final answer in a response: drop the thinking, then take the last final-answer marker."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LENGTH = 200_000
"""Characters of a response that are read, from its end."""

_SEGMENT = 2_000
_TRIES = 64


@dataclass(frozen=True, slots=True)
class Final:
    """The text in which the final answer stands.

    Attributes:
        text: the answer's own text, or the line it stands in.
        method: what marked it: `tag`, `box`, `hash`, `phrase`, or `last_line` where nothing did.
        after: what the response goes on to say.
    """

    text: str
    method: str
    after: str = ""

    @property
    def strict(self) -> bool:
        """Whether an explicit marker stood before the answer."""
        return self.method != "last_line"

    @property
    def enclosed(self) -> bool:
        """Whether the marker has an end of its own, so that `text` is the answer and nothing else."""
        return self.method in ("tag", "box")


_THINK = re.compile(
    r"<(/?)(?:seed:)?(?:think|thinking|thoughts?|reasoning|scratchpad)>|\[(/?)THINK\]|<\|(?:begin|(end))_of_thought\|>"
    r"|(?:\u25c1|<\|)(/?)think(?:\u25b7|\|>)",
    re.IGNORECASE,
)


def without_thinking(text: str) -> str | None:
    """Return `text` without `<think>` blocks; None where one is never closed, since then no answer was given.

    A closing tag without an opening one (servers that strip the prompt's opening tag) ends a block too.
    """
    if not any(mark in text for mark in "<[\u25c1"):
        return text
    kept, open_at, last = [], None, 0
    for match in _THINK.finditer(text):
        if any(match.groups()):
            if open_at is None:
                kept.clear()  # everything so far was thinking
            open_at, last = None, match.end()
        elif open_at is None:
            kept.append(text[last : match.start()])
            open_at = match.start()
    return None if open_at is not None else "".join([*kept, text[last:]])


_END_OF_TURN = re.compile(r"<\|(?:im_end|im_start|endoftext|eot_id|end|eos|end_of_text)\|>|</s>|<end_of_turn>")
_ROLE = re.compile(r"(?:<\|[\w ]{1,30}\|>|</?s>|<end_of_turn>|<start_of_turn>|\s|user|assistant|model|system)*")


_HTML = re.compile(r"</?(?:b|i|u|em|strong|span|p|div|br|code|center|mark|h[1-6])(?:\s[^<>]{0,60})?/?>", re.IGNORECASE)


def without_html(text: str) -> str:
    """Return `text` without HTML that only changes how it looks."""
    return _HTML.sub(" ", text) if "</" in text or "/>" in text else text


def without_end_of_turn(text: str) -> str:
    """Return `text` without the chat template's marks at its end."""
    tail = text[-200:]
    match = _END_OF_TURN.search(tail) if "<" in tail else None
    return text[: len(text) - len(tail) + match.start()] if match and _ROLE.fullmatch(tail, match.start()) else text


def find_final(text: str, kind: str) -> Final:
    """Return the last marked answer of `text`, or its last line where none is marked."""
    best, at = None, -1
    for find in (_tag, _box, _hash):
        start, final = find(text)
        if final is not None and start > at:
            best, at = final, start
    start, final = _phrase(text, kind, at)
    if final is not None and start > at:
        best = final
    return best or _unmarked(text, kind)


_NUMERIC = re.compile(
    r"[\d\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|\w{3,5}teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|none|half)\b",
    re.IGNORECASE,
)
# A line after the result that says one of these does not merely round it off.
_NO_CLOSING = re.compile(
    r"\b(?:not|n't|cannot|no|unsure|unknown|unclear|impossible|wrong|mistake|incorrect|but|however|wait|actually|answer|sorry)\b|n't\b|\?",
    re.IGNORECASE,
)
_LONE = re.compile(r"[\s*(\[]{0,3}[A-J][\s*).:\]]{0,3}")
_LETTER = re.compile(r"(?<![\w'])[A-J](?![\w'])")
_OPENING_LETTER = re.compile(r"[\s*(\[]{0,3}[A-J](?:[).:\]]|\s(?=[A-Z])|\s*$)")


def _unmarked(text: str, kind: str) -> Final:
    start, end = _last_line(text)
    line = text[start:end]
    if kind in ("math", "text"):
        # What follows the last line that says something are the marks that close a formula, if anything.
        start, end = _with_display(text, start, min(len(text), end + _MAX_GAP))
    elif kind == "number" and start and not _NUMERIC.search(line) and not _NO_CLOSING.search(line):
        before = _last_line(text[max(0, start - _SEGMENT) : start])
        line = text[max(0, start - _SEGMENT) : start][slice(*before)]
        return Final(line if _NUMERIC.search(line) else "", "last_line")
    elif kind == "letter" and start and not _OPENING_LETTER.match(line):
        lines = text.strip()[: 2 * _SEGMENT].split("\n")
        opens = [one for one in lines if _OPENING_LETTER.match(one)]
        # "B. inkwell" and then its explanation; a list of the choices opens with several.
        if opens == lines[:1] and len(opens[0]) < _MAX_GAP and (_LONE.fullmatch(opens[0]) or not _LETTER.search(line)):
            return Final(opens[0], "last_line")
    return Final(text[start:end], "last_line")


_TAG = re.compile(r"<(?:final[_ ]?)?answer>", re.IGNORECASE)
_TAG_END = re.compile(r"</(?:final[_ ]?)?answer>", re.IGNORECASE)


def _tag(text: str) -> tuple[int, Final | None]:
    openings = list(_TAG.finditer(text)) if "<" in text else []
    if not openings:
        return -1, None
    opening = openings[-1]
    inside = opening.end()
    closing = _TAG_END.search(text, inside)
    end = closing.start() if closing else len(text)
    if closing is None and len(text) - inside > _MAX_GAP:
        return -1, None
    body = text[inside : min(end, inside + _SEGMENT)]
    after = text[closing.end() : closing.end() + _SEGMENT] if closing else ""
    inner_start, inner = _box(body)
    if inner is None or inner_start < 0:
        inner_start, inner = _phrase(body, "", -1)
    return opening.start(), Final(inner.text if inner and inner_start >= 0 else body, "tag", after)


def _box(text: str) -> tuple[int, Final | None]:
    end = len(text)
    for _ in range(_TRIES):
        at = max(text.rfind("boxed", 0, end), text.rfind("\\fbox", 0, end))
        if at < 0:
            return -1, None
        found = _boxed(text, at)
        if found is not None:
            body, close = found
            return at, Final(_joined(text, at, body), "box", text[close : close + _SEGMENT])
        end = at
    return -1, None


_BARE_BOX = re.compile(r"\s?(-?\d[\d.,]*\d|-?\d|[A-Za-z](?![A-Za-z]))")


def _boxed(text: str, at: int) -> tuple[str, int] | None:
    r"""What the box at `at` holds and where it ends: braces, or `\boxed 5`."""
    start = at + 5
    body = _braced(text, start)
    if body is not None:
        return body, text.find("{", start) + len(body) + 2
    bare = _BARE_BOX.match(text, start) if text[max(0, at - 1) : at] == "\\" else None
    return (bare[1], bare.end()) if bare else None


_MAX_GAP = 60
_JOINER = re.compile(r"\b(?:and|or)\b|[,;]")
# After one of these words the second box takes the place of the first.
_REPLACES = re.compile(
    r"[.!?](?:\s|$)|\n\s*\n|\d|\b(?:then|wait|no|not|should|actually|wrong|correct\w*|instead|so|thus|gives?|which|hence|therefore"
    r"|but|finally|rather|means|checking|simplif\w+)\b",
    re.IGNORECASE,
)
_NAME_DIGITS = re.compile(r"[A-Za-z]_\{?\d{1,3}\}?|\\text|\\quad|\\\\")


def _joined(text: str, at: int, body: str) -> str:
    """Boxes joined by `and`, `or` or a comma are one answer with several parts."""
    parts = [body]
    while len(parts) < _TRIES:
        before = text.rfind("boxed", max(0, at - 300), at)
        found = _boxed(text, before) if before >= 0 else None
        if found is None:
            break
        gap = text[found[1] : at].rstrip("\\f ")
        if len(gap) > _MAX_GAP or not _JOINER.search(gap) or _REPLACES.search(_NAME_DIGITS.sub(" ", gap)):
            break
        parts.append(found[0])
        at = before
    return " , ".join(reversed(parts))


def _braced(text: str, at: int) -> str | None:
    """The text between the braces that open at `at`, spaces skipped."""
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text) or text[at] != "{":
        return None
    depth = 0
    for index in range(at, min(len(text), at + _SEGMENT)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return text[at + 1 : index]
    return None


def _hash(text: str) -> tuple[int, Final | None]:
    start = text.rfind("####")
    if start < 0:
        return -1, None
    end = _line_end(text, start + 4)
    line = text[start + 4 : end]
    return (start, Final(line, "hash", text[end : end + _SEGMENT])) if line.strip() else (-1, None)


_HEADS = {"letter": re.compile(r"answer|r\u00e9ponse|\u7b54\u6848|choice|option|solution", re.IGNORECASE)}
_HEAD = re.compile(r"answer|r\u00e9ponse|\u7b54\u6848", re.IGNORECASE)
_VERB = re.compile(
    r"s?[*_\"]{0,3}(?: \([^()\n]{0,40}\))?(?: (?:to|for|of) [^.\n:=]{0,100}?)?[*_\"]{0,3}\s{0,3}"
    r"(?:(?:is|are|was|equals|est|would be|should be|must be|will be|has to be)\b(?P<verb>)"
    r"|[:=\uff1a\u662f\u2192\u21d2]|(?<=\s)[-\u2013\u2014]{1,3}\s)"
    r"(?P<sign>[ \t]{0,3}[:=])?",
    re.IGNORECASE,
)
# "The answer is correct" states no answer; neither does "the answer is not 5".
_NO_ANSWER = re.compile(
    r"\s{0,3}(?:(?:the )?(?:correct|right|wrong|incorrect|valid)(?! (?:answer|option|choice))\b|not\b|as follows|above"
    r"|below|given|found|reasonable|therefore\s*$)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"s?[*_]{0,3}[ \t]{0,3}(?=[\n$\\(*\d-])")
_OPENING = re.compile(r"[\s*_:`]*")
_DELIMITERS = re.compile(r"(?:[\s*_:$`]|\\[\[(])*")


def _phrase(text: str, kind: str, floor: int) -> tuple[int, Final | None]:
    """The last "answer is ..." or "Answer: ..." that starts after `floor`."""
    heads = list(_HEADS.get(kind, _HEAD).finditer(text, max(0, floor)))
    for head in reversed(heads):
        match = _VERB.match(text, head.end(), head.end() + 160)
        if match:
            if match["verb"] is not None and not match["sign"] and _NO_ANSWER.match(text, match.end()):
                continue
        elif head[0].lower() != "answer" or not (match := _header(text, head)):
            continue
        final = _after(text, match.end())
        return (head.start(), final) if final is not None else (-1, None)
    return -1, None


def _header(text: str, head: re.Match[str]) -> re.Match[str] | None:
    """`Answer` as a line's opening, without a verb or a colon."""
    line = text[max(text.rfind("\n", 0, head.start()), head.start() - 24) + 1 : head.start()]
    return _HEADER.match(text, head.end()) if line.strip(" *_#").lower() in ("", "final", "the", "the final") else None


def _after(text: str, at: int) -> Final | None:
    opening, delimiters = _OPENING.match(text, at, at + 200), _DELIMITERS.match(text, at, at + 200)
    start = opening.end() if opening else at
    inner = delimiters.end() if delimiters else at
    end = _line_end(text, inner)
    if inner > start or text.startswith("\\begin", inner):
        end = max(end, _display_end(text, start, inner))
    end = min(end, start + _SEGMENT)
    line = text[start:end]
    return Final(line, "phrase", text[end : end + _SEGMENT]) if line.strip() else None


_DISPLAYS = {"\\[": "\\]", "$$": "$$", "\\(": "\\)", "\\begin{": "\\end{"}


def _display_end(text: str, at: int, start: int) -> int:
    """Where the formula ends that opened between `at` and `start` and goes on over several lines; -1 for none."""
    ends = [-1]
    for opening, closing in _DISPLAYS.items():
        if opening in text[at : start + 7]:
            end = text.find(closing, start, start + _SEGMENT)
            ends.append(_line_end(text, end) if end >= 0 else -1)
    return max(ends)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _last_line(text: str) -> tuple[int, int]:
    """The span of the last line that says something."""
    end = len(text)
    for _ in range(_TRIES):
        start = text.rfind("\n", 0, end) + 1
        line = text[max(start, end - _SEGMENT) : end]
        if line.strip("\\[]()$*_`#<>| \t\r"):
            return max(start, end - _SEGMENT), end
        if start == 0:
            break
        end = start - 1
    return 0, 0


def _with_display(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of a line, and of the lines of the formula that ends in it."""
    line = text[start:end]
    low = max(0, end - _SEGMENT)
    for opening, closing in _DISPLAYS.items():
        close = line.rfind(closing)
        if close < 0:
            continue
        opened = text.rfind(opening, low, start + close)
        while (
            opening.startswith("\\begin")
            and opened >= 0
            and text[low:opened].count("\\begin{") > text[low:opened].count("\\end{")
        ):
            opened = text.rfind(opening, low, opened)
        if 0 <= opened < start:
            return max(low, text.rfind("\n", low, opened) + 1), end
    return start, end
