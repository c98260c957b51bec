"""Bills: entered once, checked against how their account is set up, never into a closed month (P1, P2, P14)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.payments import (
    BillingErrorFound,
    ClosePeriod,
    CommandRefused,
    CommandUnneeded,
    Covers,
    EntryPosted,
    ItemPosted,
    PeriodClosed,
    Posting,
)
from services.payments import ledger
from tests.models.payments_books import DAY, TODAY, Books, credit_note, invoice, of, opened

LAST_MONTH = TODAY.replace(day=1) - DAY


@pytest.fixture
def books() -> Books:
    found = Books()
    found.do(opened())
    return found


def test_a_bill_is_owed_and_sold(books: Books) -> None:  # P1
    books.do(invoice("I1", 500_00))
    assert books.sums() == {"receivables": 500_00, "sales": -500_00}
    assert (books.account().balance_minor, books.account().open_items) == (500_00, 1)


def test_a_credit_note_lowers_what_is_owed(books: Books) -> None:
    books.do(credit_note("C1", 50_00))
    assert books.sums() == {"receivables": -50_00, "returns": 50_00}


def test_the_same_bill_again_changes_nothing(books: Books) -> None:  # P3
    books.do(invoice("I1", 500_00))
    assert of(CommandUnneeded, books.do(invoice("I1", 500_00)))
    assert books.account().balance_minor == 500_00


def test_another_bill_under_its_number_is_refused(books: Books) -> None:
    books.do(invoice("I1", 500_00))
    for other in (invoice("I1", 500_01), credit_note("I1", 500_00), invoice("I1", 500_00, currency="EUR")):
        (refused,) = books.do(other)
        assert isinstance(refused, CommandRefused)
        assert refused.reason == "other_content"


def test_a_receipt_is_never_billed(books: Books) -> None:
    (refused,) = books.do(invoice("I1", 500_00, kind="receipt"))
    assert refused.reason == "unknown_kind"


@pytest.mark.parametrize(
    ("cause", "more", "posted"),
    [
        ("no_amount", {"amount_minor": 0}, False),
        ("wrong_currency", {"currency": "XXX"}, False),
        ("due_before_document", {"due_on": TODAY - 11 * DAY}, False),
        ("covers_too_much", {"covers": (Covers(order="O1", amount_minor=500_01),)}, True),
        ("other_currency", {"currency": "EUR"}, True),
        ("terms_differ", {"due_on": TODAY}, True),
    ],
)
def test_a_bill_that_does_not_fit_is_counted_and_kept_out_where_it_must_be(
    books: Books, cause: str, more: dict[str, Any], posted: bool
) -> None:  # P2
    facts = books.do(invoice("I1", **{"amount_minor": 500_00} | more))
    assert (cause, posted) in [(error.cause, error.posted) for error in of(BillingErrorFound, facts)]
    assert bool(of(ItemPosted, facts)) == bool(of(EntryPosted, facts)) == posted


def test_a_bill_into_a_closed_month_is_refused(books: Books) -> None:  # P14
    books.do(ClosePeriod(account="acme", month=LAST_MONTH), role="director")
    (refused,) = books.do(invoice("I1", 500_00, document_on=LAST_MONTH))
    assert refused.reason == "period_closed"
    assert of(ItemPosted, books.do(invoice("I1", 500_00, document_on=LAST_MONTH + DAY)))


def closing(month: dt.date = LAST_MONTH) -> ClosePeriod:
    return ClosePeriod(account="acme", month=month)


def test_a_month_is_closed_by_whoever_may_once_it_is_over(books: Books) -> None:  # P14, A6
    (refused,) = books.do(closing(), role="controller")
    assert refused.reason == "beyond_authority"
    (refused,) = books.do(closing(TODAY), role="director")
    assert refused.reason == "not_over"
    (closed,) = books.do(closing(), role="director")
    assert isinstance(closed, PeriodClosed)
    assert of(CommandUnneeded, books.do(closing(LAST_MONTH - 40 * DAY), role="director"))
    assert books.tables["period"]["0"].closed_until == LAST_MONTH


def test_an_entry_that_does_not_sum_to_zero_is_never_posted() -> None:  # P1
    lines = [
        Posting(ledger=name, amount_minor=minor, currency="GBP", base_minor=minor) for name, minor in (("bank", 3), ("sales", -2))
    ]
    with pytest.raises(ledger.Unbalanced, match="sum to 1"):
        ledger.entry("acme", "E1", "invoice", TODAY, lines)
