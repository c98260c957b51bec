"""Credits set against debts: exact, by agreement and due date, taken back exactly (P8)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.payments import (
    CashReferred,
    CommandRefused,
    CommandUnneeded,
    EntryPosted,
    ItemSettled,
    ItemsOffset,
    OffsetItems,
    OffsetUndone,
    Posting,
    Settle,
    TakeBackOffset,
    UndoOffset,
    WithdrawCash,
)
from services.payments import offsets
from services.payments.policies import in_force
from tests.models.payments_books import DAY, TODAY, Books, books_after, cash, credit_note, invoice, of, opened, pays, settles


@pytest.fixture
def books() -> Books:
    """Acme owes 500, 400 and, in two months, 300; a credit note of 600 and cash of 100 stand against it. Beta owes 100."""
    return books_after(
        opened(),
        opened("beta", "acme"),
        invoice("I1", 500_00, due_on=TODAY + 5 * DAY),
        invoice("I2", 400_00, due_on=TODAY - 5 * DAY),
        invoice("I3", 300_00, due_on=TODAY + 60 * DAY),
        invoice("E1", 100_00, currency="EUR", due_on=TODAY),
        invoice("B1", 100_00, "beta"),
        credit_note("C1", 600_00),
        cash("R", 100_00),
    )


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
        (offset("C1", Settle(item="I2", settled_minor=2, paid_minor=1)), "not_the_sum"),
        (offset("C1", Settle(item="I2", settled_minor=1, paid_minor=1, discount_minor=1)), "not_the_sum"),
        (offset("C1", Settle(item="I2", settled_minor=1, paid_minor=1, difference_minor=1)), "not_the_sum"),
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
    assert (refused.account, refused.item) == ("acme", wish.credit)


def test_a_debt_may_be_set_off_until_the_last_of_the_days_ahead(books: Books) -> None:  # P8
    last = TODAY + in_force(TODAY).offset.days_ahead * DAY
    books.do(invoice("I4", 1_00, due_on=last))
    books.do(invoice("I5", 1_00, due_on=last + DAY))
    (refused,) = books.do(offset("C1", ("I5", 1_00)))
    assert refused.reason == "not_due"
    assert done(books, offset("C1", ("I4", 1_00)))


def test_what_is_proposed_takes_the_earliest_due_first_and_leaves_what_is_far_ahead(books: Books) -> None:  # P8
    debts = [books.item(name) for name in ("I1", "I2", "I3", "E1", "B1")]
    lines = offsets.by_due_date(books.item("C1"), debts, TODAY, in_force(TODAY))
    assert [(line.item, line.settled_minor) for line in lines] == [("I2", 400_00), ("I1", 200_00)]
    assert done(books, offset("C1", *lines))
    assert books.item("C1").open_minor == 0


def test_what_is_proposed_leaves_out_what_is_disputed_and_takes_the_smallest_rest(books: Books) -> None:  # P8
    debts = [replace(books.item("I2"), disputed_minor=1), replace(books.item("I1"), open_minor=1)]
    lines = offsets.by_due_date(books.item("C1"), debts, TODAY, in_force(TODAY))
    assert lines == (Settle(item="I1", settled_minor=1, paid_minor=1),)


def test_an_offset_taken_back_leaves_all_as_it_was_by_new_entries(books: Books) -> None:  # P8
    before, sums, lines = standing(books), books.sums(), len(books.tables["ledger"])
    name = done(books, offset("C1", ("I2", 400_00), ("I1", 150_00)))
    facts = books.do(UndoOffset(account="acme", offset=name, reason="not agreed"))
    assert of(OffsetUndone, facts)
    assert of(EntryPosted, facts)[0].reverses == f"M/{name}"
    assert (standing(books), books.sums()) == (before, sums)
    assert len(books.tables["ledger"]) == lines + 6
    again = books.do(UndoOffset(account="acme", offset=name, reason="again"))
    assert again == [CommandUnneeded(account="acme", item=name)]


@pytest.mark.parametrize(("name", "why", "reason"), [("OF-9", "x", "unknown_offset"), ("R/1", "x", "unknown_offset")])
def test_what_is_no_offset_is_not_taken_back_as_one(books: Books, name: str, why: str, reason: str) -> None:
    books.do(pays("R", ("I2", 100_00)))
    (refused,) = books.do(UndoOffset(account="acme", offset=name, reason=why))
    assert (refused.reason, refused.account, refused.item) == (reason, "acme", name)


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
    books = books_after(
        opened(currency="EUR"),
        invoice("I1", 100_00, currency="EUR", base_minor=85_00),
        credit_note("C1", 100_00, currency="EUR", base_minor=87_00),
    )
    name = done(books, offset("C1", ("I1", 100_00)))
    assert (books.sums()["exchange"], books.account().balance_minor) == (-2_00, 0)
    books.do(UndoOffset(account="acme", offset=name, reason="x"))
    assert (books.sums()["exchange"], books.account().balance_minor) == (0, -2_00)


@pytest.fixture
def abroad() -> Books:
    """Acme trades in euros, whose rate was another one for each of its items."""
    return books_after(
        opened(currency="EUR"),
        invoice("I1", 100_00, currency="EUR", base_minor=85_01, due_on=TODAY + 5 * DAY),
        invoice("I2", 60_00, currency="EUR", base_minor=51_00, due_on=TODAY - 5 * DAY),
        credit_note("C1", 100_00, currency="EUR", base_minor=87_03, due_on=TODAY),
    )


SET_OFF = offset("C1", settles("I2", 60_00, account="acme"), ("I1", 30_01))
LINES = (
    Settle(item="I2", settled_minor=60_00, paid_minor=60_00, base_minor=51_00),
    Settle(item="I1", settled_minor=30_01, paid_minor=30_01, base_minor=25_51),
)


def item_settled(item: str, settled_minor: int, base_minor: int, open_minor: int, by: str) -> ItemSettled:
    kind, due_on = {"I1": ("invoice", 5), "I2": ("invoice", -5), "C1": ("credit_note", 0)}[item]
    return ItemSettled(
        account="acme", item=item, kind=kind, settled_minor=settled_minor, open_minor=open_minor, due_on=TODAY + due_on * DAY,
        by=by, base_minor=base_minor,
    )  # fmt: skip


def postings(sign: int) -> tuple[Posting, ...]:
    return tuple(
        Posting(ledger=ledger, amount_minor=sign * amount, currency="EUR", base_minor=sign * base, item=item)
        for ledger, amount, base, item in (
            ("receivables", 90_01, 78_34, "C1"),
            ("receivables", -60_00, -51_00, "I2"),
            ("receivables", -30_01, -25_51, "I1"),
            ("exchange", 0, -1_83, None),
        )
    )


def test_every_fact_of_an_offset_is_said_with_its_own_part_of_the_base_amounts(abroad: Books) -> None:  # P1 P8
    said, *others = abroad.do(SET_OFF)
    assert re.fullmatch(r"OF-[0-9A-F]{16}", said.offset)
    assert said == ItemsOffset(
        account="acme", credit="C1", offset=said.offset, lines=LINES, amount_minor=90_01, effective_on=TODAY, reason="monthly",
        agreement="A-1", base_minor=78_34, by="anna",
    )  # fmt: skip
    assert others == [
        item_settled("I2", 60_00, 51_00, 0, said.offset),
        item_settled("I1", 30_01, 25_51, 69_99, said.offset),
        item_settled("C1", -90_01, -78_34, -9_99, said.offset),
        EntryPosted(
            account="acme", entry=f"M/{said.offset}", kind="offset", effective_on=TODAY, lines=postings(1), text="monthly"
        ),
    ]


def test_every_fact_of_an_offset_is_said_again_with_the_other_sign_when_it_is_taken_back(abroad: Books) -> None:  # P1 P8
    name = done(abroad, SET_OFF)
    assert abroad.do(UndoOffset(account="acme", offset=name, reason="not agreed"), actor="ben") == [
        OffsetUndone(
            account="acme", credit="C1", offset=name, lines=LINES, amount_minor=90_01, effective_on=TODAY, reason="not agreed",
            by="ben",
        ),
        item_settled("I2", -60_00, -51_00, 60_00, name),
        item_settled("I1", -30_01, -25_51, 100_00, name),
        item_settled("C1", 90_01, 78_34, -100_00, name),
        EntryPosted(
            account="acme", entry=f"U/{name}", kind="offset_back", effective_on=TODAY, lines=postings(-1), reverses=f"M/{name}",
            text="not agreed",
        ),
    ]  # fmt: skip


def test_a_debt_whose_base_amount_rounds_to_nothing_is_set_off_without_one() -> None:  # P1 P8
    books = books_after(
        opened(currency="EUR"),
        invoice("I1", 100_00, currency="EUR", base_minor=85_00),
        credit_note("C1", 100_00, currency="EUR", base_minor=85_00),
    )
    books.do(invoice("I2", 10_00, currency="EUR", base_minor=1))
    said, settled, credit, posted = books.do(offset("C1", ("I2", 1)))
    assert (said.lines[0].base_minor, said.base_minor, settled.base_minor, credit.base_minor) == (0, 1, 0, -1)
    assert [(line.item, line.base_minor) for line in posted.lines] == [("C1", 1), ("I2", 0), (None, -1)]
    *_, settled, credit, back = books.do(UndoOffset(account="acme", offset=said.offset, reason="x"))
    assert (settled.base_minor, credit.base_minor) == (0, 1)
    assert [(line.item, line.base_minor) for line in back.lines] == [("C1", -1), ("I2", 0), (None, 1)]


def test_of_two_who_take_an_offset_back_at_once_the_second_changes_nothing(books: Books) -> None:  # P8
    name = done(books, offset("C1", ("I2", 400_00)))
    for _ in range(2):
        books.say(UndoOffset(account="acme", offset=name, reason="x"))
    facts = books.settle()
    assert (len(of(OffsetUndone, facts)), facts[-1]) == (1, CommandUnneeded(account="acme", item=name))


def test_what_does_not_name_an_offset_as_it_is_takes_nothing_back(books: Books) -> None:  # P8
    name = done(books, offset("C1", ("I2", 400_00)))
    back = TakeBackOffset(account="acme", credit="C1", offset=name, lines=books.tables["match"][name].lines, reason="x")
    for wish in (replace(back, offset="OF-9"), replace(back, credit="C9"), replace(back, credit="R"), replace(back, lines=())):
        assert books.do(wish) == [CommandUnneeded(account="acme", item=wish.offset)]


def test_the_rows_are_the_fold_of_the_journal(books: Books) -> None:
    name = done(books, offset("C1", ("I2", 400_00)))
    done(books, offset("R", ("I1", 60_00)))
    books.do(UndoOffset(account="acme", offset=name, reason="x"))
    assert books.refolded() == books.tables
