"""What an entry of an account's timeline says, in the trade's words. Pure; a fact that nobody told how to say is its own name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from contracts import accounts, orders, payments
from contracts.accounts import Terms
from contracts.message import Message
from services.console import refusing
from services.console.pages import money_text, role_name, words
from shared.days import written

TERMS_WORDS: tuple[tuple[str, str], ...] = (
    ("payment_days", "days to pay"),
    ("cash_on_delivery", "cash on delivery"),
    ("po_required", "PO number required"),
    ("standard_order_minor", "standard order"),
    ("risk_class", "risk class"),
    ("portfolio", "portfolio"),
    ("dunning_policy", "dunning"),
    ("controller", "controller"),
    ("sales_manager", "sales manager"),
    ("region", "region"),
    ("tier", "tier"),
    ("legal_entity", "legal entity"),
    ("statement_cadence", "statements"),
)


def day(on: dt.date | None) -> str:
    return written(on) if on else ""


def told(data: Message, currency: str) -> str:
    """One sentence about this fact; amounts are in the account's currency."""
    how = _TOLD.get(type(data))
    return how(data, currency) if how else words(type(data).__name__)


def differences(before: Terms, after: Terms, currency: str) -> list[tuple[str, str, str]]:
    """(what, was, becomes) of all terms that differ."""
    return [
        (name, _term(field, getattr(before, field), currency), _term(field, getattr(after, field), currency))
        for field, name in TERMS_WORDS
        if getattr(before, field) != getattr(after, field)
    ]


def terms_told(terms: Terms, currency: str) -> str:
    """What is not as usual, whole."""
    usual = Terms()
    said = [f"{name} {_term(field, getattr(terms, field), currency)}" for field, name in TERMS_WORDS]
    special = [text for text, (field, _) in zip(said, TERMS_WORDS, strict=True) if getattr(terms, field) != getattr(usual, field)]
    return ", ".join([said[0], *(text for text in special if text != said[0])])


