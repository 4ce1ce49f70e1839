"""Reading dates and times of day.

A slashed date is month/day/year, as most data sets have it, unless its numbers say otherwise. A time without AM or PM may be
either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught_verifiers.text.plain import trim, unify, without_latex, words

_MONTHS = {
    name: index
    for index, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"), start=1)
    for name in names.split()
}  # fmt: skip
_DAYS = words("monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time of day, or both; None for what was not stated.

    Attributes:
        date: year, month and day.
        minute: minutes since midnight; within twelve hours where neither AM nor PM was said.
        second: seconds.
        half: `am`, `pm`, or "" where the twelve hours are open.
    """

    date: tuple[int | None, int, int | None] | None = None
    minute: int | None = None
    second: int = 0
    half: str = ""

    def __str__(self) -> str:
        """ISO 8601 as far as it was stated."""
        said = []
        if self.date:
            year, month, day = self.date
            said.append(
                "-".join(
                    ([f"{year:04d}"] if year is not None else ["-"])
                    + [f"{month:02d}"]
                    + ([f"{day:02d}"] if day else [])
                )
            )
        if self.minute is not None:
            seconds = f":{self.second:02d}" if self.second else ""
            said.append(f"{self.minute // 60:02d}:{self.minute % 60:02d}{seconds}")
        return "T".join(said)


_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{3,4})"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MONTH}\s+{_DAY}(?:\s*,\s*|\s+){_YEAR}",
        rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:\s*,\s*|\s+){_YEAR}",
        rf"{_MONTH}\s+(?:the\s+)?{_DAY}",
        rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}",
        rf"{_MONTH}\s*,?\s+{_YEAR}",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        r"(?P<month>\d{1,2})[/-](?P<day>\d{1,2})[/-](?P<year>\d{4})",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
    )
)
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?\s?(?P<half>[ap]\.?\s?m\b\.?)?(?:\s?(?:o'clock|hours|hrs))?",
    re.IGNORECASE,
)
_SPOKEN = {
    "noon": (720, "pm"),
    "midday": (720, "pm"),
    "midnight": (0, "am"),
    "12 noon": (720, "pm"),
    "12 midnight": (0, "am"),
}
_PARTS_OF_DAY = re.compile(r"\s*(?:in the (morning|afternoon|evening)|at (night))$", re.IGNORECASE)


def read_moment(text: str) -> Moment | None:
    """Read `text` as one date or time of day and nothing else; None where it is not."""
    if not 3 <= len(text) <= 200:
        return None
    plain = trim(without_latex(unify(text)))
    if len(plain) > 60 or not (any(char.isdecimal() for char in plain) or plain.casefold() in _SPOKEN):
        return None
    first, _, rest = plain.partition(" ")
    if first.rstrip(",").casefold() in _DAYS and rest:
        plain = rest
    return _date(plain) or _time(plain) or _both(plain)


def _both(text: str) -> Moment | None:
    for joint in (" at ", ", ", "T", " "):
        head, found, tail = text.rpartition(joint)
        if not found:
            continue
        for one, other in ((head, tail), (tail, head)):
            date, time = _date(one.strip()), _time(other.strip())
            if date and time:
                return Moment(date.date, time.minute, time.second, time.half)
    head, found, tail = text.rpartition(" at ")
    return None


def _date(text: str) -> Moment | None:
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        said = match.groupdict()
        day = int(said["day"]) if said.get("day") else None
        month = _MONTHS.get(said["month"].casefold().rstrip(".")) or (
            int(said["month"]) if said["month"].isdecimal() else 0
        )
        if month > 12 and day is not None and day <= 12 and "/" in text:
            month, day = day, month
        year = int(said["year"]) if said.get("year") else None
        if 1 <= month <= 12 and (day is None or 1 <= day <= 31):
            return Moment((year, month, day))
    return None


def _time(text: str) -> Moment | None:
    if text.casefold() in _SPOKEN:
        minute, half = _SPOKEN[text.casefold()]
        return Moment(minute=minute, half=half)
    part = _PARTS_OF_DAY.search(text)
    match = _TIME.fullmatch(text[: part.start()] if part else text)
    if match is None or (
        match["minute"] is None and match["half"] is None and not text.endswith("o'clock") and not part
    ):
        return None
    hour, minute, second = int(match["hour"]), int(match["minute"] or 0), int(match["second"] or 0)
    half = match["half"][0].lower() + "m" if match["half"] else ""
    if part and not half:
        half = "am" if (part[1] or "").lower() == "morning" or (part[2] and hour < 5) else "pm"
    if hour > 24 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif hour > 12 or hour == 0 or text.startswith("0"):
        hour, half = hour % 24, "pm" if hour % 24 >= 12 else "am"  # the 24-hour clock
    return Moment(minute=hour * 60 + minute, second=second, half=half)


def same_moment(gold: Moment, answer: Moment) -> bool:
    """Whether both state the same date and time, as far as the gold one states it."""
    if (gold.date is None) != (answer.date is None) or (gold.minute is None) != (answer.minute is None):
        return False
    if gold.date is not None and answer.date is not None:
        if gold.date[1:] != answer.date[1:]:
            return False
        if None not in (gold.date[0], answer.date[0]) and gold.date[0] != answer.date[0]:
            return False
        if gold.date[0] is not None and answer.date[0] is None:
            return False
    if gold.minute is None or answer.minute is None:
        return True
    if gold.half and answer.half:
        return (gold.minute, gold.second) == (answer.minute, answer.second)
    return (gold.minute % 720, gold.second) == (answer.minute % 720, answer.second)
