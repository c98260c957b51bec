"""Invoices, debit and credit notes: checked against the account's set-up, entered once, in double entry (P1, P2). Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from contracts.message import Fact
from contracts.payments import BillingErrorFound, ItemPosted, ItemSettled, PostItem
from services.payments import ledger
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, unneeded
from services.payments.state import CREDIT_NOTE, DEBITS_AND_CREDITS, DEBTS, Account, Item, State, short
from shared.service import Moment


class BillingError(NamedTuple):
    """How a bill does not fit its account: `cause` is what is counted (P2)."""

    cause: str
    detail: str


def post_item(state: State, wish: PostItem, moment: Moment) -> Iterable[Fact]:
    """Enter it, say what is wrong with it, or keep it out until that is mended; an intake never refuses for credit reasons."""
    if wish.kind not in DEBITS_AND_CREDITS:
        kinds = ", ".join(DEBITS_AND_CREDITS)
        return Refusal("unknown_kind", f"{wish.kind!r} is no kind of item; write one of {kinds}").of(wish.account, wish.item)
    account = state.accounts.get(wish.account)
    if (known := state.items.get(wish.item)) is not None:
        return _again(known, wish)
    if refusal := closed(state, wish.document_on):
        return refusal.of(wish.account, wish.item)
    policy = in_force(moment.at.date())
    due_on = wish.due_on or wish.document_on + dt.timedelta(days=_days(account, policy))
    errors = list(_errors(account, wish, due_on, policy))
    kept_out = any(error.cause in policy.refuses for error in errors)
    facts: list[Fact] = [
        BillingErrorFound(account=wish.account, item=wish.item, cause=error.cause, detail=error.detail[:500], posted=not kept_out)
        for error in errors
    ]
    return facts if kept_out else [*facts, *_entered(wish, due_on, policy, moment, unknown_home(account, moment))]


def unknown_home(account: Account | None, moment: Moment) -> str | None:
    """The credit group of an account of which the credit master's word has not come yet; else it is known from that."""
    return None if account is not None and account.home else moment.home


def _again(known: Item, wish: PostItem) -> list[Fact]:
    """The same document again is nothing new; another one under its number is refused visibly."""
    signed = -wish.amount_minor if wish.kind == CREDIT_NOTE else wish.amount_minor
    if (known.account, known.kind, known.amount_minor, known.currency) == (wish.account, wish.kind, signed, wish.currency):
        return unneeded(wish.account, wish.item)
    detail = (
        f"{wish.item} is known as a {known.kind} of {known.account} over {known.amount_minor} {known.currency} (minor units); "
        "an item is never changed: send a document of its own, or a credit note"
    )
    return Refusal("other_content", detail).of(wish.account, wish.item)


def closed(state: State, on: dt.date) -> Refusal | None:
    """A closed period takes no posting (P14)."""
    if state.period is None or on > state.period.closed_until:
        return None
    detail = f"{on} lies in a closed period (closed until {state.period.closed_until}); send it with a later document date"
    return Refusal("period_closed", detail)


def open_day(state: State, on: dt.date) -> dt.date:
    """The day to post on: this one, or the first after the closed period; what the bank did cannot be sent back."""
    if state.period is None or on > state.period.closed_until:
        return on
    return state.period.closed_until + dt.timedelta(days=1)


def _days(account: Account | None, policy: Policy) -> int:
    return policy.payment_days if account is None or account.payment_days is None else account.payment_days


def _errors(account: Account | None, wish: PostItem, due_on: dt.date, policy: Policy) -> Iterator[BillingError]:
    """Every way in which the bill does not fit, so that it is caught before it is a dispute (P2)."""
    if not wish.amount_minor:
        yield BillingError("no_amount", "it asks for nothing; leave it out")
    if wish.base_minor is None and not policy.has_rate(wish.currency):
        yield BillingError("wrong_currency", f"there is no rate for {wish.currency} in {policy.version}; send base_minor with it")
    if due_on < wish.document_on:
        yield BillingError("due_before_document", f"due on {due_on}, before its own day {wish.document_on}; correct one of them")
    if sum(part.amount_minor for part in wish.covers) > wish.amount_minor:
        yield BillingError("covers_too_much", "it bills more of its orders than it asks for; check the lines")
    if account is None or not account.home or wish.kind not in DEBTS:
        return
    if wish.currency != account.currency:
        yield BillingError("other_currency", f"{account.account} trades in {account.currency}, the bill is in {wish.currency}")
    if account.po_required and not wish.po_number:
        yield BillingError("po_missing", f"{account.account} pays no bill without its purchase order number; add it")
    if wish.due_on is not None and (given := (wish.due_on - wish.document_on).days) != _days(account, policy):
        yield BillingError("terms_differ", f"{given} days, the account's terms are {_days(account, policy)}")


def _entered(wish: PostItem, due_on: dt.date, policy: Policy, moment: Moment, home: str | None) -> Iterator[Fact]:
    sign = -1 if wish.kind == CREDIT_NOTE else 1
    base = wish.base_minor if wish.base_minor is not None else policy.base_of(wish.amount_minor, wish.currency)
    name = short("E", wish.item)
    yield ItemPosted(
        account=wish.account,
        item=wish.item,
        kind=wish.kind,
        amount_minor=sign * wish.amount_minor,
        currency=wish.currency,
        document_on=wish.document_on,
        due_on=due_on,
        covers=wish.covers,
        base_minor=sign * base,
        order=wish.order,
        po_number=wish.po_number,
        reference=wish.reference,
        discounts=wish.discounts,
        entry=name,
        home=home,
    )
    debit, credit = (ledger.RECEIVABLES, ledger.SALES) if sign > 0 else (ledger.RETURNS, ledger.RECEIVABLES)
    lines = ledger.pair(debit, credit, wish.amount_minor, wish.currency, base, wish.item)
    yield ledger.entry(wish.account, name, wish.kind, wish.document_on, lines, text=wish.text)


# --- settled ----------------------------------------------------------------------------------------------------------


def item_of(state: State, name: str) -> Item:
    item = state.items[name]
    assert item is not None, "only items that are known are settled"
    return item


def settled(item: Item, settled_minor: int, base_minor: int, by: str) -> ItemSettled:
    """So much of an item is settled, with its sign (the other one takes it back), by this match, offset, payout or withdrawal."""
    return ItemSettled(
        account=item.account,
        item=item.item,
        kind=item.kind,
        settled_minor=settled_minor,
        open_minor=item.open_minor - settled_minor,
        due_on=item.due_on,
        by=by,
        base_minor=base_minor,
    )
