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


_THINK = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)


def without_thinking(text: str) -> str | None:
    """Return `text` without `<think>` blocks; None where one is never closed, since then no answer was given.

    A closing tag without an opening one (servers that strip the prompt's opening tag) ends a block too.
    """
    if "<" not in text:
        return text
    kept, open_at, last = [], None, 0
    for match in _THINK.finditer(text):
        if match[1]:
            if open_at is None:
                kept.clear()  # everything so far was thinking
            open_at, last = None, match.end()
        elif open_at is None:
            kept.append(text[last : match.start()])
            open_at = match.start()
    return None if open_at is not None else "".join([*kept, text[last:]])


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
    return best or Final(_last_line(text), "last_line")


def _tag(text: str) -> tuple[int, Final | None]:
    start = text.rfind("<answer>")
    if start < 0:
        return -1, None
    end = text.find("</answer>", start)
    if end < 0:
        return -1, None
    body = text[start + 8 : min(end, start + 8 + _SEGMENT)]
    inner_start, inner = _box(body)
    return start, Final(inner.text if inner and inner_start >= 0 else body, "tag", text[end + 9 : end + 9 + _SEGMENT])


def _box(text: str) -> tuple[int, Final | None]:
    end = len(text)
    for _ in range(_TRIES):
        start = max(text.rfind("\\boxed", 0, end), text.rfind("\\fbox", 0, end))
        if start < 0:
            return -1, None
        body = _braced(text, start + (6 if text.startswith("\\boxed", start) else 5))
        if body is not None:
            close = text.find("{", start) + len(body) + 2
            return start, Final(_joined(text, start, body), "box", text[close : close + _SEGMENT])
        end = start
    return -1, None


_JOIN = re.compile(r"[\s$,;.\\()\[\]]*(?:text\s*\{)?\s*(?:and|or|,|;)\s*\}?[\s$\\()\[\]]*")


def _joined(text: str, start: int, body: str) -> str:
    """Boxes joined by `and`, `or` or a comma are one answer with several parts."""
    other = text.rfind("\\boxed", max(0, start - 200), start)
    before = _braced(text, other + 6) if other >= 0 else None
    if before is None:
        return body
    gap = text[text.find("{", other) + len(before) + 2 : start]
    return f"{before} , {body}" if len(gap) < 40 and _JOIN.fullmatch(gap) else body


def _braced(text: str, at: int) -> str | None:
    """The text between the braces that open at `at` (spaces skipped), or the one token there."""
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
    r"(?:(?:is|are|was|equals|est|would be|should be|must be|will be|has to be)\b(?P<verb>)|[:=\uff1a\u662f])"
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
_OPENING = re.compile(r"(?:[\s*_:$`]|\\[\[(])*")


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
    opening = _OPENING.match(text, at, at + 200)
    start = opening.end() if opening else at
    end = min(_line_end(text, start), start + _SEGMENT)
    line = text[start:end]
    return Final(line, "phrase", text[end : end + _SEGMENT]) if line.strip() else None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _last_line(text: str) -> str:
    """The last line that says something."""
    end = len(text)
    for _ in range(_TRIES):
        start = text.rfind("\n", 0, end) + 1
        line = text[max(start, end - _SEGMENT) : end]
        if line.strip("\\[]()$*_`#<>| \t\r"):
            return line
        if start == 0:
            break
        end = start - 1
    return ""
