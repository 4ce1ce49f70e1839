from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Member, Outcome, Question, Rationale, Verdict, get_verifier
from selftaught_verifiers.groups.near_duplicate import jaccard, judge

QUESTION = Question("?", "18", "number")
TALE = (
    "Janet has sixteen eggs, of which three are eaten at breakfast and four are baked into muffins for her friends. "
    "What is left she takes to the market, where a fresh egg brings two dollars, and so we multiply the nine eggs that "
    "are left by the two dollars that each of them brings in order to find what she makes every day of the week."
)
OTHER = (
    "First count the eggs that nobody eats: of sixteen, seven go into breakfast and muffins, which leaves nine for the "
    "stall. Nine eggs sold for a pair of dollars apiece come to eighteen dollars."
)


def group(*texts: str, wrong: tuple[int, ...] = (), cut: tuple[int, ...] = (), hinted: int = 0) -> list[Member]:
    return [
        Member(
            f"a{index}",
            Rationale(text, hinted=index >= len(texts) - hinted, finish_reason="length" if index in cut else "stop"),
            {"answer": Verdict(Outcome.FAIL if index in wrong else Outcome.PASS)},
        )
        for index, text in enumerate(texts)
    ]


def reasons(members: list[Member], **options: float | bool) -> list[str]:
    verdicts = judge(QUESTION, members, **options)
    assert all((verdict.outcome is Outcome.PASS) == (verdict.reason == "new") for verdict in verdicts)
    return [verdict.reason for verdict in verdicts]


def test_the_first_of_those_alike_passes_and_later_ones_name_it() -> None:
    verdicts = judge(QUESTION, group(TALE, OTHER, TALE.replace("fresh egg", "new-laid egg"), OTHER))
    assert [verdict.reason for verdict in verdicts] == ["new", "new", "like a0", "like a1"]
    assert verdicts[0].score == 1
    assert verdicts[2].score == pytest.approx(1 - verdicts[2].detail["similarity"], abs=1e-3)
    assert 0.8 <= verdicts[2].detail["similarity"] < 1
    assert verdicts[3].score == 0


def test_case_and_whitespace_are_no_difference() -> None:
    assert reasons(group(TALE, TALE.upper().replace(" ", "\n"))) == ["new", "like a0"]


def test_the_same_words_in_another_order_are_another_text() -> None:
    assert reasons(group(TALE, " ".join(reversed(TALE.split())))) == ["new", "new"]


def test_similarity_is_an_option() -> None:
    more = f"{TALE} {OTHER}"
    assert reasons(group(TALE, more)) == ["new", "new"]
    assert reasons(group(TALE, more), similarity=0.5) == ["new", "like a0"]


def test_a_wrong_attempt_never_shadows_a_right_one() -> None:
    assert reasons(group(TALE, TALE, TALE, wrong=(0,))) == ["new", "new", "like a1"]
    assert reasons(group(TALE, TALE, wrong=(0, 1))) == ["new", "like a0"]


def test_a_cut_attempt_never_shadows_a_whole_one() -> None:
    assert reasons(group(TALE, TALE, TALE, cut=(0,))) == ["new", "new", "like a1"]


def test_a_sampled_attempt_stands_before_a_hinted_one() -> None:
    assert reasons(group(TALE, TALE, hinted=1)) == ["new", "like a0"]


def test_without_an_answer_verdict_attempts_are_compared_among_themselves() -> None:
    bare = [Member(f"b{index}", Rationale(TALE)) for index in range(2)]
    assert reasons([*group(TALE), *bare]) == ["new", "new", "like b0"]


ONE = "Janet has 16 - 7 = 9 eggs left. She sells them for 9 * 2 = 18 dollars."
SAME = "To begin with, nine are over, as 16 - 7 = 9; their price is then 9 * 2 = 18, which is what we were asked."
ELSE = "To begin with, the full price is 16 * 2 = 32; what was eaten is 7 * 2 = 14, so 32 - 14 = 18."


def test_the_same_equations_in_other_words_are_the_same_rationale() -> None:
    assert reasons(group(ONE, ELSE, SAME)) == ["new", "new", "same equations as a0"]
    assert reasons(group(ONE, ELSE, SAME), equations=False) == ["new", "new", "new"]


