"""Ageing: every item in exactly one column, the total is the balance, whatever the basis, buckets and currencies (P12, F7)."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.receivables.ageing import (
    MONTHS,
    Aged,
    Item,
    NotAged,
    Policy,
    age,
    in_base,
    per_day,
    round_half_even,
    shares_bp,
    together,
)

ON = dt.date(2026, 3, 31)
DUE, DOCUMENT = Policy(), Policy(basis="document_date")

days = st.none() | st.dates(dt.date(2024, 1, 1), dt.date(2027, 1, 1))
amounts = st.integers(-(10**12), 10**12)


@st.composite
def items(draw: st.DrawFn) -> Item:
    due_on, document_on = draw(days), draw(days)
    if due_on is None and document_on is None:
        due_on = ON
    open_minor = draw(amounts)
    disputed = draw(st.integers(min(open_minor, 0), max(open_minor, 0)))
    kind = draw(st.sampled_from(["invoice", "debit_note", "credit_note", "receipt"]))
    return Item(kind, due_on, document_on, open_minor, draw(st.sampled_from(["GBP", "EUR", "JPY"])), draw(amounts), disputed)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    bounds = draw(st.lists(st.integers(1, 400), min_size=1, max_size=8, unique=True))
    return Policy(basis=draw(st.sampled_from(["due_date", "document_date", "calendar_month"])), bounds=tuple(sorted(bounds)))


ledgers = st.lists(items(), max_size=10)


def aged(*given: Item, policy: Policy = DUE, on: dt.date = ON) -> Aged:
    return age(given, on, base_currency="GBP", policy=policy)


def invoice(minor: int, late: int, disputed: int = 0, *, document: int = 0) -> Item:
    day = ON - dt.timedelta(days=late)
    return Item("invoice", day, day - dt.timedelta(days=document), minor, "GBP", minor, disputed)


def filled(found: Aged) -> dict[str, int]:
    return {column.name: column.minor for column in found.base.columns if column.minor}


# --- the total is the balance -------------------------------------------------------------------------------------------


@given(ledgers, policies())
def test_the_total_is_the_sum_of_the_columns_and_the_balance_always(owed: list[Item], policy: Policy) -> None:  # P12
    found = aged(*owed, policy=policy)
    for ledger in found.currencies:
        balance = sum(item.open_minor for item in owed if item.currency == ledger.currency)
        assert ledger.total_minor == balance == sum(column.minor for column in ledger.columns) + ledger.credits.minor
    assert found.base.total_minor == sum(item.base_minor for item in owed)
    assert [ledger.currency for ledger in found.currencies] == sorted({item.currency for item in owed})


@given(ledgers, policies())
def test_disputed_is_told_apart_and_changes_no_total(owed: list[Item], policy: Policy) -> None:  # P12, C6
    found, calm = aged(*owed, policy=policy), aged(*(item._replace(disputed_minor=0) for item in owed), policy=policy)
    for ledger, undisputed in zip(found.currencies, calm.currencies, strict=True):
        assert ledger.disputed_minor == sum(item.disputed_minor for item in owed if item.currency == ledger.currency)
        assert [column[:2] for column in ledger.columns] == [column[:2] for column in undisputed.columns]


@given(ledgers, policies(), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(owed: list[Item], policy: Policy, order: Any) -> None:
    mixed = list(owed)
    order.shuffle(mixed)
    assert aged(*owed, policy=policy) == aged(*mixed, policy=policy)


@given(ledgers, policies())
def test_credits_stand_in_a_column_of_their_own_aged_by_their_date(owed: list[Item], policy: Policy) -> None:  # P12
    for ledger in aged(*owed, policy=policy).currencies:
        assert ledger.credits.minor == sum(column.minor for column in ledger.credits_aged) <= ledger.cash_minor <= 0
        assert all(column.minor >= 0 for column in ledger.columns)
        cash = [item for item in owed if item.currency == ledger.currency and item.kind == "receipt" and item.open_minor < 0]
        assert ledger.cash_minor == sum(item.open_minor for item in cash)


@given(ledgers, policies())
def test_sums_per_day_age_like_the_items_they_are_made_of(owed: list[Item], policy: Policy) -> None:
    for whole, summed in zip(aged(*owed, policy=policy).currencies, aged(*per_day(owed), policy=policy).currencies, strict=True):
        assert whole == summed


@given(ledgers, policies())
def test_what_is_of_one_day_is_one_sum_in_its_currency_and_in_base(owed: list[Item], policy: Policy) -> None:  # P12
    crowded = [item._replace(kind="invoice", due_on=ON, document_on=ON, disputed_minor=0) for item in owed]
    summed = list(per_day(crowded))
    assert len(summed) <= 2 * len({item.currency for item in owed})
    assert aged(*summed, policy=policy) == aged(*crowded, policy=policy)


def test_a_sum_of_a_day_keeps_debts_and_credits_apart() -> None:  # P12
    debt, credit, spread = (
        Item("invoice", ON, ON, minor, "EUR", base, 0) for minor, base in ((300, 260), (-300, -250), (0, -10))
    )
    assert list(per_day([debt, credit, debt, spread])) == [
        Item("invoice", ON, ON, 600, "EUR", 520, 0), Item("invoice", ON, ON, -300, "EUR", -260, 0),
    ]  # fmt: skip


@given(st.lists(ledgers, max_size=4), policies())
def test_lines_added_together_are_the_ageing_of_all(accounts: list[list[Item]], policy: Policy) -> None:  # V6
    each = [aged(*owed, policy=policy).base for owed in accounts]
    assert together(each, "GBP", policy) == aged(*(item for owed in accounts for item in owed), policy=policy).base


# --- buckets ------------------------------------------------------------------------------------------------------------

BOUNDS = {
    -400: "Not due", 0: "Not due", 1: "1–30", 30: "1–30", 31: "31–45", 45: "31–45", 46: "46–60", 60: "46–60", 61: "61–90",
    90: "61–90", 91: "91–120", 120: "91–120", 121: ">120", 4000: ">120",
}  # fmt: skip


@pytest.mark.parametrize(("late", "name"), BOUNDS.items())
def test_a_debt_stands_in_the_bucket_of_its_days(late: int, name: str) -> None:  # P12
    assert filled(aged(invoice(7, late))) == {name: 7}


def test_by_document_date_a_debt_ages_from_its_document() -> None:  # P12
    assert filled(aged(invoice(7, -1, document=30), policy=DOCUMENT)) == {"1–30": 7}
    assert DOCUMENT.names[0] == "0 days"


@pytest.mark.parametrize(
    ("document_on", "name"),
    [("2026-03-01", "This month"), ("2026-02-28", "1"), ("2026-01-31", "2"), ("2025-12-31", "3"), ("2025-11-30", ">3")],
)
def test_by_calendar_month_the_month_of_the_document_counts(document_on: str, name: str) -> None:  # P12
    item = Item("invoice", None, dt.date.fromisoformat(document_on), 7, "GBP", 7)
    assert filled(aged(item, policy=MONTHS)) == {name: 7}


def test_other_buckets_come_from_the_same_items() -> None:  # P12
    owed = [invoice(1, 7), invoice(2, 8), invoice(4, 15)]
    assert filled(aged(*owed, policy=Policy(bounds=(7, 14)))) == {"1–7": 1, "8–14": 2, ">14": 4}


def test_cash_and_credits_age_by_their_own_date_and_an_overpaid_invoice_is_a_credit() -> None:  # P12
    day = ON - dt.timedelta(days=50)
    owed = [
        invoice(1000, 10),
        Item("receipt", None, day, -300, "GBP", -300),
        Item("credit_note", ON, day, -200, "GBP", -200),
        Item("invoice", ON, ON, -1, "GBP", -1),
    ]
    found = aged(*owed).base
    assert (found.total_minor, found.credits.minor, found.cash_minor, found.overdue_minor) == (499, -501, -300, 1000)
    assert {column.name: column.minor for column in found.credits_aged if column.minor} == {"46–60": -500, "0 days": -1}


def test_each_bucket_says_how_much_of_it_is_disputed_in_its_currency_and_in_base() -> None:  # P12, C6
    found = aged(Item("invoice", ON, None, 300, "EUR", 250, 100), invoice(80, 0, 80), invoice(50, 40))
    assert [(column.minor, column.disputed_minor) for column in found.currencies[0].columns[:3]] == [(300, 100), (0, 0), (0, 0)]
    assert [(column.minor, column.disputed_minor) for column in found.base.columns[:3]] == [(330, 163), (0, 0), (50, 0)]


def test_an_item_without_any_date_is_refused() -> None:
    with pytest.raises(NotAged, match="invoice of 5 GBP has neither a due nor a document date"):
        aged(Item("invoice", None, None, 5, "GBP", 5))


@pytest.mark.parametrize("bounds", [(), (0, 30), (30, 30), (45, 30), (-1,), tuple(range(1, 62))])
def test_buckets_that_do_not_rise_or_are_too_many_are_refused(bounds: tuple[int, ...]) -> None:
    with pytest.raises(NotAged):
        Policy(bounds=bounds)


def test_no_items_are_an_empty_ageing() -> None:
    found = aged()
    assert (found.currencies, found.base.total_minor, len(found.base.columns)) == ((), 0, 7)


def test_ledgers_of_another_currency_or_policy_are_not_added() -> None:
    with pytest.raises(NotAged, match="cannot be added"):
        together([aged(Item("invoice", ON, ON, 1, "EUR", 1)).currencies[0]], "GBP", DUE)
    with pytest.raises(NotAged, match=r"of Not due, 1, 2, >2 cannot be added"):
        together([aged(policy=Policy(bounds=(1, 2))).base], "GBP", DUE)
    with pytest.raises(NotAged, match=r"of 0 days, 1–30"):
        together([aged(policy=DOCUMENT).base], "GBP", DUE)


# --- percentages ----------------------------------------------------------------------------------------------------------


@given(ledgers, policies())
def test_percentages_add_up_and_are_nearly_exact(owed: list[Item], policy: Policy) -> None:  # F7
    ledger = aged(*owed, policy=policy).base
    shares = shares_bp(ledger)
    if ledger.total_minor <= 0:
        assert shares is None
        return
    assert shares is not None and sum(shares) == 10_000
    for column, share in zip((*ledger.columns, ledger.credits), shares, strict=True):
        assert abs(share * ledger.total_minor - column.minor * 10_000) < ledger.total_minor


def test_percentages_are_of_the_total_with_what_is_not_due() -> None:  # F7
    assert shares_bp(aged(invoice(9000, 0), invoice(1000, 40)).base) == (9000, 0, 1000, 0, 0, 0, 0, 0)
    thirds = aged(invoice(1, 0), invoice(1, 1), invoice(1, 40)).base
    assert shares_bp(thirds) == (3334, 3333, 3333, 0, 0, 0, 0, 0)
    against = aged(invoice(1500, 0), Item("receipt", None, ON, -500, "GBP", -500)).base
    assert shares_bp(against) == (15_000, 0, 0, 0, 0, 0, 0, -5000)


# --- rounding -------------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**15), 10**15), st.integers(-(10**9), 10**9).filter(bool))
def test_half_even_rounding_is_that_of_exact_fractions(dividend: int, divisor: int) -> None:
    assert round_half_even(dividend, divisor) == round(Fraction(dividend, divisor))


@given(amounts, amounts)
def test_the_whole_of_an_item_is_the_whole_of_its_base(open_minor: int, base_minor: int) -> None:
    assert in_base(open_minor, open_minor, base_minor) == (base_minor if open_minor else 0)
