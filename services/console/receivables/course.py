"""What was done to a receipt, a line of its course each, in the trade's words (P6, P7). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts import payments as said
from contracts.message import Message
from services.console.pages import money_text, words
from services.console.said import Said

OURSELVES = "payments"
"""Whose match it is when the service itself found it."""


def proof(word: str) -> str:
    """What a match rests on, in words."""
    return "a person" if word == "person" else words(word)


def told(fact: Said, people: Mapping[str, str], currency: str) -> str:
    how = _TOLD.get(type(fact.data))
    text = how(fact.data, currency) if how else words(fact.type.split(".")[1])
    by = getattr(fact.data, "by", "") or fact.actor
    system = by in ("", OURSELVES) or isinstance(fact.data, said.CashReceived | said.CashConfirmed)
    return text if system else f"{text} · {people.get(by, by)}"


def _money(minor: int, currency: str) -> str:
    return f"{money_text(minor, currency)} {currency}"


def _because(text: str) -> str:
    return f": {text}" if text else ""


def _received(data: said.CashReceived, currency: str) -> str:
    return f"Received {_money(data.amount_minor, data.currency)}, recognised by {words(data.by)}"


def _allocated(data: said.CashAllocated, currency: str) -> str:
    items = f"{len(data.lines)} item{'s' if len(data.lines) != 1 else ''}"
    how = "" if data.by not in ("", OURSELVES) else f" by {proof(data.proof)}"
    return f"{_money(data.allocated_minor, currency)} allocated to {items}{how}{_because(data.reason)}"


def _unallocated(data: said.CashUnallocated, currency: str) -> str:
    return f"Match {data.match.rpartition('/')[2]} taken back{_because(data.reason)}"


def _referred(data: said.CashReferred, currency: str) -> str:
    count = len(data.proposals)
    offers = f" ({count} proposal{'s' if count != 1 else ''})" if count else ""
    return f"Referred to the desk{_because(data.why)}{offers}"


def _short(data: said.ShortPaid, currency: str) -> str:
    return f"{data.item} short paid by {_money(data.short_minor, data.currency)}, {words(data.cause)}{_because(data.reason)}"


def _proposed(data: said.PayoutProposed, currency: str) -> str:
    return f"{words(data.kind).capitalize()} of {_money(data.amount_minor, data.currency)} proposed{_because(data.reason)}"


def _of_it(what: str) -> Callable[[Any, str], str]:
    """How much of it, in the fact's own currency where it names one, and why."""

    def tell(data: Any, currency: str) -> str:
        money = _money(data.amount_minor, getattr(data, "currency", currency))
        return f"{money} {what}{_because(getattr(data, 'reason', ''))}"

    return tell


_TOLD: Mapping[type[Message], Callable[[Any, str], str]] = {
    said.CashReceived: _received,
    said.CashConfirmed: lambda data, currency: "Confirmed: the bank's statement has it",
    said.CashAllocated: _allocated,
    said.CashUnallocated: _unallocated,
    said.CashReferred: _referred,
    said.CashRetried: lambda data, currency: "Matched once more: something came that may explain it",
    said.CashKeptOnAccount: lambda data, currency: f"Kept on account{_because(data.reason)}",
    said.CashTaken: lambda data, currency: f"{data.owner} chases it{_because(data.note)}",
    said.CashGivenBack: lambda data, currency: f"Given back to suspense{_because(data.reason)}",
    said.CashWithdrawn: lambda data, currency: f"Taken back by the bank{_because(data.reason)}",
    said.ShortPaid: _short,
    said.PayoutProposed: _proposed,
    said.RefundOrdered: _of_it("is paid back, as approved"),
    said.RefundReturned: _of_it("was not paid back"),
    said.WrittenOff: _of_it("written back"),
    said.WriteOffReversed: _of_it("claimed after all"),
    said.ItemsOffset: _of_it("set against debts"),
    said.OffsetUndone: _of_it("set against debts no more"),
    said.CardIntended: _of_it("goes back to the card"),
    said.CardChargedBack: _of_it("charged back"),
    said.PostingRequested: lambda data, currency: f"Asked of the ERP: {words(data.kind)}, request {data.request}",
    said.PostingTaken: lambda data, currency: f"The ERP posted {data.document}{_because(data.text)}",
    said.RequestClosed: lambda data, currency: f"The ERP {data.outcome} request {data.request}{_because(data.reason)}",
}
