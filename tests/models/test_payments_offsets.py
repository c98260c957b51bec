"""Credits set against debts: exact, by agreement and due date, taken back exactly (P8)."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.payments import (
    CashReferred,
    CommandRefused,
    CommandUnneeded,
    EntryPosted,
    ItemSettled,
    ItemsOffset,
    OffsetItems,
    OffsetUndone,
    Settle,
    UndoOffset,
    WithdrawCash,
)
from services.payments import offsets
from services.payments.policies import in_force
from tests.models.payments_books import DAY, TODAY, Books, cash, credit_note, invoice, of, opened, pays, settles


@pytest.fixture
def books() -> Books:
    """Acme owes 500, 400 and, in two months, 300; a credit note of 600 and cash of 100 stand against it. Beta owes 100."""
    found = Books()
    for told in (
        opened(),
        opened("beta", "acme"),
        invoice("I1", 500_00, due_on=TODAY + 5 * DAY),
        invoice("I2", 400_00, due_on=TODAY - 5 * DAY),
        invoice("I3", 300_00, due_on=TODAY + 60 * DAY),
        invoice("E1", 100_00, currency="EUR", due_on=TODAY),
        invoice("B1", 100_00, "beta"),
        credit_note("C1", 600_00),
        cash("R", 100_00),
    ):
        found.do(told)
    return found


def offset(credit: str, *lines: Settle | tuple[str, int], **more: Any) -> OffsetItems:
    found = tuple(line if isinstance(line, Settle) else settles(*line) for line in lines)
    return OffsetItems(account="acme", credit=credit, lines=found, **({"reason": "monthly", "agreement": "A-1"} | more))


def standing(books: Books) -> dict[str, tuple[int, int]]:
    return {name: (item.open_minor, item.open_base_minor) for name, item in books.tables["item"].items()}


def done(books: Books, wish: OffsetItems) -> str:
    (said,) = of(ItemsOffset, books.do(wish))
    return str(said.offset)


def test_a_credit_settles_the_debts_it_is_set_against(books: Books) -> None:  # P8
    before, balance = books.sums(), books.account().balance_minor
    facts = books.do(offset("C1", ("I2", 400_00), ("I1", 150_00)))
    assert [(fact.item, fact.settled_minor, fact.open_minor) for fact in of(ItemSettled, facts)] == [
        ("I2", 400_00, 0),
        ("I1", 150_00, 350_00),
        ("C1", -550_00, -50_00),
    ]
    assert books.account().balance_minor == balance
    assert {name: minor for name, minor in books.sums().items() if minor} == {
        name: minor for name, minor in before.items() if minor
    }


def test_an_offset_is_its_own_statement(books: Books) -> None:  # P8
    (said,) = of(ItemsOffset, books.do(offset("C1", ("I2", 400_00))))
    assert (said.credit, said.amount_minor, said.agreement, said.by) == ("C1", 400_00, "A-1", "anna")
    assert [(line.item, line.settled_minor) for line in said.lines] == [("I2", 400_00)]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (offset("C1"), "no_lines"),
        (offset("C1", ("I1", 1), ("I1", 1)), "item_twice"),
        (offset("C1", ("I9", 1)), "unknown_item"),
        (offset("C9", ("I1", 1)), "unknown_item"),
        (offset("C1", ("B1", 1)), "unknown_item"),
        (offset("C1", settles("I1", 1, account="beta")), "unknown_item"),
        (offset("C1", ("R", 1)), "wrong_kind"),
        (offset("I1", ("I2", 1)), "wrong_kind"),
        (offset("C1", ("E1", 1)), "other_currency"),
        (offset("C1", ("I2", 400_01)), "more_than_open"),
        (offset("C1", ("I2", 0)), "more_than_open"),
        (offset("C1", ("I2", -1)), "more_than_open"),
        (offset("C1", ("I1", 500_00), ("I2", 100_01)), "too_much"),
        (offset("C1", settles("I2", 1, discount=1)), "not_the_sum"),
        (offset("C1", settles("I2", 1, difference=1)), "not_the_sum"),
        (offset("C1", ("I3", 1)), "not_due"),
        (offset("C1", ("I1", 1), agreement=" "), "no_agreement"),
        (offset("C1", ("I1", 1), reason=" "), "no_reason"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(books: Books, wish: OffsetItems, reason: str) -> None:  # P8
    before = standing(books)
    (refused,) = books.do(wish)
    assert isinstance(refused, CommandRefused)
    assert (refused.reason, standing(books)) == (reason, before)


def test_what_is_proposed_takes_the_earliest_due_first_and_leaves_what_is_far_ahead(books: Books) -> None:  # P8
    debts = [books.item(name) for name in ("I1", "I2", "I3", "E1", "B1")]
    lines = offsets.by_due_date(books.item("C1"), debts, TODAY, in_force(TODAY))
    assert [(line.item, line.settled_minor) for line in lines] == [("I2", 400_00), ("I1", 200_00)]
    assert done(books, offset("C1", *lines))
    assert books.item("C1").open_minor == 0


def test_an_offset_taken_back_leaves_all_as_it_was_by_new_entries(books: Books) -> None:  # P8
    before, sums, lines = standing(books), books.sums(), len(books.tables["ledger"])
    name = done(books, offset("C1", ("I2", 400_00), ("I1", 150_00)))
    facts = books.do(UndoOffset(account="acme", offset=name, reason="not agreed"))
    assert of(OffsetUndone, facts)
    assert of(EntryPosted, facts)[0].reverses == f"M/{name}"
    assert (standing(books), books.sums()) == (before, sums)
    assert len(books.tables["ledger"]) == lines + 6
    assert of(CommandUnneeded, books.do(UndoOffset(account="acme", offset=name, reason="again")))


@pytest.mark.parametrize(("name", "why", "reason"), [("OF-9", "x", "unknown_offset"), ("R/1", "x", "unknown_offset")])
def test_what_is_no_offset_is_not_taken_back_as_one(books: Books, name: str, why: str, reason: str) -> None:
    books.do(pays("R", ("I2", 100_00)))
    (refused,) = books.do(UndoOffset(account="acme", offset=name, reason=why))
    assert refused.reason == reason


def test_another_accounts_offset_is_not_taken_back(books: Books) -> None:
    name = done(books, offset("C1", ("I2", 400_00)))
    (refused,) = books.do(UndoOffset(account="beta", offset=name, reason="x"))
    assert refused.reason == "unknown_offset"


def test_cash_on_account_is_set_off_and_is_no_longer_there_to_be_allocated(books: Books) -> None:  # P8
    name = done(books, offset("R", ("I2", 60_00)))
    assert books.receipt("R").unallocated_minor == 40_00
    (refused,) = books.do(pays("R", ("I1", 50_00)))
    assert refused.reason == "too_much"
    assert of(CashReferred, books.do(pays("R", ("I1", 50_00)), actor="payments", role=""))
    books.do(UndoOffset(account="acme", offset=name, reason="x"))
    assert (books.receipt("R").unallocated_minor, books.receipt("R").standing) == (100_00, ())


def test_a_receipt_that_the_bank_takes_back_opens_what_it_was_set_against(books: Books) -> None:  # P3 P8
    done(books, offset("R", ("I2", 60_00)))
    books.do(pays("R", ("I1", 40_00)))
    books.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert [books.item(name).open_minor for name in ("I1", "I2", "R")] == [500_00, 400_00, 0]
    assert books.receipt("R").state == "gone"
    assert books.refolded() == books.tables


def test_what_the_rates_differ_by_is_exchange() -> None:  # P1
    books = Books()
    for told in (
        opened(currency="EUR"),
        invoice("I1", 100_00, currency="EUR", base_minor=85_00),
        credit_note("C1", 100_00, currency="EUR", base_minor=87_00),
    ):
        books.do(told)
    name = done(books, offset("C1", ("I1", 100_00)))
    assert (books.sums()["exchange"], books.account().balance_minor) == (-2_00, 0)
    books.do(UndoOffset(account="acme", offset=name, reason="x"))
    assert (books.sums()["exchange"], books.account().balance_minor) == (0, -2_00)


def test_the_rows_are_the_fold_of_the_journal(books: Books) -> None:
    name = done(books, offset("C1", ("I2", 400_00)))
    done(books, offset("R", ("I1", 60_00)))
    books.do(UndoOffset(account="acme", offset=name, reason="x"))
    assert books.refolded() == books.tables
