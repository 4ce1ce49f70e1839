"""Formulas: what states the same and what does not; gold answer to (right responses, wrong responses)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_verifiers import Outcome, Question, Rationale, get_verifier
from selftaught_verifiers.answer import algebra
from selftaught_verifiers.answer.answer import answer_kind
from selftaught_verifiers.answer.expression import Unreadable, parse
from selftaught_verifiers.answer.formula import read_formula, same_formula
from support.answers import each, judge

FORMULAS = {
    "x^2+2x+1": (("(x+1)^2",), ("(x-1)^2",)),
    r"\frac{\sqrt{2}}{2}": ((r"\frac{1}{\sqrt{2}}",), ()),
    r"2\sqrt{3}": (
        (
            r"\sqrt{12}",
            r"The answer is $\sqrt{12}$.",
            r"The answer is $2\sqrt{3}$ cm.",
            r"\boxed{2\sqrt{3} \text{ cm}}",
            "3.4641016",
        ),
        ("3.46",),
    ),
    r"\pi": (("3.14159265",), ("3.14",)),
    "(3,4)": (("The answer is (3, 4).", "The point is $(3,4)$.", "x=3, y=4", r"\boxed{(3, 4)}"), ("(4,3)", "[3,4]")),
    r"\{1,2,3\}": (("3,2,1", "{1, 2, 3}"), ("{1, 2}",)),
    "1, 2": (("x = 1 or x = 2", "The answer is $x=1$ and $x=2$.", r"\boxed{1} \text{ or } \boxed{2}"), ("1",)),
    "x > 3": ((r"(3, \infty)", "$3 < x$"), (r"x \ge 3",)),
    r"2 \le x < 5": (("[2,5)", r"5 > x \ge 2"), ()),
    r"(-\infty, 2) \cup (3, \infty)": (("x<2 or x>3", r"$(-\infty,2)\cup(3,\infty)$"), (r"(3, \infty)",)),
    "y = 2x + 1": (("y=1+2x", "2x+1", "2x - y + 1 = 0"), ("y = 2x - 1",)),
    "x^2 + y^2 = 4": ((r"\frac{x^2}{4}+\frac{y^2}{4}=1",), ("x^2+y^2=2",)),
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}": (
        (r"\boxed{\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}}",),
        (r"\boxed{\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}}",),
    ),
    r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}": (
        ("The answer is\n\\[\n\\begin{pmatrix}\n1 \\\\\n2\n\\end{pmatrix}\n\\]",),
        (),
    ),
    r"\begin{pmatrix} 1/2 \\ 2 \end{pmatrix}": ((r"$\begin{pmatrix} 0.5 \\ 2 \end{pmatrix}$",), ()),
    "3:4": (("3 : 4", "6:8"), ("4:3",)),
    "e^{2}": ((r"\boxed{e^2}",), ()),
    r"\ln 2": ((r"\log 2",), ()),
    "5!": (("120",), ()),
    "3i": (("3i",), ()),
    "2+3i": (("3i+2",), ("2-3i",)),
    "n(n+1)/2": ((r"\frac{n^2+n}{2}",), ()),
    r"\binom{n}{2}": ((r"\frac{n(n-1)}{2}",), ()),
    "2^n - 1": (("$2^{n}-1$",), ()),
    "3x": ((), ("3y",)),
    r"\sin(2x)": ((r"2\sin x\cos x",), ()),
    "a^2-b^2": (("(a-b)(a+b)",), ()),
    r"\frac{x+1}{x-1}": ((r"1 + \frac{2}{x-1}",), ()),
    "|x|": ((r"\sqrt{x^2}",), ()),
    r"\emptyset": ((r"\varnothing", r"\{\}"), ()),
    r"\infty": ((), (r"-\infty",)),
    r"\pm 3": (("3, -3", r"x = \pm 3"), ()),
    r"\frac{3\pi}{4}": ((), (r"135^\circ",)),
    r"x \in [0, 1]": (("[0,1]",), ()),
    "[0,1]": ((r"0 \le x \le 1",), ()),
    r"\mathbb{R}": ((r"\mathbb{R}",), ()),
    r"\sqrt{2}": ((), (r"\sqrt{2} + 1",)),
    "f(x) = x^2": (("x^2",), ()),
    "f(x)=x^2": ((), ("f(x) = x^3",)),
    r"A = \pi r^2": ((r"\pi r^2",), ()),
    "(2,3), (4,5)": (("(4,5),(2,3)",), ("(5,4),(2,3)",)),
    r"x=\frac{1\pm\sqrt5}{2}": ((r"$x=\frac{1+\sqrt5}{2}$ or $x=\frac{1-\sqrt5}{2}$",), ()),
    r"\frac{1\pm\sqrt5}{2}": ((), (r"\boxed{\frac{1+\sqrt5}{2}}",)),
    "(-3, 5)": (("The solution is $(-3, 5)$",), ()),
    "(-3,5)": (("The solution is x = -3 and y = 5.", "$-3 < x < 5$"), ()),
    "x^2 - 5x + 6": (("$(x-2)(x-3)$",), ("(x-2)(x-4)",)),
    "2x^2": (("2*x**2", "2 x^2", "2x\u00b2"), ()),
    r"\sqrt{10}": (("\u221a10", "sqrt(10)", "10^{1/2}", "10^(1/2)", "10^0.5", "3.1622776602"), ("3.16",)),
    r"\pi/2": ((r"\frac{\pi}{2}", "\u03c0/2"), (r"90^\circ",)),
    "2\u03c0": ((r"2\pi",), ()),
    r"4\pi\sqrt{2}": ((r"4\sqrt{2}\pi",), ()),
    r"\frac{4\pi}{3}": ((r"\frac{4}{3}\pi",), ()),
    r"\frac{\pi}{6}": ((r"\pi/6",), ()),
    "x+y": (("y+x",), ("x-y",)),
    "3a+2b": (("2b+3a",), ()),
    "-x": ((), ("x",)),
    "-(x-1)": (("1-x",), ()),
    "x^{-1}": ((r"\frac1x",), ()),
    r"\frac{x}{y}": ((), (r"\frac{y}{x}",)),
    r"\log_{2} 3": ((r"\frac{\ln 3}{\ln 2}",), ()),
    r"\log 8": ((r"3\log 2",), ()),
    r"\cos\theta": ((r"\sin(\pi/2-\theta)",), ()),
    r"e^{i\pi}": (("-1",), ()),
    "1+i": (("i+1",), ()),
    r"\frac{1+i}{\sqrt2}": ((r"e^{i\pi/4}",), ()),
    "6!": (("720",), ()),
    r"\binom{5}{2}": (("10",), ()),
    "2^{100}": (("1267650600228229401496703205376",), ("2^{101}", r"1.2676506002282294 \times 10^{30}")),
    "10^{100}+1": ((), ("10^{100}",)),
    r"\left\{1,2\right\}": ((r"\{2,1\}",), ()),
    r"\{a,b\}": ((r"\{b,a\}",), ()),
    r"\{(1,2),(3,4)\}": ((r"\{(3,4),(1,2)\}",), ()),
    "(1,2),(3,4)": ((r"\{(1,2),(3,4)\}",), ()),
    r"\{x : x > 3\}": ((), (r"(3,\infty)",)),
    "[2,3]": ((), ("[2,3)",)),
    "(2,3]": ((r"2<x\le3",), ()),
    r"(-\infty,0]": ((r"x\leq 0",), ("x<0",)),
    r"x<-2 \text{ or } x>2": (("|x|>2",), ()),
    "|x|<2": (("-2<x<2",), ()),
    r"x \ne 1": ((r"x\neq1",), ("x = 1",)),
    "y=x^2": (("x^2=y", "y - x^2 = 0"), ()),
    "x+y=5": (("x+y-5=0", "2x+2y=10"), ("x+y=6", "5")),
    "f(x)=2x": (("f(x) = 2 x", "y=2x"), ("g(x)=2x",)),
    "a_n=2n+1": (("2n+1",), ()),
    "P(A)=0.5": ((r"\frac12",), ()),
    r"\angle ABC = 60^\circ": (("60",), ()),
    r"m\angle A = 60": ((r"60^\circ",), ()),
    "x=2, y=3": (("(2,3)",), ("x=3, y=2",)),
    "x=2,y=3": (("y=3, x=2",), ()),
    r"x=2\text{ and }y=3": (("2, 3",), ()),
    "(2,3)": ((), (r"\begin{pmatrix}2\\3\end{pmatrix}",)),
    r"\begin{pmatrix}2\\3\end{pmatrix}": ((), (r"\begin{pmatrix}3\\2\end{pmatrix}",)),
    r"\begin{pmatrix}1&0\\0&1\end{pmatrix}": ((r"\begin{bmatrix}1&0\\0&1\end{bmatrix}",), ()),
    r"\begin{bmatrix}x & 1\end{bmatrix}": ((r"\begin{bmatrix} x & 1 \end{bmatrix}",), ()),
    "2:3": (("4:6",), (r"\frac{2}{3}",)),
    "2:3:5": (("2:3:5",), ("2:5:3",)),
    r"10\sqrt{2}\text{ cm}": ((r"10\sqrt2", r"10\sqrt{2} cm"), (r"10\sqrt{2} m",)),
    r"36\pi \text{ square units}": ((r"36\pi",), ()),
    r"36\pi": (("36\u03c0 cubic cm",), ()),
    "x^2+1": (
        (
            "The answer is $x^2+1$, which is positive.",
            "The answer is x^2+1 because x^2 is even.",
            "We find that the polynomial is $x^2+1$.",
        ),
        (
            "Let $y=3$. Then the answer is $x^2+1$ or $x^2-1$.",
            "x^2+1 or x^2-1",
            "not x^2+1",
            r"\boxed{x^2+1}. Wait, that is wrong: \boxed{x^2-1}",
            "I don't know",
            "",
            "x^2+",
            "{x^2+1",
        ),
    ),
    "1,2,3": (("1, 2 and 3", "{1;2;3}"), ("1 2 3", "1,2,3,4", "(1,2,3)")),
    "6, 8": (("6 and 8", "8 and 6"), ()),
    "3, -3": ((r"\pm3", "\u00b13"), ()),
    r"\sum_{k=1}^{n} k": ((r"\frac{n(n+1)}{2}",), ()),
    r"\int_0^1 x dx": ((r"\frac{1}{2}",), ()),
    r"\frac{d}{dx}x^2": (("2x",), ()),
    "n^2": ((r"\sum_{k=1}^{n}(2k-1)",), ()),
    r"\prod_{k=1}^{5} k": (("120",), ()),
    r"\lfloor 3.7 \rfloor": (("3",), ()),
    r"0.\overline{3}": ((r"\frac13",), (r"0.\overline{4}",)),
    r"0.3\ldots": ((), ("0.3",)),
}


@pytest.mark.parametrize(("gold", "response", "right"), each(FORMULAS))
def test_formulas(gold: str, response: str, right: bool) -> None:
    for kind in dict.fromkeys((answer_kind(gold, has_choices=False), "math", "text")):
        assert kind
        verdict = judge(response, gold, kind)
        assert (verdict.outcome is Outcome.PASS) == right, verdict


BY_ALGEBRA = [
    (r"\int_0^1 x dx", r"\frac{1}{2}", True),
    (r"\int_0^1 x dx", r"\frac{1}{3}", False),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}", True),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n-1)}{2}", False),
]


@pytest.mark.parametrize(("gold", "response", "right"), BY_ALGEBRA)
def test_computer_algebra_is_asked_where_nothing_else_can_tell(gold: str, response: str, right: bool) -> None:
    pytest.importorskip("math_verify", reason="needs math-verify")
    algebra.start()
    verdict = judge(response, gold, "math")
    if verdict.reason == "math-verify found no answer in time":
        pytest.skip("the machine is too busy for computer algebra")
    assert (verdict.outcome is Outcome.PASS) == right


def test_without_math_verify_what_needs_it_is_unscorable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algebra, "available", lambda: False)
    algebra.equal.cache_clear()
    verdict = judge(r"\boxed{\int_0^2 x dx}", r"\int_1^2 x dx", "math")
    assert (verdict.outcome, verdict.reason) == (Outcome.UNSCORABLE, "needs math-verify")
    assert verdict.detail["strict"] == "unscorable"
    assert judge(r"\boxed{\int_1^2 x dx}", r"\int_1^2 x dx", "math").outcome is Outcome.PASS
    assert judge(r"\boxed{2x+1}", "1+2x", "math").outcome is Outcome.PASS


def test_math_verify_is_not_asked_about_bombs_and_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algebra, "available", lambda: pytest.fail("it was asked"))
    algebra.equal.cache_clear()
    for bomb in (
        "9^9^9^9",
        r"9^{9^{9^9}}",
        "1000000!",
        "((9!)!)!",
        r"\binom{10000000}{5000000}",
        "(" * 300 + "1" + ")" * 300,
        r"1, 2, \ldots",
    ):
        assert judge(rf"\boxed{{{bomb}}}", r"\int_0^1 x dx", "math").outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("gold", "response"),
    [
        ("1", r"\boxed{9^9^9^9}"),
        ("1", r"\boxed{1000000!}"),
        ("x+1", "(" * 300 + "x+1" + ")" * 300),
        (r"\sqrt{2}", "9" * 10**6),
        ("x+1", "x^" * 10**5),
        ("1", "{" * 10**6),
    ],
)
def test_bombs_never_pass(gold: str, response: str) -> None:
    assert judge(response, gold, "math").outcome is Outcome.FAIL


def test_a_number_may_be_off_by_the_relative_option() -> None:
    answer = get_verifier("answer").configured({"relative": 0.01})
    for gold, response, right in (
        ("100", "100.9", True),
        ("100", "101.1", False),
        (r"\sqrt{2}", "1.41", True),
        (r"\sqrt{2}", "1.3", False),
        ("0", "0.001", False),
    ):
        verdict = answer(
            Question("?", gold, answer_kind(gold, has_choices=False) or "", {}), Rationale(f"The answer is {response}")
        )
        assert (verdict.outcome is Outcome.PASS) == right, (gold, response)


def test_auto_kinds_of_formulas_dates_and_words() -> None:
    kinds = {
        "math": ("x+1", "(1,2)", "[0,1)", "1, 2, 3", r"\frac{\pi}{2}", "x=2y", r"\{1\}", "2x", "3:4"),
        "date": ("12:30", "3 pm", "March 5, 2024", "2024-03-05", "noon"),
        "text": (
            "x-ray",
            "A and B",
            "H2O",
            "and/or",
            "T-shirt",
            "COVID-19",
            "he = she",
            "New York, NY",
            r"\text{odd}",
            "3 red balls or so",
            "<div>",
        ),
        "number": ("1/2", "5 km", "$5", "12%", "3 1/2", "1,234"),
    }
    for kind, golds in kinds.items():
        assert {gold: answer_kind(gold, has_choices=False) for gold in golds} == dict.fromkeys(golds, kind)


# -- properties ------------------------------------------------------------------------------------------------------

numbers = st.fractions(min_value=-50, max_value=50, max_denominator=9)


def polynomial(roots: list[Fraction]) -> str:
    """The polynomial with these roots, multiplied out."""
    terms = [Fraction(1)]
    for root in roots:
        terms = [a - root * b for a, b in zip([*terms, Fraction(0)], [Fraction(0), *terms], strict=True)]
    return "+".join(f"({term}) x^{{{len(terms) - 1 - power}}}" for power, term in enumerate(terms))


@given(st.lists(numbers, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_polynomial_equals_its_factors_in_any_order_and_no_other(roots: list[Fraction], rng) -> None:
    shuffled = rng.sample(roots, len(roots))
    factors = "".join(f"(x-({root}))" for root in shuffled)
    other = "".join(f"(x-({root + (index == 0)}))" for index, root in enumerate(shuffled))
    assert same_formula(parse(polynomial(roots)), parse(factors))
    assert not same_formula(parse(polynomial(roots)), parse(other))


@given(st.lists(numbers, min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_sets_have_no_order_and_tuples_have_one(values: list[Fraction], rng) -> None:
    shuffled = rng.sample(values, len(values))
    one, other = (", ".join(map(str, part)) for part in (values, shuffled))
    assert same_formula(parse(rf"\{{{one}\}}"), parse(other))
    assert same_formula(parse(f"({one})"), parse(f"({other})")) == (values == shuffled)
    assert not same_formula(parse(one), parse(", ".join(map(str, values[1:]))))


@given(numbers, numbers.filter(bool), numbers)
def test_an_equation_may_be_multiplied_and_no_more(slope: Fraction, factor: Fraction, intercept: Fraction) -> None:
    line = parse(f"y=({slope})x+({intercept})")
    assert same_formula(line, parse(f"({factor}) y - ({factor * slope}) x - ({factor * intercept}) = 0"))
    assert not same_formula(line, parse(f"({factor}) y - ({factor * slope}) x - ({factor * (intercept + 1)}) = 0"))


@given(numbers, numbers)
def test_an_inequality_is_an_interval(low: Fraction, high: Fraction) -> None:
    assert same_formula(parse(rf"{low} \le x < {high}"), parse(f"[{low}, {high})"))
    assert not same_formula(parse(rf"{low} \le x < {high}"), parse(f"({low}, {high})"))
    assert same_formula(parse(f"x > {low}"), parse(rf"({low}, \infty)"))
    assert same_formula(parse(f"x > {low}"), parse(f"{low} < x"))


@given(st.text(alphabet=r"0123456789xyi.,;:+-*/^_=<>()[]{}|!%\ $&fracsqtpimlog" + "\u221a\u03c0\u00b0", max_size=60))
def test_no_text_crashes_the_grammar(text: str) -> None:
    try:
        node = parse(text)
    except Unreadable:
        return
    assert same_formula(node, node)
    assert read_formula(text) == node


def test_a_value_beyond_floating_point_is_compared_without_a_crash() -> None:
    for response in (r"\boxed{\binom{2026}{1013}}", r"\boxed{\binom{2026}{1013} < x}"):
        for gold in ("6.283185307179586", "x > 0.123456789"):
            verdict = get_verifier("answer")(Question("", gold, "math"), Rationale(response))
            assert verdict.outcome is not Outcome.PASS
            assert "crashed" not in verdict.reason