def test_one_equation_is_no_identity() -> None:
    assert (
        reasons(group("The rest: 9 * 2 = 18 dollars.", "Two dollars for each of nine eggs: 9 * 2 = 18.")) == ["new"] * 2
    )


def test_texts_that_differ_in_their_numbers_only_are_not_alike_where_their_equations_differ() -> None:
    one, other = f"{TALE} That is 9 * 2 = 18.", f"{TALE} That is 6 * 3 = 18."
    assert reasons(group(one, other)) == ["new", "new"]
    assert reasons(group(one, other), equations=False) == ["new", "like a0"]
    # An equation that only one of them states makes no difference.
    assert reasons(group(f"{TALE} That is 9 * 2 = 18.", TALE)) == ["new", "like a0"]


def test_one_that_is_alike_is_found_behind_one_that_is_closer_but_calculates_otherwise() -> None:
    first = f"{TALE} That is 6 * 3 = 18."
    second = f"{TALE} That is 9 * 2 = 18, as a small check of the price of all the eggs shows."
    third = f"{TALE} That is 9 * 2 = 18."
    assert reasons(group(first, second, third)) == ["new", "new", "like a1"]


@pytest.mark.parametrize("text", ["", " \n", "...", "\u2026!"])
def test_a_text_without_words_is_unscorable(text: str) -> None:
    assert reasons(group(text, text)) == ["empty", "empty"]


def test_reasoning_is_compared_as_well() -> None:
    members = [Member(f"a{index}", Rationale("18", reasoning=text)) for index, text in enumerate((TALE, OTHER, TALE))]
    assert reasons(members) == ["new", "new", "like a0"]


def test_short_texts_are_alike_only_where_equal() -> None:
    assert reasons(group("It is 18.", "it is 18", "It is 17.")) == ["new", "like a0", "new"]


def test_no_members_no_verdicts() -> None:
    assert get_verifier("near_duplicate")(QUESTION, []) == []


texts = st.lists(
    st.sampled_from([TALE, OTHER, ONE, SAME, ELSE, TALE + ONE, ONE + ELSE, "", "18"]) | st.text(max_size=40),
    max_size=10,
)


@given(texts, st.sets(st.integers(0, 9)), st.integers(0, 3))
def test_any_group_gets_one_verdict_a_member_and_the_same_again(said: list[str], wrong: set[int], hinted: int) -> None:
    members = group(*said, wrong=tuple(wrong), hinted=hinted)
    verdicts = judge(QUESTION, members)
    assert len(verdicts) == len(members)
    assert verdicts == judge(QUESTION, members)
    for verdict in verdicts:
        assert verdict.score is None or 0 <= verdict.score <= 1
    # Whatever passes is unlike all that passed before it, and every failing one names one that passed.
    passed = {one.attempt for one, verdict in zip(members, verdicts, strict=True) if verdict.outcome is Outcome.PASS}
    assert all(verdict.reason.split()[-1] in passed for verdict in verdicts if verdict.outcome is Outcome.FAIL)


@given(texts, st.randoms(use_true_random=False))
def test_the_order_of_those_that_fail_does_not_matter(said: list[str], random_: random.Random) -> None:
    members = group(*said)
    first = judge(QUESTION, members)
    passed = [one for one, verdict in zip(members, first, strict=True) if verdict.outcome is Outcome.PASS]
    others = [one for one in members if one not in passed]
    for rest in (others, random_.sample(others, len(others))):
        outcomes = [verdict.outcome is Outcome.PASS for verdict in judge(QUESTION, [*passed, *rest])]
        assert outcomes == [True] * len(passed) + [False] * len(rest)


@given(st.text(min_size=1).filter(lambda text: any(map(str.isalnum, text))), st.integers(2, 6))
def test_of_identical_texts_one_passes(text: str, copies: int) -> None:
    assert reasons(group(*[text] * copies)) == ["new"] + ["like a0"] * (copies - 1)


sets = st.frozensets(st.integers(0, 12))


@given(sets, sets, st.floats(0, 1))
def test_similarity_is_jaccard_s_wherever_it_reaches_the_bound(
    one: frozenset[int], other: frozenset[int], least: float
) -> None:
    exact = len(one & other) / len(one | other) if one | other else 1.0
    assert jaccard(one, other, least) == exact or (exact < least and jaccard(one, other, least) == 0)
    assert jaccard(one, other) == jaccard(other, one)
