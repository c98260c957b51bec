"""Money: exact in, exact out, nothing lost in between (P1, F5)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import _CODES, EXPONENTS, NotMoney, as_text, exponent, extended, parse, rounded, split, with_currency

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(-(10**15), 10**15)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any)


@given(minors, currencies)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse(as_text(minor, currency), currency) == minor


@given(minors, currencies, st.integers(0, 4))
def test_zeros_behind_the_last_decimal_change_nothing(minor: int, currency: str, zeros: int) -> None:
    text = as_text(minor, currency)
    assert parse((text if "." in text else f"{text}.") + "0" * zeros, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.5", "GBP", 1250),
        ("12", "GBP", 1200),
        ("12.", "GBP", 1200),
        ("-0.01", "EUR", -1),
        ("+7", "JPY", 7),
        ("7.0", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        ("-0", "GBP", 0),
    ],
)
def test_known_amounts(text: str, currency: str, minor: int) -> None:
    assert parse(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1,5", "1.234,50", "1e3", "NaN", "Infinity", "--1", ".5", "١", "1_000", "9" * 17, "0x10"],
)
def test_text_that_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NotMoney, match=r"1234\.50"):
        parse(text, "GBP")


@pytest.mark.parametrize(("text", "currency"), [("1.001", "GBP"), ("1.5", "JPY"), ("0.00001", "CLF")])
def test_decimals_the_currency_does_not_have_are_refused_not_rounded(text: str, currency: str) -> None:
    with pytest.raises(NotMoney, match="more decimals than"):
        parse(text, currency)


@pytest.mark.parametrize("currency", ["gbp", "XXX", "", "POUNDS", "DEM"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(NotMoney, match="ISO 4217"):
        exponent(currency)


def test_each_currency_is_listed_once() -> None:
    listed = [code for codes in _CODES.values() for code in codes.split()]
    assert len(listed) == len(set(listed)) == len(EXPONENTS)
    assert all(len(code) == 3 and code.isupper() for code in listed)


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("0.005", 0), ("0.015", 2), ("0.025", 2), ("-0.005", 0), ("-0.015", -2), ("0.0250001", 3)],
)
def test_halves_round_to_even(amount: str, minor: int) -> None:
    assert rounded(Decimal(amount), "GBP") == minor


@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=8), currencies)
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(amount: Decimal, currency: str) -> None:
    exact = Fraction(amount) * 10 ** exponent(currency)
    assert abs(rounded(amount, currency) - exact) <= Fraction(1, 2)


@given(st.integers(-(10**9), 10**9), st.decimals(0, 10**6, allow_nan=False, places=4))
def test_a_line_is_rounded_once_from_the_exact_product(quantity: int, price: Decimal) -> None:
    exact = Fraction(quantity) * Fraction(price) * 100
    assert extended(quantity, price, "GBP") == round(exact)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e70"])
def test_what_cannot_be_rounded_is_refused(amount: str) -> None:
    with pytest.raises(NotMoney):
        rounded(Decimal(amount), "GBP")


@given(minors, weights)
def test_a_split_adds_up_to_its_total(total: int, shares: list[int]) -> None:
    assert sum(split(total, shares)) == total


@given(minors, weights)
def test_no_part_is_a_minor_unit_or_more_from_its_exact_share(total: int, shares: list[int]) -> None:
    exact = (Fraction(total * share, sum(shares)) for share in shares)
    assert all(abs(part - fair) < 1 for part, fair in zip(split(total, shares), exact, strict=True))


@given(minors, weights)
def test_who_has_no_weight_gets_nothing(total: int, shares: list[int]) -> None:
    assert all(part == 0 for part, share in zip(split(total, shares), shares, strict=True) if share == 0)


def test_the_penny_over_goes_to_the_largest_remainder_then_to_the_earlier() -> None:
    assert split(100, [1, 1, 1]) == [34, 33, 33]
    assert split(-100, [1, 1, 1]) == [-34, -33, -33]
    assert split(10, [10, 25, 65]) == [1, 3, 6]  # remainders 0, 0.5, 0.5


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [2, -1]])
def test_a_split_by_nothing_is_refused(shares: list[int]) -> None:
    with pytest.raises(NotMoney):
        split(100, shares)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1_234_567, "GBP", "12,345.67 GBP"), (-5, "EUR", "-0.05 EUR"), (1_250, "JPY", "1,250 JPY"), (1_250, "KWD", "1.250 KWD")],
)
def test_an_amount_in_a_sentence_has_its_decimals_and_its_currency(minor: int, currency: str, text: str) -> None:
    assert with_currency(minor, currency) == text
