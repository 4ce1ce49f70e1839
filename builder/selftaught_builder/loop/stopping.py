"""Early stopping: when a loop no longer gets better."""

from __future__ import annotations

from collections.abc import Mapping

from selftaught_builder.evaluation.summary import best_round
from selftaught_builder.recipe import Rounds


def reason_to_stop(accuracy: Mapping[int, float], settings: Rounds) -> str | None:
    """Return why the loop should end after the newest round, or None.

    Args:
        accuracy: accuracy on the validate set by round, the base model's as round 0.
        settings: patience, and how far it may fall.
    """
    best = best_round(accuracy)
    if best is None:
        return None
    newest = max(accuracy)
    fallen = round(accuracy[best] - accuracy[newest], 9)  # 0.6 - 0.5 is a little less than 0.1
    if settings.fall is not None and fallen >= settings.fall:
        return f"accuracy on the validate set fell from {accuracy[best]:.1%} (round {best}) to {accuracy[newest]:.1%}"
    if settings.patience is not None and newest - best >= settings.patience:
        return (
            f"no better accuracy on the validate set for {newest - best} rounds ({accuracy[best]:.1%} in round {best})"
        )
    return None
