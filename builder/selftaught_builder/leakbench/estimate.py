"""A leak rate that a fallible judge estimates, corrected by the judge's known errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from selftaught_builder.evaluation.statistics import Z_95


@dataclass(frozen=True)
class Corrected:
    """A corrected share with its approximate 95 % interval, both within [0, 1]."""

    share: float
    low: float
    high: float


def rogan_gladen(flagged: int, of: int, recall: tuple[int, int], false_alarms: tuple[int, int]) -> Corrected:
    """Return the share of flawed rationales behind what a judge flags (Rogan and Gladen 1978, Am J Epidemiol 107, p. 71).

    A judge that finds `r` of the flawed and flags `f` of the sound flags the share p = q·r + (1 - q)·f of a sample with the
    share q of flawed ones; solved for q this is (p - f) / (r - f). The interval is their large-sample one: it carries the
    uncertainty of the judge's errors, too, and is too narrow for counts of a few.

    Args:
        flagged: rationales of the sample that the judge flags.
        of: rationales of the sample.
        recall: flawed rationales of a labelled set that it flags, and how many flawed ones that set has.
        false_alarms: sound rationales of a labelled set that it flags, and how many sound ones that set has.

    Raises:
        ValueError: a count that does not fit, or a judge that flags the sound as readily as the flawed.
    """
    for count, total in ((flagged, of), recall, false_alarms):
        if not 0 <= count <= total or total == 0:
            raise ValueError(f"{count} of {total}")
    p, r, f = flagged / of, recall[0] / recall[1], false_alarms[0] / false_alarms[1]
    if r <= f:
        raise ValueError(f"recall {r:.3f} is not above the false-alarm rate {f:.3f}: its flags say nothing")
    q = (p - f) / (r - f)
    variance = p * (1 - p) / of + q * q * r * (1 - r) / recall[1] + (1 - q) ** 2 * f * (1 - f) / false_alarms[1]
    half = Z_95 * math.sqrt(variance) / (r - f)
    return Corrected(*(min(1.0, max(0.0, value)) for value in (q, q - half, q + half)))
