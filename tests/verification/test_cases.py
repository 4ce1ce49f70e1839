"""A case is the same behind a process's pipe, which knows JSON alone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome
from selftaught_verifiers.judging.judging import (
    GroupCase,
    JudgingCase,
    KnownVerdict,
    MemberData,
    QuestionData,
    RationaleData,
    RowCase,
    case_of,
)

TEXT = st.text(max_size=20)
NAMES = st.lists(TEXT, max_size=3)
QUESTIONS = st.builds(
    QuestionData, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3), st.dictionaries(TEXT, st.integers())
)
RATIONALES = st.builds(RationaleData, TEXT, TEXT, st.booleans(), TEXT)
KNOWN = st.builds(KnownVerdict, st.sampled_from([one.value for one in Outcome]), st.none() | TEXT, st.just("{}"))
MEMBERS = st.builds(MemberData, TEXT, RATIONALES, st.dictionaries(TEXT, KNOWN, max_size=2))
ROWS = st.builds(RowCase, QUESTIONS, RATIONALES, NAMES)
GROUPS = st.builds(GroupCase, QUESTIONS, st.lists(MEMBERS, max_size=4), NAMES)


@given(ROWS | GROUPS)
def test_a_case_comes_back_from_json(case: JudgingCase) -> None:
    found = case_of(json.loads(json.dumps(case)))
    assert found == case
    assert type(found) is type(case)
    assert type(found.question) is QuestionData


@given(GROUPS)
def test_a_group_is_a_group_whatever_its_members(case: GroupCase) -> None:
    found = case_of(json.loads(json.dumps(case)))
    assert isinstance(found, GroupCase)
    assert found.size == len(case.members)
    for member in found.members:
        assert type(member) is MemberData
        assert type(member.rationale) is RationaleData
        assert all(type(verdict) is KnownVerdict for verdict in member.verdicts.values())
