"""From a form of the cash desk to a command, and from a refusal to words: pure (P6, P7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.payments import (
    AllocateCash,
    GiveBackCash,
    KeepOnAccount,
    Proposal,
    ProposeRefund,
    RecogniseCash,
    Settle,
    TakeCash,
    UnallocateCash,
)
from services.console import refusing
from services.console.people import Person
from services.console.receivables import allocating, following, money_in_hand
from services.console.receivables.allocating import Row, Unfit, Wish
from services.console.receivables.following import Entry, Receipt
from services.console.receivables.ledger import Item
from services.console.wishes import Outcome
from shared import money
from tests.models.payments_books import Books, cash, invoice, opened, pays, settles

AT = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
ROSE = Person("rose", "Rose Osei", "controller", "credit")
OFFERS = (
    Proposal(lines=(settles("I2", 400_00), settles("I3", 300_00)), proof="proposal", score=90, why=("the sum fits",)),
    Proposal(lines=(settles("I1", 500_00),), proof="proposal", score=60),
)


def receipt(**more: Any) -> Receipt:
    fields: dict[str, Any] = {
        "receipt": "R", "account": "acme", "home": "acme", "amount_minor": 700_00, "unallocated_minor": 700_00,
        "currency": "GBP", "received_on": AT.date(), "bank_account": "B", "bank_entry": "S/1", "since": AT, "state": "referred",
        "proposals": following.encode_value(OFFERS),
    }  # fmt: skip
    return Receipt(**fields | more)


def item(name: str, open_minor: int, account: str = "acme", currency: str = "GBP") -> Item:
    kind = "invoice" if open_minor >= 0 else "credit_note"
    return Item(
        key=f"{account}/{name}", account=account, home="acme", item=name, kind=kind, currency=currency, amount_minor=open_minor,
        open_minor=open_minor, base_minor=open_minor, open_base_minor=open_minor, document_on=AT.date(), due_on=AT.date(),
        posted_at=AT,
    )  # fmt: skip


def line(row: Row, of: Item, **more: Any) -> Settle:
    (found,) = allocating.lines_of([row], {of.key: of}, receipt(**more))
    return found


# --- the grid ---------------------------------------------------------------------------------------------------------


def test_only_rows_that_something_was_typed_into_are_lines() -> None:
    form = {"item.1": "acme/I1", "pay.1": " ", "item.2": "acme/I2", "pay.2": "4.00", "reason.2": "price", "item.k": "acme/I3"}
    assert allocating.rows_of(form) == [Row("acme/I2", "4.00", "", "", "price")]


def test_what_stays_open_is_short_paid_only_with_a_reason() -> None:  # C1
    of = item("I1", 500_00)
    assert line(Row(of.key, "450"), of).residual_minor == 0
    short = line(Row(of.key, "450", reason="damage"), of)
    assert (short.settled_minor, short.residual_minor, short.reason) == (450_00, 50_00, "damage")


@pytest.mark.parametrize("typed", ["50.00", "-50.00"])
def test_a_credit_is_taken_with_or_without_its_minus(typed: str) -> None:
    of = item("C1", -50_00)
    assert line(Row(of.key, typed), of) == settles("C1", -50_00)


def test_too_much_paid_on_an_item_is_a_difference_below_nothing() -> None:
    of = item("I1", 100_00)
    assert line(Row(of.key, "101.00", difference="-1.00"), of).settled_minor == 100_00


def test_an_item_of_another_account_says_whose_it_is() -> None:
    assert line(Row("branch/B1", "60"), item("B1", 60_00, "branch")).account == "branch"
    assert line(Row("acme/I1", "60"), item("I1", 60_00)).account is None


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(-(10**6), 10**6), st.booleans())
def test_the_parts_of_a_line_add_up_whatever_is_typed(pay: int, discount: int, difference: int, credit: bool) -> None:
    of = item("I1", -(10**9) if credit else 10**9)
    typed = [money.as_text(each, "GBP") for each in (pay, discount, difference)]
    found = line(Row(of.key, *typed, "price"), of)
    assert found.settled_minor == found.paid_minor + found.discount_minor + found.difference_minor
    assert abs(found.paid_minor) == pay
    assert found.residual_minor >= 0


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (Row("acme/I1", "12,50"), "is no amount"),
        (Row("acme/I1", "-5"), "cannot be less than nothing"),
        (Row("acme/I9", "5"), "I9 is not open any more"),
        (Row("acme/I1", "1.005"), "more decimals"),
    ],
)
def test_what_is_no_line_is_told_with_its_item(row: Row, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        allocating.lines_of([row], {"acme/I1": item("I1", 500_00)}, receipt())


def test_a_grid_without_anything_typed_is_no_wish() -> None:
    with pytest.raises(Unfit, match="at least one item"):
        allocating.lines_of([], {}, receipt())


# --- other wishes -----------------------------------------------------------------------------------------------------


def test_a_chosen_proposal_carries_its_evidence_and_what_was_passed_over() -> None:  # P6
    wish = allocating.command_of(Wish("propose", number="1", version="4"), receipt(), ROSE)
    assert isinstance(wish, AllocateCash)
    assert (wish.lines, wish.version, wish.score) == (OFFERS[0].lines, 4, 90)
    assert [each.items for each in wish.rejected] == [("I1",)]


@pytest.mark.parametrize("number", ["0", "3", "", "x", "²"])
def test_a_proposal_that_is_not_offered_is_no_wish(number: str) -> None:
    with pytest.raises(Unfit, match="not offered"):
        allocating.command_of(Wish("propose", number=number), receipt(), ROSE)


def test_each_action_is_its_command() -> None:  # P7, P10
    keep = allocating.command_of(Wish("keep", "prepaid", version="2"), receipt(), ROSE)
    assert keep == KeepOnAccount(account="acme", receipt="R", reason="prepaid", version=2)
    assert allocating.command_of(Wish("take"), receipt(), ROSE) == TakeCash(account="acme", receipt="R", owner="rose")
    back = allocating.command_of(Wish("give_back", "not theirs", version="3"), receipt(), ROSE)
    assert back == GiveBackCash(account="acme", receipt="R", reason="not theirs", version=3)
    undo = allocating.command_of(Wish("unallocate", "wrong", match="R/1", version="0"), receipt(), ROSE)
    assert undo == UnallocateCash(account="acme", match="R/1", reason="wrong", version=0)
    refund = allocating.command_of(Wish("refund", "twice", amount="50"), receipt(), ROSE)
    assert isinstance(refund, ProposeRefund)
    assert (refund.account, refund.item, refund.amount_minor, refund.reason) == ("acme", "R", 50_00, "twice")
    assert allocating.command_of(Wish("refund", "twice", amount="50"), receipt(), ROSE) == refund  # said twice, it counts once
    whole = allocating.command_of(Wish("refund", "twice"), receipt(), ROSE)
    assert isinstance(whole, ProposeRefund)
    assert whole.amount_minor == 700_00
    with pytest.raises(Unfit, match=r"at most the 700\.00 GBP"):
        allocating.command_of(Wish("refund", "twice", amount="700.01"), receipt(), ROSE)


@pytest.mark.parametrize("do", ["keep", "give_back", "refund", "unallocate", "set_aside"])
def test_what_needs_a_reason_asks_for_it(do: str) -> None:
    with pytest.raises(Unfit, match="Say"):
        allocating.wish_of({"do": do, "text": "  "})


def test_an_entry_is_recognised_for_an_account_that_is_there_only() -> None:  # P5
    entry = Entry(
        key="B/S1", bank_account="B", entry="S1", statement="S", amount_minor=5, currency="GBP", booked_on=AT.date(),
        value_on=AT.date(), since=AT,
    )  # fmt: skip
    wish = allocating.entry_command(Wish("recognise", account="branch", learn="1"), entry, ROSE, "acme")
    assert isinstance(wish, RecogniseCash)
    assert (wish.account, wish.account_home, wish.learn) == ("branch", None, True)
    with pytest.raises(Unfit, match="There is no account 'nobody'; look for it by number or name"):
        allocating.entry_command(Wish("recognise", account="nobody"), entry, ROSE)
    with pytest.raises(Unfit, match="No account 'nobody' is one of yours"):
        allocating.entry_command(Wish("recognise", account="nobody"), entry, replace(ROSE, portfolios=("north",)))
    with pytest.raises(Unfit, match="what kind"):
        allocating.entry_command(Wish("set_aside", "x", ledger="sales"), entry, ROSE)


# --- told -------------------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_receipt_is_told_and_keeps_it_in_hand() -> None:
    part = allocating.told_of(Wish("allocate"), Outcome("done", "", fact={"unallocated_minor": 12_00}), "R", "GBP")
    assert (part.text, part.ended) == ("R is allocated. 12.00 GBP of it is left.", False)
    assert allocating.told_of(Wish("allocate"), Outcome("done", ""), "R", "GBP").ended


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((("I1", 500_00), ("I2", 300_00)), "The lines take 800.00 GBP, and 700.00 GBP of the receipt is left."),
        ((("I2", 450_00),), "I2: 450.00 GBP would be settled, and 400.00 GBP of it is open."),
        ((settles("I2", 300_00, difference=100_00),),
         "I2: a difference of 100.00 GBP in all is beyond a credit controller, who may take 25.00 GBP at most."),
        ((settles("I2", 300_00, discount=100_00),),
         "I2: its terms give this payment no discount, and not 100.00 GBP; take the rest as a difference."),
    ],
)  # fmt: skip
def test_the_ledger_s_refusals_are_told_without_codes_and_in_money(lines: tuple[Any, ...], told: str) -> None:  # P6
    books = Books()
    for message in (opened(), invoice("I1", 500_00), invoice("I2", 400_00), cash("R", 700_00)):
        books.do(message)
    (refused,) = books.do(pays("R", *lines))
    assert refusing.in_words(refused.detail, "GBP") == told


def test_a_proposal_whose_item_was_settled_meanwhile_says_so() -> None:
    known = {"acme/I2": item("I2", 400_00), "acme/I3": item("I3", 300_00)}
    assert not money_in_hand.offered(OFFERS[0], receipt(), known).is_stale
    assert money_in_hand.offered(OFFERS[0], receipt(), known | {"acme/I3": item("I3", 0)}).is_stale
    assert money_in_hand.offered(OFFERS[1], receipt(), known).is_stale
    assert money_in_hand.offered(OFFERS[0], receipt(), known).left_minor == 0
