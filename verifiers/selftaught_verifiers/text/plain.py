"""One way of writing: Unicode and simple LaTeX turned into plain text that the readers understand.

Every pattern here is linear: no repeat stands inside another repeat.
"""

from __future__ import annotations

import re
import unicodedata

_VULGAR = re.compile("([0-9])([\u00bc-\u00be\u2150-\u215e\u2189])")
_EN_DASH = re.compile(
    "(?<![\\w)\\]%])(?<![\\w)\\]%] )\u2013(?=\\d)"
)  # before a number that it does not join to another
_SUPERSCRIPT = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b]+")
_SIGNS = str.maketrans(
    {
        "\u2212": "-",  # minus sign
        "\u2010": "-",
        "\u2011": "-",
        "\ufe63": "-",
        "\u00d7": "*",
        "\u22c5": "*",
        "\u00b7": "*",
        "\u00f7": "/",
        "\u2215": "/",
        "\u066a": "%",
        "\u066b": ".",
        "\u066c": ",",
        "\u3002": ". ",
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list that is written as one string."""
    return tuple(text.split())


def unify(text: str) -> str:
    """Return `text` in NFKC with ASCII digits, minus signs, slashes and quotes; vulgar fractions become `1/2`.

    Superscripts become powers (`10³` is `10^3`), since NFKC alone would make another number of them.
    """
    if text.isascii():
        return text
    text = _EN_DASH.sub("-", text)
    text = _VULGAR.sub(r"\1 \2", text)
    text = _SUPERSCRIPT.sub(lambda run: "^" + unicodedata.normalize("NFKC", run[0]), text)
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").translate(_SIGNS)
    return text if text.isascii() else "".join(map(_ascii_digit, text))


def _ascii_digit(char: str) -> str:
    return char if char < "\x80" or (digit := unicodedata.decimal(char, None)) is None else str(digit)


_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s*(\d|\{[^{}]*\})\s*(\d|\{[^{}]*\})")
_WORDS = re.compile(r"\\(?:text(?:bf|it|rm|normal|tt|sf)?|mbox|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}")
_SPACES = re.compile(r"\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle|big|Big)(?![A-Za-z])|~")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\\circ\})|\u00b0")
_TIMES = re.compile(r"\\(?:times|cdot)(?![A-Za-z])")
_ATOM = re.compile(r"-?[\w.]+")
_ONE_FACTOR = re.compile(r"-?(?:\d[\d.]*|[^\W\d_])")  # 1/2x would be x/2
_OVER = re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}")
_DELIMITERS = re.compile(r"\\[()\[\]]|\$")


def without_latex(text: str) -> str:
    r"""Return `text` with simple LaTeX written out: `\frac{1}{2}` is `1/2`, `\text{cm}` is `cm`, `\$5` is `5`.

    Whatever is no simple form (`\sqrt`, `\pi`) keeps its backslash, so that no reader takes it for a number.
    """
    text = text.replace("{,}", ",")
    if "\\" in text:
        text = re.sub(r",\s?\\!\s?", ",", text.replace("\\\\", "\\")).replace("\\!", "")
        text = _OVER.sub(r"\\frac{\1}{\2}", text) if "\\over" in text else text
        for _ in range(3):  # a fraction in a fraction in a fraction is deep enough
            text = _FRACTION.sub(_write_fraction, text)
        text = _SHORT_FRACTION.sub(_write_fraction, text)
        text = _TIMES.sub("*", text.replace("\\%", "%").replace("\\$", "$").replace("\\approx", "\u2248"))
        text = re.sub(r"(?<=\d)\\,(?=\d{3})", "", text)
        text = _SPACES.sub(" ", _WORDS.sub(r" \1 ", _DEGREES.sub(" degrees ", text)))
    elif "\u00b0" in text:
        text = _DEGREES.sub(" degrees ", text)
    return _DELIMITERS.sub(" ", text) if "$" in text or "\\" in text else text


def _write_fraction(match: re.Match[str]) -> str:
    above, below = (part.strip("{} ") for part in match.groups())
    above = above if _ATOM.fullmatch(above) else f"({above})"
    below = below if _ONE_FACTOR.fullmatch(below) else f"({below})"
    # A mixed number needs its space: 3\frac{1}{2} is 3 1/2.
    return f"{' ' if match.start() and match.string[match.start() - 1].isdecimal() else ''}{above}/{below}"


_BOLD = re.compile(r"(?<![\d)])(?<!\b[A-Za-z])\*\*|\*\*(?![\d(-])")


def without_bold(text: str) -> str:
    """Return `text` without Markdown's `**`; between operands it is a power and stays."""
    return _BOLD.sub("", text) if "**" in text else text


_EDGE = " \t\r\n*_`\"'.,;:~"


def trim(text: str) -> str:
    """Return `text` without Markdown emphasis, quotes and punctuation at its edges; inner whitespace is single."""
    return " ".join(text.split()).strip(_EDGE) if text else text


def text_form(text: str) -> str:
    """Return the form in which text answers compare: plain, case-folded, no edge punctuation, single spaces."""
    plain = trim(without_latex(unify(text)))
    plain = plain.rstrip("!?").rstrip(_EDGE).casefold()
    if "{" in plain:
        plain = re.sub(r"([_^])\{(\w)\}", r"\1\2", plain)
    return re.sub(r"\s?([^\w\s])\s?", r"\1", plain)
