"""Amounts as people type them: what is taken, and what a refusal says is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.amounts import NoAmount, minor_of
from services.console.pages import money_text


@pytest.mark.parametrize("text", ["15,000", "15 000", "15000", "15,000.00", " 15000.0 "])
def test_what_people_type_is_taken(text: str) -> None:
    assert minor_of(text, "GBP") == 1_500_000


@pytest.mark.parametrize("text", ["abc", "", "12,5x", "12,50", "1,5,000", "1.000,00"])
def test_what_is_not_taken_says_what_is(text: str) -> None:
    with pytest.raises(NoAmount, match=r"write it as 15,000 or 15,000\.00, with commas or blanks between thousands only"):
        minor_of(text, "GBP")


def test_a_currency_says_its_own_decimals() -> None:
    with pytest.raises(NoAmount, match="more decimals than GBP"):
        minor_of("1.234", "GBP")
    with pytest.raises(NoAmount, match="15,000 or 15000,"):
        minor_of("abc", "JPY")


@given(st.integers(0, 10**12), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_what_a_page_shows_is_taken_back(minor: int, currency: str) -> None:
    assert minor_of(money_text(minor, currency), currency) == minor
