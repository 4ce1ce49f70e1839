"""Tables of answers: {gold: (right responses, wrong responses)}, and the verdict on one of them."""

from __future__ import annotations

import pytest

from selftaught_verifiers import Question, Rationale, Verdict, get_verifier


def judge(response: str, gold: str, kind: str, choices: dict[str, str] | None = None) -> Verdict:
    """Return the verdict of `answer`, which must not have crashed."""
    verdict = get_verifier("answer")(Question("?", gold, kind, choices or {}), Rationale(response))
    assert not verdict.reason.startswith("verifier crashed"), verdict.reason
    return verdict


def each(*tables: dict) -> list:
    """Every response with its gold answer and whether it is right."""
    return [
        pytest.param(gold, response, right, id=f"{gold}-{response[:40]}-{right}")
        for table in tables
        for gold, (rights, wrongs) in table.items()
        for right, responses in ((True, rights), (False, wrongs))
        for response in responses
    ]