def _term(field: str, value: Any, currency: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return money_text(value, currency) if field.endswith("_minor") else str(value)


def _limit(minor: int, expires: dt.date | None, currency: str) -> str:
    return money_text(minor, currency) + (f" until {day(expires)}" if expires else "")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


# --- each fact ------------------------------------------------------------------------------------------------------


def _opened(data: accounts.AccountOpened, currency: str) -> str:
    limit = _limit(data.limit_minor, data.limit_expires_on, data.currency)
    return f"Opened as {words(data.status)} with a limit of {limit}{_because(data.reason)}"


def _limit_changed(data: accounts.LimitChanged, currency: str) -> str:
    limit = _limit(data.limit_minor, data.limit_expires_on, currency)
    return f"Limit {limit}, was {money_text(data.was_minor, currency)}{_because(data.reason)}"


def _scheduled(data: accounts.ChangeScheduled, currency: str) -> str:
    limit = [f"limit {_limit(data.limit_minor, data.limit_expires_on, currency)}"] if data.limit_minor is not None else []
    terms = [terms_told(data.terms, currency)] if data.terms else []
    return f"From {day(data.effective_from)}: {'; '.join(limit + terms)}{_because(data.reason)}"


def _cover(data: accounts.CoverChanged, currency: str) -> str:
    return f"Insured for {_limit(data.insured_minor, data.insured_until, currency)}{_because(data.reason)}"


def _requested(data: accounts.ApprovalRequested, currency: str) -> str:
    limit = f"limit {_limit(data.limit_minor or 0, data.limit_expires_on, currency)}"
    what = terms_told(data.terms, currency) if data.terms else limit
    levels = " or ".join(role_name(role).lower() for role in data.levels[:2])
    return f"Asked for {what}; {levels} decides{_because(data.reason)}"


def _approved(data: accounts.RequestApproved, currency: str) -> str:
    views = [f"sales: {data.sales_view}"] * bool(data.sales_view) + [f"finance: {data.finance_view}"] * bool(data.finance_view)
    return f"Approved as {role_name(data.role).lower()}{_because('; '.join([data.reason, *views]))}"


def _missed(data: accounts.StopProgressMissed, currency: str) -> str:
    return f"No progress noted by {day(data.due_on)}; next due {day(data.next_due_on)}"


def _released(data: orders.OrderReleased, currency: str) -> str:
    return f"Released {data.order}, {money_text(data.reserved_minor, currency)}"


def _split(data: orders.OrderSplit, currency: str) -> str:
    released, held = money_text(data.released_minor, currency), money_text(data.held_minor, currency)
    return f"Split {data.order}: {released} released, {held} held"


def _referred(data: orders.OrderReferred, currency: str) -> str:
    return f"Referred {data.order} to {role_name(data.level).lower()}{_because(data.reason)}"


def _deal(what: str) -> Callable[[Any, str], str]:
    def told_so(data: Any, currency: str) -> str:
        value = getattr(data, "value_minor", None)
        amount = f", {money_text(value, currency)}" if value is not None else ""
        return f"Deal {data.deal} {what}{amount}{_because(getattr(data, 'reason', '') or getattr(data, 'evidence', ''))}"

    return told_so


def _cash(minor: int, currency: str) -> str:
    return f"{money_text(minor, currency)} {currency}"


def _allocated(data: payments.CashAllocated, currency: str) -> str:
    items = ", ".join(line.item for line in data.lines[:3]) + (f" and {len(data.lines) - 3} more" if len(data.lines) > 3 else "")
    left = f"; {money_text(data.unallocated_minor, currency)} left" if data.unallocated_minor else ""
    return f"{money_text(data.allocated_minor, currency)} of {data.receipt} allocated to {items}{left}{_because(data.reason)}"


def _short_paid(data: payments.ShortPaid, currency: str) -> str:
    return f"{data.item} short paid by {_cash(data.short_minor, data.currency)}, {words(data.cause)}{_because(data.reason)}"


def _payout(what: str) -> Callable[[Any, str], str]:
    def told_so(data: Any, currency: str) -> str:
        amount = f", {_cash(data.amount_minor, data.currency)}" if hasattr(data, "amount_minor") else ""
        kind = words(getattr(data, "kind", "refund")).capitalize()
        reason = refusing.why_declined(getattr(data, "reason", ""), currency)
        return f"{kind} of {data.item} {what}{amount}{_because(reason)}"

    return told_so


_TOLD: Mapping[type[Message], Callable[[Any, str], str]] = {
    accounts.AccountOpened: _opened,
    accounts.AccountRenamed: lambda data, currency: f"Now trades as {data.name}{_because(data.reason)}",
    accounts.TermsChanged: lambda data, currency: f"Terms: {terms_told(data.terms, currency)}{_because(data.reason)}",
    accounts.LimitChanged: _limit_changed,
    accounts.CoverChanged: _cover,
    accounts.ChangeScheduled: _scheduled,
    accounts.StatusChanged: lambda data, currency: f"Now {words(data.status)}, was {words(data.was)}{_because(data.reason)}",
    accounts.PlacedOnStop: lambda data, currency: f"On stop{_because(data.reason)}",
    accounts.TakenOffStop: lambda data, currency: f"Off stop{_because(data.reason)}",
    accounts.AccountTerminated: lambda data, currency: f"Terminated{_because(data.reason)}",
    accounts.StopScheduled: lambda data, currency: f"Goes on stop on {day(data.on)}{_because(data.reason)}",
    accounts.StopCalledOff: lambda data, currency: f"Stop of {day(data.on)} called off{_because(data.reason)}",
    accounts.StopAssigned: lambda data, currency: f"{data.owner} works on the stop",
    accounts.StopActionAdded: lambda data, currency: f"To do by {day(data.due_on)} for {data.owner}{_because(data.text)}",
    accounts.StopActionClosed: lambda data, currency: f"Done{_because(data.outcome)}",
    accounts.StopProgressNoted: lambda data, currency: f"Progress{_because(data.text)}",
    accounts.StopProgressMissed: _missed,
    accounts.AccountNoted: lambda data, currency: f"{words(data.channel).capitalize()}{_because(data.text)}",
    accounts.ApprovalRequested: _requested,
    accounts.RequestApproved: _approved,
    accounts.RequestDeclined: lambda data, currency: f"Declined{_because(data.reason)}",
    accounts.RequestWithdrawn: lambda data, currency: f"Request withdrawn{_because(data.reason)}",
    orders.OrderReleased: _released,
    orders.OrderRejected: lambda data, currency: f"Rejected {data.order}{_because(data.reason)}",
    orders.OrderReferred: _referred,
    orders.OrderSplit: _split,
    orders.OrderAsked: lambda data, currency: f"Asked the customer about {data.order}{_because(data.question)}",
    orders.OrderNoted: lambda data, currency: f"{data.order}{_because(data.note)}",
    orders.OrderRecalled: lambda data, currency: f"Recalled {data.order}{_because(data.reason)}",
    orders.OrderEscalated: lambda data, currency: f"{data.order} waits too long; {role_name(data.level).lower()} told",
    orders.OrderBreached: lambda data, currency: f"{data.order} was not decided in time",
    orders.DealRegistered: _deal("registered"),
    orders.DealApproved: _deal("approved"),
    orders.DealDeclined: _deal("declined"),
    orders.DealWithdrawn: _deal("withdrawn"),
    orders.DealMatched: lambda data, currency: f"Deal {data.deal} came as {data.order}",
    orders.DealExpired: _deal("expired"),
    payments.CashReceived: lambda data, currency: f"Received {_cash(data.amount_minor, data.currency)} as {data.receipt}",
    payments.CashAllocated: _allocated,
    payments.CashUnallocated: lambda data, currency: f"Match {data.match} taken back{_because(data.reason)}",
    payments.CashKeptOnAccount: lambda data, currency: f"{data.receipt} kept on account{_because(data.reason)}",
    payments.CashGivenBack: lambda data, currency: f"{data.receipt} given back to suspense{_because(data.reason)}",
    payments.CashWithdrawn: lambda data, currency: f"{data.receipt} taken back by the bank{_because(data.reason)}",
    payments.ShortPaid: _short_paid,
    payments.ItemsOffset: lambda data, currency: f"{money_text(data.amount_minor, currency)} of {data.credit} set off",
    payments.PayoutProposed: _payout("proposed"),
    payments.PayoutDeclined: _payout("declined"),
    payments.RefundOrdered: _payout("ordered"),
    payments.WrittenOff: _payout("done"),
    payments.WriteOffReversed: lambda data, currency: f"Write-off of {data.item} taken back{_because(data.reason)}",
    payments.BankDetailsNoted: lambda data, currency: f"Bank details of {data.holder} noted{_because(data.reason)}",
    payments.BankDetailsConfirmed: lambda data, currency: f"Bank details confirmed by a call to {data.called}",
}
