from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers.answer.answer import canonical
from selftaught_verifiers.text.numbers import find_numbers, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("72", "72"),
        ("-5", "-5"),
        ("\u22125", "-5"),
        ("+7", "7"),
        (".4", "2/5"),
        ("1,234,567", "1234567"),
        ("1 000", "1000"),
        ("1\u202f000", "1000"),
        ("12,34,567", "1234567"),
        ("1.234.567", "1234567"),
        ("1.234,56", "1234.56"),
        ("1000,99", "1000.99"),
        ("0,111", "0.111"),
        ("$18.00", "18"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u20ac70", "70"),
        ("70k", "70000"),
        ("$1.5 million", "1500000"),
        ("1e3", "1000"),
        ("1.5 x 10^3", "1500"),
        ("1.5\u00d710\u00b3", "1500"),
        (r"1.5 \times 10^{-3}", "0.0015"),
        ("3 1/2", "7/2"),
        ("2\u00bd", "5/2"),
        ("-\u00bd", "-1/2"),
        ("2/(-3)", "-2/3"),
        (r"\frac{3}{4}", "3/4"),
        (r"-\dfrac{3}{4}", "-3/4"),
        (r"\frac13", "1/3"),
        (r"3\frac{1}{2}", "7/2"),
        (r"14{,}916", "14916"),
        (r"12\,345", "12345"),
        (r"\$15,\!000", "15000"),
        (r"10\text{ cm}", "10"),
        (r"45^\circ", "45"),
        ("72 degrees", "72"),
        ("64 square feet", "64"),
        ("(5)", "5"),
        ("**5**", "5"),
        ("x = 5", "5"),
        ("10%", "1/10"),
        (r"33.5\%", "0.335"),
        ("28 percent", "0.28"),
        ("\uff11\uff12\uff13", "123"),
        ("\u0661\u0662", "12"),
        ("seven", "7"),
        ("twenty-five apples", "25"),
        ("one hundred and five", "105"),
        ("two thousand three hundred", "2300"),
    ],
)
def test_every_usual_form_is_read_exactly(text: str, value: str) -> None:
    assert parse_number(text) == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ".",
            "-",
            "abc",
            "x",
            "3x",
            "4x + 1",
            "1,2345",
            "(0,9)",
            "[1,2]",
            "1, 2",
            "12 or 13",
            "5 to 7",
            "3-4",
        ),
        *(
            r"4\sqrt{2}",
            r"\frac{9}{4}\pi",
            "9pi",
            "1/0",
            "3 1/0",
            "1/2004!",
            "12:30",
            "5 and 6",
            "12 hours and 30 minutes",
        ),
        *("1e999999999", "9" * 5000, "10^9^9^9", "9^9^9^9", "nan", "inf", "1_000", "0x10", "one of the two"),
    ],
)
def test_what_is_not_one_number_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_numbers_inside_words_do_not_count() -> None:
    assert [number.value for *_, number in find_numbers("AZYUK2A m2 and 1,000.99m\u00b2")] == [Fraction("1000.99")]


fractions = st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**6)


@given(fractions)
def test_canonical_forms_read_back(value: Fraction) -> None:
    assert parse_number(canonical(value)) == value


@given(fractions, fractions)
def test_canonical_forms_are_equal_only_for_equal_values(one: Fraction, other: Fraction) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    parse_number(text)
    list(find_numbers(text))


@given(st.text(alphabet="0123456789.,-+/%$eExX*^() \\{}frack", max_size=60))
def test_no_number_like_text_crashes_the_reader(text: str) -> None:
    value = parse_number(text)
    assert value is None or parse_number(canonical(value)) == value
