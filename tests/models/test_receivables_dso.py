"""The DSO family with its working shown; what cannot be computed says why (F3)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
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


NO_SALES = "there were no credit sales in the period"
MISSING: dict[str, tuple[Callable[[], dso.Figure], str, str, str, tuple[str, ...]]] = {
    "no sales": (
        lambda: dso.simple(1, 0, 90, "GBP"), "DSO", "days", NO_SALES,
        ("receivables 0.01 GBP", "credit sales 0.00 GBP in 90 days"),
    ),
    "no days": (
        lambda: dso.simple(1, 5, 0, "GBP"), "DSO", "days", NO_SALES,
        ("receivables 0.01 GBP", "credit sales 0.05 GBP in 0 days"),
    ),
    "in credit": (
        lambda: dso.count_back(-1, QUARTER, "GBP"), "Count-back DSO", "days", "receivables stand in credit",
        ("receivables -0.01 GBP",),
    ),
    "not yet due in credit": (
        lambda: dso.best_possible(-1, 5, 90, "GBP"), "Best possible DSO", "days", "receivables not yet due stand in credit",
        ("receivables not yet due -0.01 GBP", "credit sales 0.05 GBP in 90 days"),
    ),
    "larger than known": (
        lambda: dso.count_back(6, [Month("a", 30, 5)], "GBP"), "Count-back DSO", "days",
        "receivables are 0.01 GBP larger than the sales of all 1 known months",
        ("receivables 0.06 GBP", "a: sales 0.05, 30 days, leaves 0.01"),
    ),
    "a month without sales": (
        lambda: dso.true([Aged("INV-1", 45, 20, 1), Aged("INV-2", 45, 20, 0)], "GBP"), "True DSO", "days",
        "the month of INV-2 has no known credit sales", ("INV-1: 45 days × 0.20 ÷ 0.01 = 900.0",),
    ),
    "nothing to collect": (
        lambda: dso.effectiveness(opening_minor=1, sales_minor=1, closing_minor=2, closing_current_minor=2, currency="GBP"),
        "Collection effectiveness", "%", "nothing was due to be collected in the period",
        ("collected: 0.01 + 0.01 − 0.02 = 0.00 GBP", "collectable: 0.01 + 0.01 − 0.02 = 0.00 GBP"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("figure", "name", "unit", "because", "working"), MISSING.values(), ids=MISSING)
def test_what_cannot_be_computed_says_because_of_what(
    figure: Callable[[], dso.Figure], name: str, unit: str, because: str, working: tuple[str, ...]
) -> None:  # F3
    found = figure()
    assert found._replace(at_least=None) == dso.Figure(name, unit, None, (*working, f"not computable because {because}"), because)
    assert found.value is None
    known = dso.simple(1, 1, 1, "GBP")
    for pair in ((found, known), (known, found)):
        late = dso.average_delinquent(*pair)
        assert (late.name, late.unit, late.exact, late.missing) == ("Average days delinquent", "days", None, because)
        assert f"{name} not known" in late.working and "DSO 1.0" in late.working


def test_every_figure_has_its_name_its_unit_and_its_working() -> None:  # F3
    plain, best = dso.simple(200, 100, 30, "GBP"), dso.best_possible(50, 100, 30, "GBP")
    facts = "credit sales 1.00 GBP in 30 days"
    assert plain == dso.Figure("DSO", "days", Fraction(60), ("receivables 2.00 GBP", facts, "2.00 ÷ 1.00 × 30", "= 60.0 days"))
    assert best == dso.Figure(
        "Best possible DSO", "days", Fraction(15), ("receivables not yet due 0.50 GBP", facts, "0.50 ÷ 1.00 × 30", "= 15.0 days")
    )
    assert dso.average_delinquent(plain, best) == dso.Figure(
        "Average days delinquent", "days", Fraction(45),
        ("DSO 60.0", "Best possible DSO 15.0", "60.0 − 15.0", "= 45.0 days"),
    )  # fmt: skip
    assert dso.true([Aged("I1", 9, 100, 300)], "GBP") == dso.Figure(
        "True DSO", "days", Fraction(3), ("I1: 9 days × 1.00 ÷ 3.00 = 3.0", "= 3.0 days")
    )
    for ar, days in ((100, Fraction(30)), (50, Fraction(15)), (0, Fraction(0))):
        found = dso.count_back(ar, [Month("a", 30, 100), Month("b", 31, 7)], "GBP")
        assert (found.name, found.unit, found.exact) == ("Count-back DSO", "days", days)
    assert dso.count_back(100, [Month("a", 30, 100)], "GBP") == dso.Figure(
        "Count-back DSO", "days", Fraction(30), ("receivables 1.00 GBP", "a: sales 1.00, 30 days, leaves 0.00", "= 30.0 days")
    )
    assert dso.count_back(1, [Month("a", 30, 100)], "GBP").exact == Fraction(3, 10)


def test_the_least_that_can_be_computed_is() -> None:  # F3
    assert dso.simple(0, 1, 1, "GBP").exact == 0
    assert dso.true([Aged("I1", 2, 3, 1)], "GBP").exact == 6
    of = {"opening_minor": 1, "sales_minor": 0, "closing_minor": 0, "closing_current_minor": 0}
    found = dso.effectiveness(**of, currency="GBP")
    assert (found.name, found.unit, found.exact) == ("Collection effectiveness", "%", 100)
    assert found.working[-2:] == ("0.01 ÷ 0.01 × 100", "= 100.0 %")
    assert dso.effectiveness(**of | {"closing_minor": 1}, currency="GBP").exact == 0


def test_months_go_back_over_the_turn_of_the_year() -> None:  # F3
    sales = {(2025, 11): 1, (2025, 12): 2, (2026, 1): 3, (2026, 2): 4}
    found = dso.months_until(dt.date(2026, 2, 10), sales, 3)
    assert found == (Month("2026-02", 10, 4), Month("2026-01", 31, 3), Month("2025-12", 31, 2))


@given(st.integers(0, 10**12), st.lists(st.integers(-(10**9), 10**11), max_size=12), st.integers(1, 31))
def test_count_back_never_raises_and_never_counts_more_than_the_known_days(ar: int, sales: list[int], days: int) -> None:
    months = [Month(str(at), days, each) for at, each in enumerate(sales)]
    found = dso.count_back(ar, months, "JPY")
    counted = found.at_least if found.exact is None else found.exact
    assert counted is not None and 0 <= counted <= days * len(months)
    assert bool(found.missing) == (found.exact is None)
