"""What others say becomes the desk's own notes, and only when something changed."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from contracts import accounts, claims, collections, commissions, orders, payments
from contracts.accounts import Terms
from contracts.catalogue import MESSAGES
from contracts.message import Message
from services.orders.app import HEARS
from services.orders.fold import _FOLDS
from tests.models.orders_desk import TODAY, Desk, audit, desk_with, invoice, opened, paid

DAY = dt.timedelta(days=1)

TWICE: list[Message] = [
    accounts.TermsChanged(account="acme", terms=Terms(po_required=True), reason="", effective_from=TODAY),
    accounts.LimitChanged(account="acme", limit_minor=5, was_minor=1, reason="", effective_from=TODAY),
    accounts.LimitChanged(
        account="acme", limit_minor=100_000, was_minor=1, reason="", effective_from=TODAY, limit_expires_on=TODAY
    ),
    accounts.CoverChanged(account="acme", insured_minor=5, insured_until=TODAY),
    accounts.AccountRenamed(account="acme", name="Acme plc", reason=""),
    accounts.StatusChanged(account="acme", status="dormant", was="open", reason=""),
    accounts.PlacedOnStop(account="acme", reason=""),
    accounts.AccountTerminated(account="acme", reason=""),
    accounts.ReviewDue(account="acme", kind="limit", due_on=TODAY),
    accounts.ReviewDone(account="acme", kind="limit", next_due_on=TODAY),
    collections.DunningLevelSet(account="acme", level=2),
    commissions.StockPosition(account="acme", shipped_units=5, unconnected_units=2),
]


@pytest.mark.parametrize("message", TWICE, ids=[f"{n}-{type(each).__name__}" for n, each in enumerate(TWICE)])
def test_a_thing_said_twice_is_noted_once(message: Message) -> None:
    desk = desk_with()
    assert len(desk.do(message)) == 1
    assert desk.do(message) == []
    audit(desk)


QUIET: list[Message] = [
    accounts.ReviewDue(account="acme", kind="visit", due_on=TODAY - DAY),
    accounts.ReviewDone(account="acme", kind="terms", next_due_on=TODAY),
    claims.ClaimOpened(account="acme", claim="c", kind="other", disputed_minor=0),
    payments.ItemSettled(account="acme", item="i", kind="invoice", settled_minor=0, open_minor=0, due_on=TODAY),
    invoice("i0", 0),
    payments.SoftCreditEnded(account="acme", credit="s", amount_minor=0),
]


@pytest.mark.parametrize("message", QUIET, ids=[f"{n}-{type(each).__name__}" for n, each in enumerate(QUIET)])
def test_what_does_not_bear_on_orders_is_not_noted(message: Message) -> None:
    assert desk_with().do(message) == []


def test_an_account_is_noted_whole_when_it_opens() -> None:
    terms = Terms(payment_days=14, portfolio="north", risk_class="high")
    desk = desk_with(opened("acme", 5_000, terms=terms, limit_expires_on=TODAY, insured_minor=3, insured_until=TODAY))
    standing = desk.standing()
    assert (standing.home, standing.currency, standing.status, standing.terms) == ("acme", "GBP", "open", terms)
    assert (standing.limit_minor, standing.limit_expires_on) == (5_000, TODAY)
    assert (standing.insured_minor, standing.insured_until) == (3, TODAY)


def test_cover_is_noted_with_its_last_day_and_a_termination_as_such() -> None:
    desk = desk_with()
    desk.do(accounts.CoverChanged(account="acme", insured_minor=7, insured_until=TODAY, reason=""))
    desk.do(accounts.AccountTerminated(account="acme", reason=""))
    standing = desk.standing()
    assert (standing.insured_minor, standing.insured_until, standing.status) == (7, TODAY, "terminated")


def test_a_limit_without_an_end_replaces_one_with_an_end() -> None:  # O2.16
    desk = desk_with(opened(limit_expires_on=TODAY))
    desk.do(accounts.LimitChanged(account="acme", limit_minor=9, was_minor=1, reason="", effective_from=TODAY))
    assert desk.standing().limit_expires_on is None
    audit(desk)


def test_what_is_heard_of_an_account_before_it_opens_is_kept() -> None:
    desk = Desk()
    desk.say(collections.DunningLevelSet(account="acme", level=3), home="acme")
    desk.do(opened())
    assert (desk.standing().dunning_level, desk.standing().known) == (3, True)
    audit(desk)


def test_broken_promises_are_kept_for_ninety_days_only() -> None:  # O2.14
    desk = desk_with()
    for day in (TODAY - 91 * DAY, TODAY - 90 * DAY, TODAY):
        desk.do(collections.PromiseBroken(account="acme", promise="p", broken_on=day))
    assert desk.standing().broken == (TODAY - 90 * DAY, TODAY)


def test_broken_promises_are_bounded() -> None:
    desk = desk_with()
    for n in range(60):
        desk.do(collections.PromiseBroken(account="acme", promise=f"p{n}", broken_on=TODAY))
    assert len(desk.standing().broken) == 50


def test_ageing_keeps_one_line_per_due_date_and_none_that_is_settled() -> None:  # P12
    desk = desk_with()
    for n in range(10):
        desk.do(invoice(f"i{n}", 100, due_on=TODAY + (n % 2) * DAY))
    assert [debt.open_minor for debt in desk.tables["ageings"]["acme"].debts] == [500, 500]
    for n in range(0, 10, 2):
        desk.do(paid(f"i{n}", 100, due_on=TODAY))
    (left,) = desk.tables["ageings"]["acme"].debts
    assert (left.due_on, left.open_minor) == (TODAY + DAY, 500)
    audit(desk)


def test_a_settlement_taken_back_makes_the_invoice_due_again_and_no_debt_of_the_receipt() -> None:  # P7, P12
    desk = desk_with()
    desk.do(invoice("i1", 500, due_on=TODAY - DAY))
    desk.do(invoice("r1", -500, kind="receipt", due_on=TODAY))
    for sign in (1, -1):
        desk.do(paid("i1", sign * 500, due_on=TODAY - DAY))
        desk.do(msgspec.structs.replace(paid("r1", sign * -500, due_on=TODAY), kind="receipt"))
    assert [(debt.due_on, debt.open_minor) for debt in desk.tables["ageings"]["acme"].debts] == [(TODAY - DAY, 500)]
    audit(desk)


def test_a_covered_part_never_exceeds_its_invoice() -> None:  # F1
    desk = desk_with()
    desk.do(invoice("i1", 500, covers=[("web/1", 400), ("web/2", 400)]))
    assert [fact.amount_minor for fact in desk.said(orders.OrderBilled)] == [400, 100]
    assert desk.position().open_minor == 500
    audit(desk)


def test_a_credit_note_bills_no_order() -> None:  # F1
    desk = desk_with()
    desk.do(invoice("c1", -500, kind="credit_note", covers=[("web/1", 400)]))
    assert desk.said(orders.OrderBilled) == []
    assert desk.position().open_minor == -500


def test_every_message_heard_and_every_fact_said_has_its_place() -> None:
    own = {message for message in MESSAGES.values() if message.__module__ == "contracts.orders"}
    assert {message for message in own if not message.is_command} == set(_FOLDS)
    assert {message for message in own if message.is_command} <= set(HEARS)
