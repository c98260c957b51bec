"""Late payment in the United Kingdom: the rate of the half-year, kept; simple by the day; the fixed sum by invoice (F6)."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.receivables.interest import Law, NoLaw, Owed, fixed_minor, late_payment, law_of, rate_bp, reference_day, shipped

GB = shipped("GB")
DUE = dt.date(2025, 7, 10)
"""Interest starts in the second half of 2025: base rate on 30 June 4.25 %."""

REFERENCE_RATES = {  # by the first day of the half-year
    "2010-01-01": 850, "2016-07-01": 850, "2017-01-01": 825, "2017-07-01": 825, "2018-01-01": 850, "2018-07-01": 850,
    "2019-01-01": 875, "2020-01-01": 875, "2020-07-01": 810, "2021-07-01": 810, "2022-01-01": 825, "2022-07-01": 925,
    "2023-01-01": 1150, "2023-07-01": 1300, "2024-01-01": 1325, "2024-07-01": 1325, "2025-01-01": 1275, "2025-07-01": 1225,
    "2026-01-01": 1175, "2026-07-01": 1175,
}  # fmt: skip


def after(days: int, due: dt.date = DUE) -> dt.date:
    return due + dt.timedelta(days=days)


def test_5000_at_12_25_per_cent_for_101_days_are_169_49() -> None:  # F6
    found = late_payment(GB, DUE, [Owed(after(101), 500_000)], "GBP")
    assert (found.interest_minor, found.rate_bp, found.days, found.fixed_minor) == (169_49, 1225, 101, 70_00)
    assert found.working == (
        "interest starts on 11 Jul 2025; base rate on 30 Jun 2025: 4.25 %",
        "4.25 % + 8.00 % = 12.25 % a year",
        "5,000.00 × 12.25 % × 101 ÷ 365 days",
        "= 169.49 GBP, rounded once",
        "fixed sum 70.00 GBP",
    )


@pytest.mark.parametrize(("starts_on", "bp"), REFERENCE_RATES.items())
def test_the_rate_is_that_of_the_half_year(starts_on: str, bp: int) -> None:  # F6
    first = dt.date.fromisoformat(starts_on)
    assert rate_bp(GB, first) == rate_bp(GB, first + dt.timedelta(days=180)) == bp


@pytest.mark.parametrize(
    ("due", "day"),
    [("2025-06-29", "2024-12-31"), ("2025-06-30", "2025-06-30"), ("2025-12-30", "2025-06-30"), ("2025-12-31", "2025-12-31")],
)
def test_the_half_year_is_that_in_which_interest_starts_not_that_of_the_due_day(due: str, day: str) -> None:  # F6
    assert reference_day(dt.date.fromisoformat(due) + dt.timedelta(days=1)) == dt.date.fromisoformat(day)


def test_the_rate_is_kept_when_the_base_rate_moves() -> None:  # F6
    found = late_payment(GB, DUE, [Owed(after(365), 100_000)], "GBP")
    assert found.interest_minor == 122_50


@pytest.mark.parametrize(
    ("debt", "fixed"), [(1, 40_00), (999_99, 40_00), (1_000_00, 70_00), (9_999_99, 70_00), (10_000_00, 100_00), (0, 0), (-5, 0)]
)
def test_the_fixed_sum_goes_by_the_debt(debt: int, fixed: int) -> None:  # F6
    assert fixed_minor(GB, debt) == fixed


def test_a_part_payment_lowers_what_interest_is_on_and_is_rounded_once() -> None:
    found = late_payment(GB, DUE, [Owed(after(10), 500_000), Owed(after(20), 200_000)], "GBP")
    assert found.interest_minor == round((500_000 * 10 + 200_000 * 10) * 1225 / (365 * 10_000)) == 23_49
    assert found.fixed_minor == 70_00, "by the debt when interest started"


def test_what_was_paid_before_the_due_day_is_not_late() -> None:
    found = late_payment(GB, DUE, [Owed(after(-3), 2_000_000), Owed(after(10), 90_000)], "GBP")
    assert (found.days, found.interest_minor, found.fixed_minor) == (10, 302, 40_00)


@given(st.integers(1, 10**9), st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_spans_of_the_same_debt_are_one_span(minor: int, lengths: list[int]) -> None:
    ends = [sum(lengths[: at + 1]) for at in range(len(lengths))]
    spans = [Owed(after(end), minor) for end in ends]
    parts, whole = late_payment(GB, DUE, spans, "GBP"), late_payment(GB, DUE, spans[-1:], "GBP")
    assert (parts.interest_minor, parts.days) == (whole.interest_minor, whole.days)


@pytest.mark.parametrize(
    ("due", "owed", "currency", "because"),
    [
        (DUE, [Owed(after(0), 500_000)], "GBP", "nothing was owed"),
        (DUE, [Owed(after(9), 0)], "GBP", "nothing was owed"),
        (DUE, [], "GBP", "nothing was owed"),
        (DUE, [Owed(after(9), 500_000)], "EUR", "in GBP and the debt in EUR"),
        (dt.date(2026, 12, 31), [Owed(dt.date(2027, 2, 1), 1)], "GBP", "no base rate is known for 31 Dec 2026; add it"),
        (dt.date(2008, 1, 1), [Owed(dt.date(2009, 2, 1), 1)], "GBP", "no base rate is known for 31 Dec 2007"),
    ],
)
def test_what_cannot_be_computed_says_because_of_what(due: dt.date, owed: list[Owed], currency: str, because: str) -> None:
    found = late_payment(GB, due, owed, currency)
    assert because in found.missing and found.working == (f"not computable because {found.missing}",)
    assert (found.interest_minor, found.fixed_minor, found.rate_bp, found.days) == (0, 0, 0, 0)


def test_a_rate_is_known_to_its_last_day_and_no_further() -> None:  # F6
    law = msgspec.structs.replace(GB, known_until=dt.date(2026, 6, 30))
    assert rate_bp(law, dt.date(2026, 7, 1)) == 1175
    assert rate_bp(msgspec.structs.replace(law, known_until=dt.date(2026, 6, 29)), dt.date(2026, 7, 1)) is None


def test_spans_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise by day"):
        late_payment(GB, DUE, [Owed(after(9), 1), Owed(after(9), 1)], "GBP")


@pytest.mark.parametrize("country", ["FR", "../GB", "", "gb.yaml"])
def test_a_country_without_a_law_is_told(country: str) -> None:
    with pytest.raises(NoLaw, match="no law of late payment"):
        shipped(country)


LAW = b"""
{country: GB, currency: GBP, uplift_bp: 800, year_days: 365, known_until: 2026-01-01, fixed_sums: [%s], base_rates: [%s]}
"""
ONE, TWO = b"{from: 2020-01-01, rate_bp: 1}", b"{from: 2021-01-01, rate_bp: 2}"


@pytest.mark.parametrize(
    ("sums", "rates", "wrong"),
    [
        (b"", TWO + b", " + ONE, "do not rise by date"),
        (b"", ONE + b", " + ONE, "do not rise by date"),
        (b"", b"", "length >= 1"),
        (b"", b"{from: 2020-01-01, rate_bp: 4.5}", "Expected `int`"),
        (b"{sum_minor: 1}, {sum_minor: 2, below_minor: 5}", ONE, "comes last"),
        (b"{sum_minor: 1, below: 5}", ONE, "unknown field"),
    ],
)
def test_a_law_with_a_mistake_is_refused(sums: bytes, rates: bytes, wrong: str) -> None:
    with pytest.raises(NoLaw, match=wrong):
        law_of(LAW % (sums, rates), "GB.yaml")
    assert isinstance(law_of(LAW % (b"", ONE + b", " + TWO), "GB.yaml"), Law)
