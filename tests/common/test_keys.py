"""What makes an attempt the same attempt."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.keys import attempt_id, attempt_key, prompt_hash, seed_of, weights_identity
from selftaught_builder.recipe import EndpointSettings

TEXT = st.text(max_size=20)
PARAMETERS = st.dictionaries(
    st.sampled_from(["temperature", "top_p", "max_tokens", "stop", "top_k"]),
    st.one_of(st.integers(0, 9), st.floats(0, 2), st.lists(st.sampled_from(["\n", "Q:"]))),
)
PARTS = st.tuples(TEXT, TEXT, TEXT, PARAMETERS, st.integers(0, 99), TEXT)


@given(PARTS, PARTS)
def test_keys_are_equal_exactly_where_all_parts_are(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    def shown(parts: tuple[Any, ...]) -> str:  # 0 and 0.0 are equal in Python and different in a request's body
        return repr((*parts[:3], sorted(parts[3].items()), *parts[4:]))

    assert (attempt_key(*one) == attempt_key(*other)) == (shown(one) == shown(other))


@given(PARTS, st.integers(0, 5), TEXT)
def test_each_part_counts(parts: tuple[Any, ...], at: int, text: str) -> None:
    kind, question, prompt, parameters, index, weights = parts
    changed = [
        (kind + "x", question, prompt, parameters, index, weights),
        (kind, question + "x", prompt, parameters, index, weights),
        (kind, question, prompt + "x", parameters, index, weights),
        (kind, question, prompt, {**parameters, "min_p": 0.1}, index, weights),
        (kind, question, prompt, parameters, index + 1, weights),
        (kind, question, prompt, parameters, index, weights + "x"),
    ]
    assert attempt_key(*changed[at]) != attempt_key(*parts)


@given(PARTS)
def test_the_order_of_parameters_does_not_count(parts: tuple[Any, ...]) -> None:
    turned = dict(reversed(parts[3].items()))
    assert attempt_key(*parts) == attempt_key(*parts[:3], turned, *parts[4:])


@given(TEXT, TEXT)
def test_parts_do_not_run_into_each_other(one: str, other: str) -> None:
    moved = attempt_key("sampled", one + "x", other, {}, 0, "w")
    assert moved != attempt_key("sampled", one, "x" + other, {}, 0, "w")


@given(PARTS, st.integers(1, 99))
def test_seed_and_id_follow_from_the_key(parts: tuple[Any, ...], number: int) -> None:
    key = attempt_key(*parts)
    assert len(key) == 32
    assert 0 <= seed_of(key) < 2**31
    assert seed_of(key) == seed_of(attempt_key(*parts))
    assert attempt_id(key, number).partition(".") == (key, ".", str(number))


def test_a_key_stays_what_it_is_from_version_to_version() -> None:
    key = attempt_key("sampled", "q", "p", {"temperature": 0.7, "max_tokens": 96}, 0, "unknown/run/1/model")
    assert (key, seed_of(key)) == ("28d58dc5a3e2df8de257dd98a4eb9826", 2014342532)


@given(TEXT, TEXT, st.sampled_from(["chat", "completion"]))
def test_prompts_are_told_apart(one: str, other: str, style: str) -> None:
    def hashed(text: str, style: str = style) -> str:
        return prompt_hash(style, [{"role": "user", "content": text}])

    assert (hashed(one) == hashed(other)) == (one == other)
    assert hashed(one, "chat") != hashed(one, "completion")


def test_unknown_weights_are_stood_in_for_by_run_round_and_model() -> None:
    known = {"run": "r", "round_number": 1, "model": "m"}
    assert weights_identity("sha256:1", **known) == weights_identity("sha256:1", run="s", round_number=2, model="n")
    unknown = weights_identity("unknown", **known)
    for change in ({"run": "s"}, {"round_number": 2}, {"model": "n"}):
        assert weights_identity("unknown", **{**known, **change}) != unknown


def test_the_keys_of_an_extra_body_are_text_as_json_has_it() -> None:
    body: dict[Any, Any] = {"logit_bias": {50256: -100}}
    assert EndpointSettings(extra_body=body).extra_body == {"logit_bias": {"50256": -100}}
