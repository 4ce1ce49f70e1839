"""An attempt's fate and the hard rules say the same of it, though a fate says more finely what is wrong."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from selftaught_builder.selection.fates import FATES
from selftaught_builder.selection.filter import compile_filter
from selftaught_builder.selection.policy import CUT_OFF, HARD_RULES, TRUNCATED
from support.reading import fates_in
from support.stores import Scripted, reasoned

AGAINST = {
    *("hard_rule", "hint_shows", "unverified", "wrong", "unreadable", "empty", "cut_off", "truncated", "error"),
    *("evaluated", "probed"),
}
SAYS = ("", "right", "leaks", "The answer is 999.", "Nobody knows.")


@pytest.mark.parametrize("verifiers", [["answer", "equations", "hint_leak"], ["answer", "equations"]])
def test_no_attempt_is_within_the_rules_and_yet_against_them(tmp_path: Path, verifiers: list[str]) -> None:
    scripted = Scripted(
        tmp_path / "sums", verify=verifiers, keep="true", rationalize={"k": 100 * ("hint_leak" in verifiers)}
    )
    question = scripted.questions[0]
    said = {
        "right": reasoned(question),
        "leaks": f"The given answer is {question.gold}. The answer is {question.gold}.",
    }
    reasons = ("stop", "", *TRUNCATED, *CUT_OFF, "LENGTH", "Content_Filter", "tool_calls")
    tried = product(("sampled", "rationalized", "evaluated"), reasons, SAYS, (None, "timeout"))
    for number, (kind, reason, says, error) in enumerate(tried):
        completion = said.get(says, says)
        # A sample that is kept makes rationalizing needless, so these are of another question.
        asked = ("sampled", "evaluated", "rationalized").index(kind)
        completion = completion.replace(question.gold, scripted.questions[asked].gold)
        scripted.attempt(asked, completion, kind=kind, sample_index=number % 100, finish_reason=reason, error=error)
    scripted.verify()
    recipe = scripted.room.recipe
    judged = compile_filter(recipe).judged
    within = set(scripted.store.sql(f"SELECT id FROM ({judged}) WHERE {HARD_RULES}")["id"])
    fates = fates_in(scripted.store, recipe, scripted.scope)
    ruled = fates.filter(fates["in_scope"] | (fates["kind"] == "evaluated"))
    found = dict(zip(ruled["attempt"], ruled["fate"], strict=True))
    assert within
    assert {attempt for attempt, fate in found.items() if fate not in AGAINST} == within & set(found)
    assert set(found.values()) <= set(FATES)
    if "hint_leak" in verifiers:
        assert {"truncated", "cut_off", "empty", "wrong", "hint_shows", "error"} <= set(found.values())
