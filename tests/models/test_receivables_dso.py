"""The DSO family with its working shown; what cannot be computed says why (F3)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.receivables import dso
from shared.receivables.dso import Aged, Month

QUARTER = (Month("2026-03", 30, 100_000_00), Month("2026-02", 30, 80_000_00), Month("2026-01", 30, 70_000_00))


def test_count_back_of_212k_over_100k_80k_70k_is_73_7_days() -> None:  # F3
    found = dso.count_back(212_000_00, QUARTER, "GBP")
    assert found.value == Decimal("73.7")
    assert found.working == (
        "receivables 212,000.00 GBP",
        "2026-03: sales 100,000.00, 30 days, leaves 112,000.00",
        "2026-02: sales 80,000.00, 30 days, leaves 32,000.00",
        "2026-01: 30 days × 32,000.00 ÷ 70,000.00 = 13.7 days",
        "= 73.7 days",
    )


def test_count_back_counts_the_real_days_of_months() -> None:  # F3
    sales = {(2026, 3): 100_000_00, (2026, 2): 80_000_00, (2026, 1): 70_000_00}
    months = dso.months_until(dt.date(2026, 3, 31), sales, 12)
    assert [(month.name, month.days) for month in months] == [("2026-03", 31), ("2026-02", 28), ("2026-01", 31)]
    assert dso.count_back(212_000_00, months, "GBP").exact == 31 + 28 + Fraction(31 * 32, 70)
    assert dso.months_until(dt.date(2026, 3, 12), sales, 2)[0].days == 12, "the newest month only up to the day"
    assert dso.months_until(dt.date(2026, 1, 31), {(2026, 1): 1, (2025, 11): 1}, 9) == (Month("2026-01", 31, 1),), "a gap ends it"


def test_receivables_larger_than_all_known_sales_say_so() -> None:  # F3
    found = dso.count_back(260_000_00, QUARTER, "GBP")
    assert found.value is None and found.at_least == 90
    assert found.missing == "receivables are 10,000.00 GBP larger than the sales of all 3 known months"
    assert dso.count_back(1, (), "GBP").missing == "receivables are 0.01 GBP larger than any known sales"


@pytest.mark.parametrize(
    ("ar", "value"), [(0, "0.0"), (100_000_00, "30.0"), (250_000_00, "90.0"), (180_000_00, "60.0"), (50_000_00, "15.0")]
)
def test_whole_months_count_their_days_and_nothing_more(ar: int, value: str) -> None:
    assert dso.count_back(ar, QUARTER, "GBP").value == Decimal(value)


def test_a_month_without_sales_counts_its_days_and_one_of_returns_gives_back() -> None:
    months = (Month("c", 30, 0), Month("b", 31, -500), Month("a", 30, 3000))
    assert dso.count_back(1000, months, "GBP").exact == 30 + 31 + 15


def test_simple_dso_is_receivables_over_sales_by_days() -> None:  # F3
    found = dso.simple(212_000_00, 250_000_00, 90, "GBP")
    assert found.value == Decimal("76.3") and found.exact == Fraction(212 * 90, 250)
    assert found.working[-2:] == ("212,000.00 ÷ 250,000.00 × 90", "= 76.3 days")


def test_average_days_delinquent_is_dso_less_the_best_possible() -> None:  # F3
    best = dso.best_possible(150_000_00, 250_000_00, 90, "GBP")
    found = dso.average_delinquent(dso.simple(212_000_00, 250_000_00, 90, "GBP"), best)
    assert (best.value, found.value) == (Decimal("54.0"), Decimal("22.3"))


def test_cei_is_what_was_collected_of_what_could_be() -> None:  # F3
    # By hand: (100 + 250 − 212) ÷ (100 + 250 − 150) × 100 = 138 ÷ 200 × 100 = 69.
    money = {"opening_minor": 100_000_00, "sales_minor": 250_000_00, "closing_minor": 212_000_00}
    found = dso.effectiveness(**money, closing_current_minor=150_000_00, currency="GBP")
    assert (found.value, found.unit) == (Decimal("69.0"), "%")


def test_true_dso_weighs_each_invoice_by_the_sales_of_its_month() -> None:  # rules 2.6
    # By hand: 45 × 20 ÷ 100 + 10 × 40 ÷ 80 = 9 + 5 = 14.
    found = dso.true([Aged("INV-1", 45, 20_000_00, 100_000_00), Aged("INV-2", 10, 40_000_00, 80_000_00)], "GBP")
    assert found.value == Decimal("14.0")
    assert found.working[0] == "INV-1: 45 days × 20,000.00 ÷ 100,000.00 = 9.0"


MISSING = {
    "there were no credit sales in the period": dso.simple(1, 0, 90, "GBP"),
    "receivables stand in credit": dso.count_back(-1, QUARTER, "GBP"),
    "receivables not yet due stand in credit": dso.best_possible(-1, 5, 90, "GBP"),
    "the month of INV-1 has no known credit sales": dso.true([Aged("INV-1", 45, 20, 0)], "GBP"),
    "nothing was due to be collected in the period": dso.effectiveness(
        opening_minor=1, sales_minor=1, closing_minor=2, closing_current_minor=2, currency="GBP"
    ),
}


@pytest.mark.parametrize(("because", "found"), MISSING.items())
def test_what_cannot_be_computed_says_because_of_what(because: str, found: dso.Figure) -> None:  # F3
    assert (found.exact, found.value, found.missing) == (None, None, because)
    assert found.working[-1] == f"not computable because {because}"
    known = dso.simple(1, 1, 1, "GBP")
    assert dso.average_delinquent(found, known).missing == because == dso.average_delinquent(known, found).missing


@given(st.integers(0, 10**12), st.lists(st.integers(-(10**9), 10**11), max_size=12), st.integers(1, 31))
def test_count_back_never_raises_and_never_counts_more_than_the_known_days(ar: int, sales: list[int], days: int) -> None:
    months = [Month(str(at), days, each) for at, each in enumerate(sales)]
    found = dso.count_back(ar, months, "JPY")
    counted = found.at_least if found.exact is None else found.exact
    assert counted is not None and 0 <= counted <= days * len(months)
    assert bool(found.missing) == (found.exact is None)
